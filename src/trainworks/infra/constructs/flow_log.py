"""Flow logs of a VPC in a log group of their own."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from trainworks.infra.constructs.execution_role import ExecutionRole
from trainworks.infra.constructs.policy import allow


class FlowLog(Construct):
    """All traffic of `vpc`, kept `retention_days`; with `retain` also after the stack is gone.

    Billed by what is written: a VPC in which nothing runs costs nothing.
    """

    def __init__(self, scope: Construct, id: str, *, vpc: ec2.IVpc, retention_days: int, retain: bool = False) -> None:
        super().__init__(scope, id)
        group = logs.CfnLogGroup(self, "LogGroup", retention_in_days=retention_days)
        group.apply_removal_policy(RemovalPolicy.RETAIN if retain else RemovalPolicy.DESTROY)
        stack = Stack.of(self)
        role = ExecutionRole(
            self,
            "Role",
            service="vpc-flow-logs.amazonaws.com",
            source_arn=f"arn:{stack.partition}:ec2:{stack.region}:{stack.account}:vpc-flow-log/*",
            statements=[
                allow(
                    "Deliver",
                    ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                    [group.attr_arn],
                ),
                allow("Find", ["logs:DescribeLogGroups"], ["*"]),
            ],
        )
        ec2.CfnFlowLog(
            self,
            "Resource",
            resource_id=vpc.vpc_id,
            resource_type="VPC",
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            # By name: the ARN that a log group gives ends in `:*`, which EC2 takes, and then never delivers to.
            log_group_name=group.ref,
            deliver_logs_permission_arn=role.role_arn,
        )

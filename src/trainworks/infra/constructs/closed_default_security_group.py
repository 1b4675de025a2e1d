"""The default security group of a VPC, without rules."""

from __future__ import annotations

from typing import Any

from aws_cdk import Stack
from constructs import Construct

from trainworks.infra.constructs.policy import allow
from trainworks.infra.constructs.triggered_state_machine import TriggeredStateMachine


class ClosedDefaultSecurityGroup(TriggeredStateMachine):
    """Takes every rule off the group, at the end of each deployment of `stack_id` and once a day.

    A VPC comes with a group that lets its members reach one another and everything outside. CloudFormation neither
    makes that group nor changes it, and the CDK's way is a Lambda function behind a custom resource. Nothing of the
    platform uses the group; without rules, what somebody starts in it by mistake can reach nothing and be reached by
    nothing. A rule that is added by hand is gone within a day.

    `stack_id` is the root stack's: its last event comes long after the rule that waits for it was made.
    """

    def __init__(self, scope: Construct, id: str, *, security_group_id: str, stack_id: str) -> None:
        stack = Stack.of(scope)
        ec2_arn = f"arn:{stack.partition}:ec2:{stack.region}:{stack.account}"
        super().__init__(
            scope,
            id,
            definition=_definition(f"arn:{stack.partition}:states:::aws-sdk:ec2", security_group_id),
            statements=[
                allow("Find", ["ec2:DescribeSecurityGroupRules"], ["*"]),
                allow(
                    "Close",
                    ["ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"],
                    # A rule's ARN does not tell its group: the group, which is asked for as well, is the limit.
                    [f"{ec2_arn}:security-group/{security_group_id}", f"{ec2_arn}:security-group-rule/*"],
                ),
            ],
            trigger={
                "event_pattern": {
                    "source": ["aws.cloudformation"],
                    "detail-type": ["CloudFormation Stack Status Change"],
                    "detail": {
                        "stack-id": [stack_id],
                        "status-details": {"status": ["CREATE_COMPLETE", "UPDATE_COMPLETE"]},
                    },
                },
                "schedule_expression": "rate(1 day)",
            },
        )


def _definition(sdk: str, security_group_id: str) -> dict[str, Any]:
    def revoke(direction: str) -> dict[str, Any]:
        return {
            "Type": "Task",
            "Resource": f"{sdk}:revokeSecurityGroup{direction}",
            "Parameters": {
                "GroupId": security_group_id,
                "SecurityGroupRuleIds.$": "States.Array($.SecurityGroupRuleId)",
            },
            "End": True,
        }

    return {
        "StartAt": "Find",
        "States": {
            "Find": {
                "Type": "Task",
                "Resource": f"{sdk}:describeSecurityGroupRules",
                "Parameters": {"Filters": [{"Name": "group-id", "Values": [security_group_id]}]},
                "Next": "Close",
            },
            # A group without rules gives an empty list, and there is nothing to do.
            "Close": {
                "Type": "Map",
                "ItemsPath": "$.SecurityGroupRules",
                "MaxConcurrency": 1,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "Direction",
                    "States": {
                        "Direction": {
                            "Type": "Choice",
                            "Choices": [{"Variable": "$.IsEgress", "BooleanEquals": True, "Next": "Outbound"}],
                            "Default": "Inbound",
                        },
                        "Inbound": revoke("Ingress"),
                        "Outbound": revoke("Egress"),
                    },
                },
                "End": True,
            },
        },
    }

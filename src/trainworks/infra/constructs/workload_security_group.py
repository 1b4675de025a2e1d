"""The security group of a workload: nothing comes in, only HTTPS goes out."""

from __future__ import annotations

from aws_cdk import aws_ec2 as ec2
from constructs import Construct


class WorkloadSecurityGroup(Construct):
    """A security group without inbound rules from outside the group.

    Outbound is TCP 443. Its destination stays open because the prefix list of the S3 gateway has another id in each
    region; what can be reached is limited by the route tables of the subnets, which in isolated ones lead to gateway
    endpoints alone. `between_members` opens all traffic among the members, which jobs of several instances need.
    """

    def __init__(
        self, scope: Construct, id: str, *, vpc: ec2.IVpc, description: str, between_members: bool = False
    ) -> None:
        super().__init__(scope, id)
        group = ec2.CfnSecurityGroup(
            self,
            "Resource",
            vpc_id=vpc.vpc_id,
            group_description=description,
            security_group_egress=[
                ec2.CfnSecurityGroup.EgressProperty(
                    ip_protocol="tcp", from_port=443, to_port=443, cidr_ip="0.0.0.0/0", description="HTTPS"
                )
            ],
        )
        self.security_group_id = group.attr_group_id
        if between_members:
            ec2.CfnSecurityGroupIngress(
                self,
                "FromMembers",
                group_id=self.security_group_id,
                source_security_group_id=self.security_group_id,
                ip_protocol="-1",
                description="Between the instances of a job",
            )
            ec2.CfnSecurityGroupEgress(
                self,
                "ToMembers",
                group_id=self.security_group_id,
                destination_security_group_id=self.security_group_id,
                ip_protocol="-1",
                description="Between the instances of a job",
            )

"""The security group of a workload: nothing comes in, only HTTPS goes out."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2
from constructs import Construct


@dataclass(frozen=True, slots=True)
class Destinations:
    """Prefix lists of gateway endpoints and security groups of interface endpoints; anywhere where both are empty."""

    prefix_list_ids: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()

    def rules(self) -> list[ec2.CfnSecurityGroup.EgressProperty]:
        """Outbound rules of TCP 443."""
        if not self.prefix_list_ids and not self.security_group_ids:
            return [_https(cidr_ip="0.0.0.0/0")]
        return [
            *(_https(destination_prefix_list_id=each) for each in self.prefix_list_ids),
            *(_https(destination_security_group_id=each) for each in self.security_group_ids),
        ]


def _https(**destination: str) -> ec2.CfnSecurityGroup.EgressProperty:
    return ec2.CfnSecurityGroup.EgressProperty(
        ip_protocol="tcp", from_port=443, to_port=443, description="HTTPS", **destination
    )


class WorkloadSecurityGroup(Construct):
    """A security group without inbound rules from outside the group.

    Outbound is TCP 443 to `destinations`, or to anywhere if there are none: the id of the S3 gateway's prefix list
    differs by region and no template can look it up. What can be reached then is limited by the route tables of the
    subnets, which in isolated ones lead to gateway endpoints alone. `between_members` opens all traffic among the
    members, which jobs of several instances need.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        vpc: ec2.IVpc,
        description: str,
        destinations: Destinations | None = None,
        between_members: bool = False,
    ) -> None:
        super().__init__(scope, id)
        group = ec2.CfnSecurityGroup(
            self,
            "Resource",
            vpc_id=vpc.vpc_id,
            group_description=description,
            security_group_egress=(destinations or Destinations()).rules(),
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

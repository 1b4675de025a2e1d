"""The default security group of a new VPC lets its members reach one another; stock leaves that rule out.

After "Default security groups for your VPCs" (Amazon VPC User Guide): one inbound rule from the group itself, one
outbound rule to everywhere. What closes the group on AWS must find on the twin what it has to close.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainworks.twin.emulator import engine


def install(ec2: Any) -> None:
    """EC2 was loaded: `CreateVpc` gives the rule."""
    stock = ec2._ACTION_MAP["CreateVpc"]

    def create_vpc(params: Mapping[str, Any]) -> Any:
        before = set(ec2._vpcs)
        answer = stock(params)
        for vpc_id in set(ec2._vpcs) - before:
            open_to_itself(vpc_id)
        return answer

    ec2._ACTION_MAP["CreateVpc"] = create_vpc


def open_to_itself(vpc_id: str) -> None:
    """Give the default group of a VPC that was just made its inbound rule."""
    ec2 = engine.service("ec2")
    group_id = ec2._vpcs[vpc_id]["DefaultSecurityGroupId"]
    # A new value instead of a change inside the old one: the table writes what is set.
    ec2._security_groups[group_id] = {
        **ec2._security_groups[group_id],
        "IpPermissions": [
            {
                "IpProtocol": "-1",
                "IpRanges": [],
                "Ipv6Ranges": [],
                "PrefixListIds": [],
                "UserIdGroupPairs": [{"GroupId": group_id, "UserId": ec2.get_account_id()}],
            }
        ],
    }

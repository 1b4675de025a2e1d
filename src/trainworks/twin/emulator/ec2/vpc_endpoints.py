"""The policy, security groups and private DNS of a VPC endpoint, stored and described; stock forgets them at creation.

Requests of jobs that are held to the network which is declared are held to the policies (`vpc_doors.py`). To groups
none is: what they do on AWS is what `check` and `doctor` conclude from. After CreateVpcEndpoint and ModifyVpcEndpoint
in the API reference of EC2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

_FULL_ACCESS = json.dumps(
    {"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
)
"""What an endpoint has that was given no policy, or whose policy was reset."""
_CREATED = re.compile(rb"<vpcEndpointId>([^<]*)</vpcEndpointId>")


def install(ec2: Any) -> None:
    """EC2 was loaded."""
    stock_xml, actions = ec2._vpce_fields_xml, ec2._ACTION_MAP
    stock_create, stock_modify = actions["CreateVpcEndpoint"], actions["ModifyVpcEndpoint"]

    def fields_xml(endpoint: Mapping[str, Any], tag: str = "item") -> str:
        closing = f"</{tag}>"
        policy = f"<policyDocument>{escape(policy_text(endpoint))}</policyDocument>"
        names = "".join(
            f"<item><groupId>{escape(each)}</groupId><groupName>{escape(_group_name(ec2, each))}</groupName></item>"
            for each in security_groups(ec2, endpoint)
        )
        private_dns = str(has_private_dns(endpoint)).lower()
        more = f"<groupSet>{names}</groupSet><privateDnsEnabled>{private_dns}</privateDnsEnabled>"
        return str(stock_xml(endpoint, tag)).removesuffix(closing) + policy + more + closing

    def create(params: Any) -> Any:
        status, headers, body = stock_create(params)
        found = _CREATED.search(body)
        if status >= 400 or found is None:
            return status, headers, body
        private_dns = ec2._p(params, "PrivateDnsEnabled").lower()
        given = {
            "PolicyDocument": ec2._p(params, "PolicyDocument"),
            "SecurityGroupIds": ec2._parse_member_list(params, "SecurityGroupId"),
            "PrivateDnsEnabled": private_dns != "false",
        }
        return ec2._xml(200, "CreateVpcEndpointResponse", fields_xml(keep(found[1].decode(), given), "vpcEndpoint"))

    def modify(params: Any) -> Any:
        answer = stock_modify(params)
        if answer[0] >= 400:
            return answer
        endpoint_id = ec2._p(params, "VpcEndpointId")
        changes: dict[str, Any] = {}
        if ec2._p(params, "ResetPolicy").lower() == "true":
            changes["PolicyDocument"] = ""
        if ec2._p(params, "PrivateDnsEnabled"):
            changes["PrivateDnsEnabled"] = ec2._p(params, "PrivateDnsEnabled").lower() == "true"
        added = ec2._parse_member_list(params, "AddSecurityGroupId")
        removed = ec2._parse_member_list(params, "RemoveSecurityGroupId")
        if added or removed:
            had = security_groups(ec2, ec2._vpc_endpoints[endpoint_id])
            changes["SecurityGroupIds"] = [each for each in dict.fromkeys([*had, *added]) if each not in removed]
        keep(endpoint_id, changes)
        return answer

    def keep(endpoint_id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        # A new value instead of a change inside the old one: the table writes what is set.
        endpoint = {**ec2._vpc_endpoints[endpoint_id], **changes}
        ec2._vpc_endpoints[endpoint_id] = endpoint
        return endpoint

    ec2._vpce_fields_xml = fields_xml
    actions["CreateVpcEndpoint"], actions["ModifyVpcEndpoint"] = create, modify


def security_groups(ec2: Any, endpoint: Mapping[str, Any]) -> list[str]:
    """Those of an interface endpoint's interfaces: the default group of its VPC where it was given none."""
    if endpoint["VpcEndpointType"] == "Gateway":
        return []
    given = endpoint.get("SecurityGroupIds")
    vpc = ec2._vpcs.get(endpoint["VpcId"]) or {}
    default = vpc.get("DefaultSecurityGroupId")
    return list(given) if given else [default] if default else []


def has_private_dns(endpoint: Mapping[str, Any]) -> bool:
    """Whether an interface endpoint is found by the service's own name. Templates may give the answer as a text."""
    if endpoint["VpcEndpointType"] == "Gateway":
        return False
    return str(endpoint.get("PrivateDnsEnabled", False)).lower() == "true"


def _group_name(ec2: Any, group_id: str) -> str:
    return str((ec2._security_groups.get(group_id) or {}).get("GroupName", ""))


def policy_text(endpoint: Mapping[str, Any]) -> str:
    """The policy of an endpoint as JSON: full access where it was given none."""
    policy = endpoint.get("PolicyDocument")
    if not policy:
        return _FULL_ACCESS
    return policy if isinstance(policy, str) else json.dumps(policy)

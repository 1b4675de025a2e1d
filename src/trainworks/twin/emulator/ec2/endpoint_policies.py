"""The policy of a VPC endpoint, stored and described; stock forgets it at creation and never shows one.

No request is held to it: nothing tells through which endpoint a request came. After CreateVpcEndpoint and
ModifyVpcEndpoint in the API reference of EC2.
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
        policy = f"<policyDocument>{escape(_text(endpoint.get('PolicyDocument')))}</policyDocument>"
        return str(stock_xml(endpoint, tag)).removesuffix(closing) + policy + closing

    def create(params: Any) -> Any:
        status, headers, body = stock_create(params)
        found, policy = _CREATED.search(body), ec2._p(params, "PolicyDocument")
        if status >= 400 or found is None or not policy:
            return status, headers, body
        endpoint = keep(found[1].decode(), policy)
        return ec2._xml(200, "CreateVpcEndpointResponse", fields_xml(endpoint, "vpcEndpoint"))

    def modify(params: Any) -> Any:
        answer = stock_modify(params)
        if answer[0] < 400 and ec2._p(params, "ResetPolicy").lower() == "true":
            keep(ec2._p(params, "VpcEndpointId"), "")
        return answer

    def keep(endpoint_id: str, policy: str) -> dict[str, Any]:
        endpoint = {**ec2._vpc_endpoints[endpoint_id], "PolicyDocument": policy}
        ec2._vpc_endpoints[endpoint_id] = endpoint
        return endpoint

    ec2._vpce_fields_xml = fields_xml
    actions["CreateVpcEndpoint"], actions["ModifyVpcEndpoint"] = create, modify


def _text(policy: Any) -> str:
    if not policy:
        return _FULL_ACCESS
    return policy if isinstance(policy, str) else json.dumps(policy)

"""The VPC endpoints through which the requests of a job in a VPC come, with their policies.

A call that one service makes to another on the job's behalf comes from AWS's own network and uses no endpoint. A job
may be placed in any of its subnets: its requests have to be allowed by the endpoints of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trainworks.aws.endpoint_services import endpoint_service
from trainworks.aws.iam.variables import Value
from trainworks.aws.reach import Reach
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.ec2 import vpc_state
from trainworks.twin.emulator.ec2.vpc_endpoints import policy_text
from trainworks.twin.ports import Interfaces

_ON_BEHALF = ("kms:viaservice", "iam:passedtoservice")
"""Condition keys of requests that the job does not make itself."""


@dataclass(frozen=True, slots=True)
class Door:
    """An endpoint with the text of its policy."""

    endpoint_id: str
    vpc_id: str
    is_gateway: bool
    policy: str


def doors_of(interfaces: Interfaces, action: str, given: Mapping[str, Value]) -> list[Door]:
    """The endpoints, each once. `given` are the request's condition keys, in lower case."""
    if any(key in given for key in _ON_BEHALF):
        return []
    found: dict[str, Door] = {}
    for answer in vpc_state.ways(interfaces.subnet_ids, endpoint_service(action), interfaces.public_ip):
        endpoint = answer.endpoint
        if answer.reach is Reach.YES and endpoint is not None:
            policy = _policy_of(endpoint.endpoint_id)
            found[endpoint.endpoint_id] = Door(endpoint.endpoint_id, endpoint.vpc_id, endpoint.is_gateway, policy)
    return list(found.values())


def _policy_of(endpoint_id: str) -> str:
    endpoints = list(dict.values(engine.service("ec2")._vpc_endpoints._data))
    return next((policy_text(each) for each in endpoints if each["VpcEndpointId"] == endpoint_id), "")

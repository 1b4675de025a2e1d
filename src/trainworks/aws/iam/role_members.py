"""Members of requests that pass a role to a service, each of which needs `iam:PassRole`, and the service that gets it.

`role_members.json` is written by `python -m trainworks.twin.wire.refresh_role_members`, from botocore's models, by the
same rules by which the twin finds these members. The service that gets a role is in `_RECIPIENTS`, after
`iam:PassedToService` ("Available keys for IAM", Service Authorization Reference).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent / "role_members.json"
REQUIRED = "!"
"""Before a member that every valid request has."""

# By service, or by service and member; the latter wins.
_RECIPIENTS: dict[tuple[str, ...], str] = {
    ("batch",): "batch.amazonaws.com",
    ("batch", "jobRoleArn"): "ecs-tasks.amazonaws.com",
    ("batch", "taskRoleArn"): "ecs-tasks.amazonaws.com",
    ("batch", "executionRoleArn"): "ecs-tasks.amazonaws.com",
    ("batch", "instanceRole"): "ec2.amazonaws.com",
    ("batch", "ec2InstanceProfileArn"): "ec2.amazonaws.com",
    ("batch", "spotIamFleetRole"): "spotfleet.amazonaws.com",
    ("batch", "infrastructureRoleArn"): "ecs.amazonaws.com",
    ("cloudwatch",): "streams.metrics.cloudwatch.amazonaws.com",
    ("dynamodb",): "application-autoscaling.amazonaws.com",
    ("ec2",): "ec2.amazonaws.com",
    ("ec2", "DeliverLogsPermissionArn"): "vpc-flow-logs.amazonaws.com",
    ("ec2", "IamFleetRole"): "spotfleet.amazonaws.com",
    ("ec2", "RoleName"): "vmie.amazonaws.com",
    ("ecs", "executionRoleArn"): "ecs-tasks.amazonaws.com",
    ("ecs", "taskRoleArn"): "ecs-tasks.amazonaws.com",
    ("iam",): "ec2.amazonaws.com",
    ("s3",): "s3.amazonaws.com",
    ("stepfunctions",): "states.amazonaws.com",
}
_NAMED_LIKE_ITS_PRINCIPAL = frozenset(
    {"codebuild", "codepipeline", "eks", "events", "firehose", "glue", "lambda", "pipes", "sagemaker", "scheduler"}
)
_REQUIRED_BY_THE_SERVICE = frozenset(
    {("sagemaker", "CreateDomain"), ("sagemaker", "CreateModel"), ("sagemaker", "CreateMonitoringSchedule")}
)
"""The model allows a request without a role; the service runs nothing of it without one."""
_ONLY_READS = ("Describe", "Get", "List")


@dataclass(frozen=True, slots=True)
class RoleMember:
    """A member of a request, as names from the top; lists have none, the keys of a map are `*`.

    `service` is botocore's name. `is_required`: no valid request is without it.
    """

    service: str
    path: tuple[str, ...]
    is_required: bool

    @property
    def recipient(self) -> str:
        """The service that gets the role, if that is certain, else nothing."""
        service, member = self.service, self.path[-1]
        is_certain = service in _NAMED_LIKE_ITS_PRINCIPAL or not _RECIPIENTS.keys().isdisjoint(
            {(service, member), (service,)}
        )
        return recipient(service, member) if is_certain else ""

    def values(self, request: object) -> Iterator[object]:
        """What a request has there. Names are compared without case, as they are written otherwise by other callers."""
        yield from _values(request, self.path)


def recipient(service: str, member: str) -> str:
    """The service that gets a role."""
    return _RECIPIENTS.get((service, member)) or _RECIPIENTS.get((service,)) or f"{service}.amazonaws.com"


def has_recipient_of_its_own(member: str) -> bool:
    """Whether a member of a request says by its name who gets the role, whatever service is asked."""
    return any(key[1:] == (member,) for key in _RECIPIENTS)


def members_of_sdk(service: str, operation: str) -> tuple[RoleMember, ...]:
    """By the name of the service in the SDKs, and by the operation, however it begins: `sfn`, `createStateMachine`."""
    return _by_name("sdk").get((service.lower(), operation.lower()), ())


def members_of_action(action: str) -> tuple[RoleMember, ...]:
    """By an action of IAM, in any case: `states:CreateStateMachine`."""
    service, _, operation = action.lower().partition(":")
    return _by_name("iam").get((service, operation), ())


def requires_role(action: str) -> bool:
    """Whether each call of the action passes a role."""
    members = members_of_action(action)
    operation = action.partition(":")[2].lower()
    demanded = any((member.service, operation) in _DEMANDED for member in members)
    return demanded or any(member.is_required for member in members)


def action_name(action: str) -> str:
    """The action as AWS writes it."""
    return _written().get(action.lower(), action)


_DEMANDED = frozenset((service, operation.lower()) for service, operation in _REQUIRED_BY_THE_SERVICE)


def _values(node: object, path: tuple[str, ...]) -> Iterator[object]:
    if isinstance(node, list):
        for item in node:
            yield from _values(item, path)
    elif not path:
        yield node
    elif isinstance(node, Mapping):
        wanted = path[0].lower()
        for name, value in node.items():
            if wanted in ("*", str(name).lower()):
                yield from _values(value, path[1:])
    elif node is not None:
        yield node  # what is known at run time alone may hold it


@cache
def _services() -> Mapping[str, Mapping[str, Any]]:
    services: Mapping[str, Mapping[str, Any]] = json.loads(PATH.read_text(encoding="utf-8"))["services"]
    return services


@cache
def _by_name(kind: str) -> Mapping[tuple[str, str], tuple[RoleMember, ...]]:
    """Members by the lower-case names of service and operation; services that share a name are one."""
    found: dict[tuple[str, str], tuple[RoleMember, ...]] = {}
    for service, entry in _services().items():
        for operation, members in entry["operations"].items():
            if not operation.startswith(_ONLY_READS):
                key = (str(entry[kind]), operation.lower())
                found[key] = (*found.get(key, ()), *(_member(service, each) for each in members))
    return found


def _member(service: str, written: str) -> RoleMember:
    return RoleMember(service, tuple(written.removeprefix(REQUIRED).split(".")), written.startswith(REQUIRED))


@cache
def _written() -> Mapping[str, str]:
    return {
        f"{entry['iam']}:{operation}".lower(): f"{entry['iam']}:{operation}"
        for entry in _services().values()
        for operation in entry["operations"]
    }

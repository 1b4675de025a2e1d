"""Which members of a request pass a role to a service: found in botocore's models, for every operation there is.

A member holds a role when its name or its shape's says so: `RoleArn`, `Role`, `executionRoleArn`, `IamFleetRole`,
`jobRoleArn`, `instanceRole`, whatever structures and lists it is in. `NOT_PASSED` has the members of such names that
pass nothing, each with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from trainworks.twin.wire.models import service_model

Path = tuple[str, ...]
"""Member names from the top; lists have none, the keys of a map are `*`."""

_NAME = re.compile(
    r"(?:^r|[a-z]R|_r)ole(?:_?(?:arn|Arn|ARN|Name))?s?$|^Role(?:Arn|ARN|Name)?s?$|ec2InstanceProfileArn$"
)
_SHAPE = re.compile(r"Role(?:Arn|ARN)$")
_MORE: dict[tuple[str, str], tuple[Path, ...]] = {("ec2", "CreateFlowLogs"): (("DeliverLogsPermissionArn",),)}
"""Members whose names do not say it."""

NOT_PASSED: Mapping[tuple[str, str, str], str] = {
    ("sts", "*", "RoleArn"): "the caller assumes the role itself; the trust policy decides",
    ("iam", "*", "RoleName"): "names the role that is worked on",
    ("ec2", "CreateFlowLogs", "DeliverCrossAccountRole"): "assumed through the delivery role, which is passed",
    ("ec2", "AssociateEnclaveCertificateIamRole", "RoleArn"): "gives the role a certificate, and a service nothing",
    ("ec2", "DisassociateEnclaveCertificateIamRole", "RoleArn"): "takes a certificate from the role",
    ("cloudformation", "*", "ExecutionRoleName"): "a name in other accounts; the administration role is passed",
    ("ssm", "*", "ExecutionRoleName"): "a name in other accounts; the automation's role is passed",
    ("sagemaker", "*", "RoleName"): "a group of the application's users",
    ("budgets", "*", "Roles"): "names the roles that a budget's action changes",
}
_PASSED_AFTER_ALL = {("iam", "AddRoleToInstanceProfile"): (("RoleName",),)}


@dataclass(frozen=True, slots=True)
class PassedRole:
    """A role that a request passes: the member that holds it and its value as given, an ARN or a name."""

    path: Path
    value: str


@cache
def role_paths(service_name: str, operation: str) -> tuple[Path, ...]:
    """The members of an operation's input that hold roles. `service_name` is botocore's."""
    if (service_name, operation) in _PASSED_AFTER_ALL:
        return _PASSED_AFTER_ALL[service_name, operation]
    shape = service_model(service_name).operation_model(operation).input_shape
    found = [] if shape is None else sorted(set(_walk(shape, (), frozenset())))
    passed = [path for path in found if not _excepted(service_name, operation, path[-1])]
    return (*passed, *_MORE.get((service_name, operation), ()))


def passed_roles(service_name: str, operation: str, params: Mapping[str, Any]) -> list[PassedRole]:
    """The roles in a parsed request."""
    found = []
    for path in role_paths(service_name, operation):
        found += [PassedRole(path, value) for value in _values(params, path) if value]
    return found


def holds_role(name: str) -> bool:
    """Whether a member's name says that it holds a role, or several."""
    return bool(_NAME.search(name)) or any((name,) in paths for paths in _MORE.values())


def _excepted(service_name: str, operation: str, member: str) -> bool:
    return bool({(service_name, operation, member), (service_name, "*", member)} & NOT_PASSED.keys())


def _walk(shape: Shape, path: Path, within: frozenset[str]) -> Iterator[Path]:
    if shape.name in within:
        return
    within |= {shape.name}
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            yield from _walk_member(member, (*path, str(name)), within)
    elif isinstance(shape, ListShape):
        yield from _walk_member(shape.member, path, within)
    elif isinstance(shape, MapShape):
        yield from _walk_member(shape.value, (*path, "*"), within)


def _walk_member(member: Shape, path: Path, within: frozenset[str]) -> Iterator[Path]:
    if member.type_name != "string":
        yield from _walk(member, path, within)
    elif path and (_NAME.search(path[-1]) or _SHAPE.search(member.name)):
        yield path


def _values(node: Any, path: Path) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _values(item, path)
    elif not path:
        if isinstance(node, str):
            yield node
    elif isinstance(node, Mapping):
        for item in list(node.values()) if path[0] == "*" else [node.get(path[0])]:
            yield from _values(item, path[1:])

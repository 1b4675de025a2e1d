"""TW02: a workload in a VPC whose role may not make the network interfaces that put it there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.permissions import Permissions
from trainworks.aws.role_actions import ROLE_NEEDS, When
from trainworks.preflight.finding import Severity
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.role_uses import RoleUse, role_uses_of
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import Workload as Placed


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    lacking: dict[tuple[Resource, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for use in role_uses_of(graph):
        missing = tuple(_missing(graph, use))
        if missing:
            lacking[use.role, use.title, missing].append(use.at if isinstance(use.at, str) else use.at.place)
    for (role, title, missing), places in lacking.items():
        yield Fault(
            role,
            f"the role of the {title} {', '.join(places)} in a VPC lacks {', '.join(missing)}: "
            "AWS cannot give it network interfaces, so each one fails when it starts",
            list(missing),
            "allow these actions: the describing ones on *, the others on network-interface/*, "
            "CreateNetworkInterface also on the subnets and security groups",
        )


def _missing(graph: Graph, use: RoleUse) -> Iterator[str]:
    """Actions that the workload needs for its place in a VPC and that its role lacks."""
    if not isinstance(use.record, Placed) or use.record.subnets is None or use.workload is None:
        return
    permissions = permissions_of(graph).of(use.role)
    for need in ROLE_NEEDS[use.workload].needs:
        if need.when is When.VPC:
            yield from (action for action in need.actions if not _may(permissions, action, use, graph))


def _may(permissions: Permissions, action: str, use: RoleUse, graph: Graph) -> bool:
    return all(permissions.allows(action, arn) is not PartialDecision.NO for arn in _resources(action, use, graph))


def _resources(action: str, use: RoleUse, graph: Graph) -> list[str]:
    """What EC2 asks for: describing actions know no resources, making one concerns its subnet and groups too."""
    name = action.partition(":")[2]
    if name.startswith("Describe"):
        return ["*"]
    arn = f"arn:{graph.partition}:ec2:{graph.region}:{graph.account}"
    resources = [f"{arn}:network-interface/*"]
    if name == "CreateNetworkInterface" and isinstance(use.record, Placed):
        resources += [f"{arn}:subnet/{subnet}" for subnet in use.record.subnets or ()]
        resources += [f"{arn}:security-group/{group}" for group in use.record.security_groups]
    return resources


RULE = Rule(
    code="TW02",
    severity=Severity.ERROR,
    title="a workload in a VPC whose role lacks a network-interface action",
    origin="The template deploys; every training job fails with a permission error on its first second.",
    find=find,
)

"""Calls that pass a role, made by code whose own role may not pass any.

Source: the members of each request that hold a role (`aws.iam.role_members`); the Service Authorization Reference has
`iam:PassRole` as a dependent action of each.
"""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Unknown
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.permissions import Permissions
from trainworks.aws.iam.role_members import action_name, requires_role
from trainworks.aws.role_actions import Workload
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.role_uses import RoleUse

_RUNS_CODE = frozenset({Workload.FUNCTION, Workload.CONTAINER_TASK, Workload.BUILD})
_RUNS_TASKS = frozenset({"ecs:runtask", "ecs:starttask"})


def unpassable(graph: Graph, use: RoleUse) -> Iterator[str]:
    """Actions that the role of code is granted by their names, each of which fails as it may pass no role."""
    if use.workload not in _RUNS_CODE:
        return
    permissions = permissions_of(graph).of(use.role)
    if permissions.allows_somewhere("iam:PassRole") is not PartialDecision.NO:
        return
    named = [
        action_name(action)
        for statement in permissions.statements
        if statement.allows
        for action in statement.actions
        if not isinstance(action, Unknown) and (requires_role(action) or _runs_with_roles(graph, permissions, action))
    ]
    yield from (
        action for action in dict.fromkeys(named) if permissions.allows_somewhere(action) is PartialDecision.YES
    )


def _runs_with_roles(graph: Graph, permissions: Permissions, action: str) -> bool:
    """Whether the action runs tasks, and all those of the templates that it may run have a role."""
    if action.lower() not in _RUNS_TASKS:
        return False
    allowed = [
        each
        for each in graph.of_type("AWS::ECS::TaskDefinition")
        if permissions.allows(action, each.arn) is PartialDecision.YES
    ]
    return bool(allowed) and all(each.get("TaskRoleArn") or each.get("ExecutionRoleArn") for each in allowed)

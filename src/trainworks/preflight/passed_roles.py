"""Calls that hand on a role, made by code whose own role may not hand on any.

Source: the Service Authorization Reference, where `iam:PassRole` is a dependent action of each, and its parameter is
required.
"""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Unknown
from trainworks.preflight.permissions import Answer, permissions_of
from trainworks.preflight.role_uses import RoleUse
from trainworks.spec.role_actions import Workload

_PASSING = {
    action.lower(): action
    for action in (
        "sagemaker:CreateTrainingJob",
        "sagemaker:CreateProcessingJob",
        "sagemaker:CreateHyperParameterTuningJob",
        "sagemaker:CreateAutoMLJob",
        "sagemaker:CreateAutoMLJobV2",
        "sagemaker:CreateCompilationJob",
        "sagemaker:CreateModel",
        "sagemaker:CreateNotebookInstance",
        "sagemaker:CreateMonitoringSchedule",
        "sagemaker:CreatePipeline",
        "lambda:CreateFunction",
        "states:CreateStateMachine",
        "scheduler:CreateSchedule",
        "glue:CreateJob",
        "codebuild:CreateProject",
        "eks:CreateCluster",
    )
}
_RUNS_CODE = frozenset({Workload.FUNCTION, Workload.CONTAINER_TASK, Workload.BUILD})


def unpassable(graph: Graph, use: RoleUse) -> Iterator[str]:
    """Actions that the role of code is granted by their names, each of which fails as it may pass no role."""
    if use.workload not in _RUNS_CODE:
        return
    permissions = permissions_of(graph).of(use.role)
    if permissions.allows_somewhere("iam:PassRole") is not Answer.NO:
        return
    named = [
        _PASSING[action.lower()]
        for statement in permissions.statements
        if statement.allows
        for action in statement.actions
        if not isinstance(action, Unknown) and action.lower() in _PASSING
    ]
    yield from (action for action in dict.fromkeys(named) if permissions.allows_somewhere(action) is Answer.YES)

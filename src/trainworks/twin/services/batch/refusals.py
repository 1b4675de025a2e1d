"""Refusals as Batch words them: of problems that a pure check found, and of roles."""

from __future__ import annotations

from collections.abc import Iterable

from trainworks.aws.batch_constraints import Problem
from trainworks.twin.ports import ApiError, Caller, ControlPlane


def refuse(problems: Iterable[Problem]) -> None:
    """Raise `ClientException` with the first problem, if there is one: Batch names one at a time."""
    for problem in problems:
        raise ApiError("ClientException", problem.message)


def pass_role(control_plane: ControlPlane, caller: Caller, role: str, service: str) -> None:
    """`iam:PassRole` for a role given by name or ARN; a role that the service cannot assume is a `ClientException`."""
    arn = role if role.startswith("arn:") else f"arn:aws:iam::{caller.account_id}:role/{role}"
    if arn == service_linked_role(caller.account_id):
        return
    try:
        control_plane.pass_role(caller, arn, service)
    except ApiError as error:
        if error.code == "ValidationException":
            raise ApiError("ClientException", error.message) from error
        raise


def service_linked_role(account_id: str) -> str:
    """Batch's own role, which everybody may have it use."""
    return f"arn:aws:iam::{account_id}:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch"

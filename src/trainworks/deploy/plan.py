"""What `up` is going to do, as data: decided here without a call, executed by `executor.py`.

First a stack that is stuck or busy is brought to rest (`plan_recovery`, one step at a time, as each changes the state),
then the new templates are applied (`plan_update`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.deploy.assets import AssetUpload
from trainworks.deploy.deployment import Deployment
from trainworks.deploy.stacks import StackCondition, StackState
from trainworks.errors import DeployError, RequestError


@dataclass(frozen=True, slots=True)
class FollowOperation:
    """Somebody's operation is under way (perhaps ours, before Ctrl-C): see it through."""

    stack_id: str
    status: str


@dataclass(frozen=True, slots=True)
class DeleteStack:
    """Delete what a creation left; `why` is said to whoever watches. `emptying` deletes the content of buckets, too."""

    stack_id: str
    why: str
    emptying: bool = False


@dataclass(frozen=True, slots=True)
class ContinueRollback:
    """`cloudformation:ContinueUpdateRollback`, leaving `skip` as they are."""

    stack_id: str
    skip: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateToolkit:
    """Deploy the minimal CDK bootstrap, whose bucket is `bucket_name`."""

    bucket_name: str


@dataclass(frozen=True, slots=True)
class UploadAssets:
    """Upload what is missing of `assets`."""

    assets: tuple[AssetUpload, ...]


@dataclass(frozen=True, slots=True)
class ApplyChangeSet:
    """Create a change set of type CREATE or UPDATE, show it, execute it."""

    change_set_type: str


@dataclass(frozen=True, slots=True)
class SetTerminationProtection:
    """`cloudformation:UpdateTerminationProtection`."""

    enabled: bool


RecoveryStep = FollowOperation | DeleteStack | ContinueRollback
UpdateStep = CreateToolkit | UploadAssets | ApplyChangeSet | SetTerminationProtection
Step = RecoveryStep | UpdateStep


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What the user allowed beyond an ordinary update."""

    recreate: bool = False
    continue_rollback: bool = False
    skip_resources: tuple[str, ...] = ()
    bootstrap: bool = False


def plan_recovery(state: StackState | None, allowed: UpOptions) -> RecoveryStep | None:
    """The step that brings a busy or stuck stack towards rest, or None for one that can be created or updated.

    Raises `DeployError` for a stuck stack whose way out was not allowed; its fix is the option that allows it.
    """
    if state is None:
        return None
    match state.condition:
        case StackCondition.IN_PROGRESS:
            return FollowOperation(state.stack_id, state.status)
        case StackCondition.IN_REVIEW | StackCondition.NEVER_CREATED | StackCondition.BROKEN:
            return _delete(state, allowed)
        case StackCondition.ROLLBACK_STUCK:
            return _continue_rollback(state, allowed)
        case _:
            return None


def _delete(state: StackState, allowed: UpOptions) -> DeleteStack:
    """What never came to be is deleted without asking; what may hold data only when the user says so."""
    if state.condition is StackCondition.BROKEN and not allowed.recreate:
        raise DeployError(
            f"{state.stack_name} is {state.status} and cannot be updated: {state.status_reason or 'no reason given'}",
            fix="trainworks up --recreate deletes it with what it still has and creates it again",
        )
    if state.termination_protection:
        raise protected_error(state)
    why = {
        StackCondition.IN_REVIEW: "an earlier change set was never executed: its empty stack is removed",
        StackCondition.NEVER_CREATED: "its creation failed and was rolled back: what is left is removed",
    }.get(state.condition, f"it is {state.status}: deleted and created again, as --recreate asks")
    return DeleteStack(state.stack_id, why, emptying=state.condition is StackCondition.BROKEN)


def _continue_rollback(state: StackState, allowed: UpOptions) -> ContinueRollback:
    if not allowed.continue_rollback:
        raise DeployError(
            f"{state.stack_name} is {state.status}: an update failed and so did its rollback: {state.status_reason}",
            fix="correct what blocks it, then trainworks up --continue-rollback; "
            "--skip LOGICAL_ID leaves a resource as it is",
        )
    return ContinueRollback(state.stack_id, allowed.skip_resources)


def protected_error(state: StackState) -> RequestError:
    """The error for deleting a stack that termination protection guards."""
    return RequestError(
        f"{state.stack_name} has termination protection and cannot be deleted",
        fix="aws cloudformation update-termination-protection --no-enable-termination-protection "
        f"--stack-name {state.stack_name}, if you really want to delete it",
    )


def is_unchanged(state: StackState | None, deployed_template: Mapping[str, Any], deployment: Deployment) -> bool:
    """Whether the stack already is what `deployment` asks for.

    The root template alone tells: it names every nested template and asset by the hash of its content.
    """
    return (
        state is not None
        and state.condition is StackCondition.STABLE
        and state.status != "UPDATE_FAILED"
        and dict(deployed_template) == dict(deployment.template)
        and dict(state.tags) == dict(deployment.tags)
        and state.termination_protection == deployment.termination_protection
    )


def plan_update(
    state: StackState | None,
    deployment: Deployment,
    missing_buckets: tuple[str, ...],
    missing: tuple[AssetUpload, ...],
    allowed: UpOptions,
) -> tuple[UpdateStep, ...]:
    """The steps that create or update the stack. Raises `RequestError` if the bootstrap bucket is absent."""
    steps: list[UpdateStep] = []
    for bucket_name in missing_buckets:
        if not allowed.bootstrap:
            raise RequestError(
                f"the bucket for templates and assets, {bucket_name}, does not exist in this account and region",
                fix="cdk bootstrap once per account and region, or trainworks up --bootstrap for what is needed",
            )
        steps.append(CreateToolkit(bucket_name))
    if missing:
        steps.append(UploadAssets(missing))
    steps.append(ApplyChangeSet("UPDATE" if state else "CREATE"))
    if (state.termination_protection if state else False) != deployment.termination_protection:
        steps.append(SetTerminationProtection(deployment.termination_protection))
    return tuple(steps)

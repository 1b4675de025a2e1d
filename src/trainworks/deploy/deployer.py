"""Deploys a platform. The way of an `up`:

    assembly --> deployment_of          account and region resolved into asset names              (deployment)
             --> plan_recovery          a busy stack is followed, a stuck one brought to rest     (plan, executor)
             --> is_unchanged           two calls; an unchanged platform ends here                (plan)
             --> gate                   the caller's last word, before anything is uploaded
             --> plan_update            bootstrap, missing assets, change set                     (plan, assets)
             --> Executor.execute       each step; the change set is shown and approved           (executor, changes)
             --> follow                 events of all nested stacks until the stack is at rest    (follow, events)
             --> first_cause            when it failed                                            (causes)

Every function here takes ready clients, raises `RequestError` or `DeployError` only, and cannot tell AWS from the twin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from trainworks.deploy.assets import missing_assets, upload_assets
from trainworks.deploy.bootstrap import has_bucket
from trainworks.deploy.change_sets import ChangeSet
from trainworks.deploy.changes import StackChanges, changes_of_creation
from trainworks.deploy.clients import Clients
from trainworks.deploy.deployment import Deployment
from trainworks.deploy.executor import Approve, Executor, discard, review
from trainworks.deploy.faults import explained, is_concurrent
from trainworks.deploy.follow import StackMonitor
from trainworks.deploy.plan import UpOptions, is_unchanged, plan_recovery, plan_update
from trainworks.deploy.progress import AssetUploaded, Notice
from trainworks.deploy.stacks import StackCondition, StackState, deployed_template, describe_stack
from trainworks.errors import DeployError, RequestError

_CONCURRENT_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class UpResult:
    """What `up` did. `changed` is False when the platform already was as asked; `outputs` are the root stack's."""

    stack_name: str
    stack_id: str
    status: str
    changed: bool
    outputs: Mapping[str, str] = field(default_factory=dict)
    changes: StackChanges | None = None


def approve_all(changes: StackChanges) -> bool:
    """Approves any change set."""
    del changes
    return True


def up(
    deployment: Deployment,
    clients: Clients,
    monitor: StackMonitor,
    allowed: UpOptions | None = None,
    *,
    approve: Approve = approve_all,
    gate: Callable[[], None] = lambda: None,
) -> UpResult:
    """Create the platform, or bring it to what `deployment` says; nothing is done if it already is.

    An operation that is under way on the stack is followed to its end first. `gate` is called before anything is
    uploaded or changed, only where something would be; what it raises ends the deploy. Raises `DeployError` with the
    first cause when the operation fails, `RequestError` when nothing was started.
    """
    executor = Executor(clients, deployment, monitor, approve)
    with explained(f"deploying {deployment.stack_name}"):
        for _ in range(_CONCURRENT_ATTEMPTS - 1):
            try:
                return _up(executor, allowed or UpOptions(), gate)
            except ClientError as error:
                if not is_concurrent(error):
                    raise
                monitor.report(Notice("somebody else is deploying: following that deployment, then looking again"))
                monitor.sleep(monitor.pacing.longest_seconds)
        return _up(executor, allowed or UpOptions(), gate)


def _up(executor: Executor, allowed: UpOptions, gate: Callable[[], None]) -> UpResult:
    clients, deployment = executor.clients, executor.deployment
    state = _come_to_rest(executor, allowed)
    if state and is_unchanged(state, deployed_template(clients.cloudformation, state.stack_id), deployment):
        return _result(state, None)
    gate()
    missing_buckets = tuple(name for name in deployment.bucket_names if not has_bucket(clients.s3, name))
    missing = deployment.assets if missing_buckets else missing_assets(clients.s3, deployment.assets)
    changes: StackChanges | None = None
    for step in plan_update(state, deployment, missing_buckets, missing, allowed):
        changes = executor.execute(step) or changes
    return _result(_described(clients, deployment.stack_name), changes)


def _come_to_rest(executor: Executor, allowed: UpOptions) -> StackState | None:
    """Follow and fix until the stack can be created (None) or updated."""
    while True:
        state = describe_stack(executor.clients.cloudformation, executor.deployment.stack_name)
        step = plan_recovery(state, allowed)
        if step is None:
            return None if state is None or state.condition is StackCondition.ABSENT else state
        executor.execute(step)


def _described(clients: Clients, stack_name: str) -> StackState:
    state = describe_stack(clients.cloudformation, stack_name)
    if state is None:
        raise DeployError(f"{stack_name} was deleted by somebody else at this moment", fix="trainworks up")
    return state


def _result(state: StackState, changes: StackChanges | None) -> UpResult:
    return UpResult(state.stack_name, state.stack_id, state.status, changes is not None, state.outputs, changes)


def diff(deployment: Deployment, clients: Clients, monitor: StackMonitor) -> StackChanges | None:
    """What `up` would change, or None for nothing. Nothing is executed and no change set is left behind.

    For a stack that exists its new templates are uploaded, as CloudFormation reads them from there.
    """
    with explained(f"comparing {deployment.stack_name}"):
        state = describe_stack(clients.cloudformation, deployment.stack_name)
        if state is None or state.condition in {
            StackCondition.ABSENT,
            StackCondition.IN_REVIEW,
            StackCondition.NEVER_CREATED,
        }:
            return changes_of_creation(deployment.places, deployment.templates)
        if state.condition is not StackCondition.STABLE:
            raise RequestError(
                f"{state.stack_name} is {state.status}: there is nothing to compare with until that is over",
                fix="trainworks up follows a running operation, and says what a stuck one needs",
            )
        if is_unchanged(state, deployed_template(clients.cloudformation, state.stack_id), deployment):
            return None
        upload_assets(
            clients.s3,
            missing_assets(clients.s3, deployment.assets),
            lambda asset: monitor.report(AssetUploaded(asset)),
        )
        change_set = ChangeSet.create(clients, deployment, "UPDATE")
        try:
            changes = review(clients, deployment, change_set, "UPDATE", monitor)
        finally:
            discard(clients, change_set, "UPDATE")
        if changes is None and state.termination_protection != deployment.termination_protection:
            monitor.report(Notice("termination protection would change"))
        return changes


def refuse_wrong_account(clients: Clients, expected: str | None) -> None:
    """Raise `RequestError` when the credentials belong to another account than the environment says."""
    if expected is None:
        return
    with explained("asking whose credentials these are"):
        account_id = clients.account_id
    if account_id != expected:
        raise RequestError(
            f"the credentials belong to account {account_id}, the environment says {expected}",
            fix="choose the right aws_profile for the environment in trainworks.toml",
        )

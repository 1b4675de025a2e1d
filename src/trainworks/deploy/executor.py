"""Executes the steps of a plan, one `match` arm a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from trainworks.deploy import bootstrap, teardown
from trainworks.deploy.assets import upload_assets
from trainworks.deploy.change_sets import ChangeSet
from trainworks.deploy.changes import ChangeSetReader, StackChanges, changes_of_creation
from trainworks.deploy.clients import Clients
from trainworks.deploy.deployment import Deployment
from trainworks.deploy.events import EventStream
from trainworks.deploy.follow import OperationOutcome, StackMonitor, follow
from trainworks.deploy.plan import (
    ApplyChangeSet,
    ContinueRollback,
    CreateToolkit,
    DeleteStack,
    FollowOperation,
    SetTerminationProtection,
    Step,
    UploadAssets,
)
from trainworks.deploy.progress import AssetUploaded, ChangesPlanned, Notice
from trainworks.deploy.stacks import StackCondition, describe_stack, succeeded
from trainworks.errors import RequestError

Approve = Callable[[StackChanges], bool]


@dataclass(frozen=True, slots=True)
class Executor:
    """Carries out the steps of one deployment. `approve` is asked before a change set is executed."""

    clients: Clients
    deployment: Deployment
    monitor: StackMonitor
    approve: Approve

    def execute(self, step: Step) -> StackChanges | None:
        """Carry out one step; `ApplyChangeSet` answers what it changed."""
        match step:
            case FollowOperation():
                self._follow_running(step)
            case DeleteStack():
                self._delete_stack(step)
            case ContinueRollback():
                self._continue_rollback(step)
            case CreateToolkit():
                self._create_toolkit(step)
            case UploadAssets():
                upload_assets(self.clients.s3, step.assets, lambda asset: self.monitor.report(AssetUploaded(asset)))
            case SetTerminationProtection():
                self.clients.cloudformation.update_termination_protection(
                    StackName=self.deployment.stack_name, EnableTerminationProtection=step.enabled
                )
            case ApplyChangeSet():
                return self._apply(step)
        return None

    def _follow_running(self, step: FollowOperation) -> None:
        self._say(f"{self.deployment.stack_name} is {step.status}: following that operation first")
        stream = EventStream.of_running_operation(self.clients.cloudformation, step.stack_id)
        outcome = self._follow(stream)
        if not succeeded(outcome.status):
            raise outcome.error(f"the operation that was in progress ({step.status})")

    def _delete_stack(self, step: DeleteStack) -> None:
        self._say(f"{self.deployment.stack_name}: {step.why}")
        if step.emptying:
            teardown.down(self.deployment.stack_name, self.clients, self.monitor)
            return
        stream = EventStream.at_end(self.clients.cloudformation, step.stack_id)
        self.clients.cloudformation.delete_stack(StackName=step.stack_id)
        outcome = self._follow(stream)
        if outcome.status != "DELETE_COMPLETE":
            raise outcome.error("removing the failed stack")

    def _continue_rollback(self, step: ContinueRollback) -> None:
        self._say(f"{self.deployment.stack_name}: continuing the rollback of the last update")
        stream = EventStream.at_end(self.clients.cloudformation, step.stack_id)
        self.clients.cloudformation.continue_update_rollback(StackName=step.stack_id, ResourcesToSkip=list(step.skip))
        outcome = self._follow(stream)
        if outcome.status != "UPDATE_ROLLBACK_COMPLETE":
            raise outcome.error("continuing the rollback")

    def _create_toolkit(self, step: CreateToolkit) -> None:
        self._say(f"creating the bucket for templates and assets, {step.bucket_name}")
        stream = self._start_toolkit()
        if stream is None:
            return
        outcome = follow(
            self.clients, stream, bootstrap.TOOLKIT_STACK_NAME, self.deployment.places, _silent(self.monitor)
        )
        if outcome.status != "CREATE_COMPLETE":
            raise outcome.error("the bootstrap")

    def _start_toolkit(self) -> EventStream | None:
        """The events of the bootstrap, or of somebody else's that has just begun; None if it is done."""
        client = self.clients.cloudformation
        try:
            created = client.create_stack(
                StackName=bootstrap.TOOLKIT_STACK_NAME, TemplateBody=bootstrap.toolkit_template(), OnFailure="DELETE"
            )
        except client.exceptions.AlreadyExistsException:
            state = describe_stack(client, bootstrap.TOOLKIT_STACK_NAME)
            if state is None or state.condition is not StackCondition.IN_PROGRESS:
                return None
            return EventStream.of_running_operation(client, state.stack_id)
        return EventStream(client, created["StackId"])

    def _apply(self, step: ApplyChangeSet) -> StackChanges | None:
        change_set_type: Literal["CREATE", "UPDATE"] = "CREATE" if step.change_set_type == "CREATE" else "UPDATE"
        change_set = ChangeSet.create(self.clients, self.deployment, change_set_type)
        executed = False
        try:
            changes = review(self.clients, self.deployment, change_set, change_set_type, self.monitor)
            if changes is None:
                return None
            self.monitor.report(ChangesPlanned(changes))
            if not self.approve(changes):
                raise RequestError("the changes were not approved: nothing was changed", fix="trainworks up --yes")
            stream = EventStream.at_end(self.clients.cloudformation, change_set.stack_id)
            change_set.execute()
            executed = True
        finally:
            if not executed:
                discard(self.clients, change_set, change_set_type)
        outcome = self._follow(stream)
        if not succeeded(outcome.status):
            raise outcome.error("the deployment")
        return changes

    def _follow(self, stream: EventStream) -> OperationOutcome:
        return follow(self.clients, stream, self.deployment.stack_name, self.deployment.places, self.monitor)

    def _say(self, text: str) -> None:
        self.monitor.report(Notice(text))


def review(
    clients: Clients, deployment: Deployment, change_set: ChangeSet, change_set_type: str, monitor: StackMonitor
) -> StackChanges | None:
    """Wait for the change set and read what it would change; None if it changes nothing."""
    if not change_set.wait_until_created(monitor):
        return None
    if change_set_type == "CREATE":
        return changes_of_creation(deployment.places, deployment.templates)
    reader = ChangeSetReader(deployment.places, deployment.templates)
    return reader.read(clients.cloudformation, change_set.change_set_id, ())


def discard(clients: Clients, change_set: ChangeSet, change_set_type: str) -> None:
    """Leave no trace of a change set that is not executed: for a creation that is its empty stack, too."""
    change_set.delete()
    if change_set_type == "CREATE":
        clients.cloudformation.delete_stack(StackName=change_set.stack_id)


def _silent(monitor: StackMonitor) -> StackMonitor:
    return StackMonitor(report=lambda progress: None, pacing=monitor.pacing, sleep=monitor.sleep)

"""What is deployed now: stack, nested stacks, outputs, last events, and why the last operation failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trainworks.assembly.places import Places
from trainworks.deploy.causes import Cause, first_cause
from trainworks.deploy.clients import Clients
from trainworks.deploy.events import STACK_TYPE, EventStream, StackEvent
from trainworks.deploy.faults import explained
from trainworks.deploy.follow import OperationOutcome
from trainworks.deploy.stack_paths import StackPaths
from trainworks.deploy.stacks import (
    StackCondition,
    StackState,
    describe_stack,
    list_resources,
    succeeded,
)

_WAYS_OUT = {
    StackCondition.IN_PROGRESS: "trainworks up follows it to its end",
    StackCondition.IN_REVIEW: "trainworks up replaces the empty stack; trainworks down removes it",
    StackCondition.NEVER_CREATED: "correct the cause, then trainworks up: it removes what is left and creates it again",
    StackCondition.BROKEN: "trainworks up --recreate, or trainworks down",
    StackCondition.ROLLBACK_STUCK: "correct the cause, then trainworks up --continue-rollback",
}


@dataclass(frozen=True, slots=True)
class NestedStatus:
    """One nested stack: its construct's name and its status as a resource of the root."""

    name: str
    stack_id: str
    status: str


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One platform. `state` is None if it is not deployed; `cause` is set when the last operation failed."""

    stack_name: str
    state: StackState | None = None
    nested: tuple[NestedStatus, ...] = ()
    last_events: tuple[StackEvent, ...] = ()
    cause: Cause | None = None
    way_out: str = ""
    drift_hint: str = ""

    @property
    def outputs(self) -> Mapping[str, str]:
        return self.state.outputs if self.state else {}


def status(stack_name: str, clients: Clients, *, max_events: int = 8) -> StatusReport:
    """Describe the platform; `max_events` of its last operation are given, the newest last."""
    with explained(f"describing {stack_name}"):
        client = clients.cloudformation
        state = describe_stack(client, stack_name)
        if state is None:
            return StatusReport(stack_name)
        places = Places(stack_name)
        events = EventStream.of_running_operation(client, state.stack_id).poll()
        return StatusReport(
            stack_name=stack_name,
            state=state,
            nested=tuple(
                NestedStatus(places.stack((resource.logical_id,)), resource.physical_id, resource.status)
                for resource in list_resources(client, state.stack_id)
                if resource.resource_type == STACK_TYPE
            ),
            last_events=tuple(events[-max_events:]),
            cause=None if succeeded(state.status) else _cause(state, events, places),
            way_out=_WAYS_OUT.get(state.condition, ""),
            drift_hint=_drift_hint(state),
        )


def _cause(state: StackState, events: list[StackEvent], places: Places) -> Cause | None:
    event = first_cause(events)
    if event is None:
        return None
    stack_paths = StackPaths(state.stack_id)
    stack_paths.learn(events)
    return OperationOutcome(state.stack_name, state.status, tuple(events), places, stack_paths).cause(event)


def _drift_hint(state: StackState) -> str:
    match state.drift_status:
        case "IN_SYNC":
            return ""
        case "DRIFTED":
            return f"changed by hand: aws cloudformation describe-stack-resource-drifts --stack-name {state.stack_name}"
        case _:
            return f"not looked for: aws cloudformation detect-stack-drift --stack-name {state.stack_name}"

"""Follow a stack operation to its end: new events as they come, polling faster while things happen.

CloudFormation works on whether or not anybody watches: Ctrl-C ends only the watching, and so does a lost connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from trainworks.assembly.places import Places
from trainworks.deploy.causes import Cause, failures, first_cause, hint_for
from trainworks.deploy.clients import Clients
from trainworks.deploy.events import EventStream, StackEvent
from trainworks.deploy.faults import is_passing
from trainworks.deploy.progress import Report, ResourceProgress
from trainworks.deploy.stack_paths import StackPaths
from trainworks.deploy.stacks import StackCondition, condition_of, describe_stack, is_missing_stack
from trainworks.errors import DeployError, DeployInterruptedError

_GROWTH = 1.5
_THROTTLE_FACTOR = 4.0
# An endpoint that restarts, or a network that changes, is back within this time.
_MAX_BLIND_SECONDS = 45.0


@dataclass(frozen=True, slots=True)
class Pacing:
    """Seconds between two looks: `first_seconds` after something happened, growing to `longest_seconds` while not."""

    first_seconds: float
    longest_seconds: float

    def longer(self, waited: float) -> float:
        return min(waited * _GROWTH, self.longest_seconds)

    def much_longer(self, waited: float) -> float:
        """After the service refused the rate of requests."""
        return min(waited * 2, self.longest_seconds * _THROTTLE_FACTOR)


LOCAL_PACING = Pacing(0.02, 0.5)
REMOTE_PACING = Pacing(2.0, 5.0)


@dataclass(frozen=True, slots=True)
class StackMonitor:
    """How an operation is followed: `report` gets progress, `pacing` says how often to look, `sleep` waits."""

    report: Report
    pacing: Pacing = REMOTE_PACING
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class OperationOutcome:
    """How an operation ended: the stack's last status and everything that happened on the way."""

    stack_name: str
    status: str
    events: tuple[StackEvent, ...]
    places: Places
    stack_paths: StackPaths = field(repr=False)

    def error(self, doing: str) -> DeployError:
        """The error of a failed operation: its first cause, then what else stands in the way."""
        event = first_cause(self.events)
        if event is None:
            return DeployError(f"{doing} failed: {self.stack_name} is {self.status}", fix="trainworks status")
        cause = self.cause(event)
        blocking = [other for other in failures(self.events) if self.status.endswith("_FAILED") and other != event]
        lines = [f"{doing} failed ({self.stack_name} is {self.status}). First cause:", f"  {cause}"]
        lines += [f"  also: {self.cause(other)}" for other in blocking]
        return DeployError("\n".join(lines), fix=cause.hint)

    def cause(self, event: StackEvent) -> Cause:
        """The event with its construct path and what may help."""
        stack_path = self.stack_paths.stack_path(event.stack_id)
        return Cause(
            place=self.places.stack(stack_path)
            if event.is_stack_itself
            else self.places.resource(stack_path, event.logical_id),
            logical_id=event.logical_id,
            physical_id=event.physical_id,
            resource_type=event.resource_type,
            stack_name=event.stack_name,
            status=event.status,
            reason=event.reason or "the service gave no reason",
            hint=hint_for(event.reason),
        )


def follow(
    clients: Clients, stream: EventStream, stack_name: str, places: Places, monitor: StackMonitor
) -> OperationOutcome:
    """Report every event of the operation until the stack is at rest.

    Raises `DeployInterruptedError` on Ctrl-C: the operation itself goes on.
    """
    follower = _Follower(clients, stream, places, monitor, StackPaths(stream.root_stack_id))
    try:
        status = follower.run()
    except KeyboardInterrupt as interrupt:
        raise DeployInterruptedError(
            f"stopped watching; CloudFormation goes on with {stack_name}",
            fix="run the same command again to follow it to its end; trainworks status shows where it is",
        ) from interrupt
    return OperationOutcome(stack_name, status, tuple(follower.events), places, follower.stack_paths)


@dataclass(slots=True)
class _Follower:
    """The loop of `follow`, with what it has seen so far."""

    clients: Clients
    stream: EventStream
    places: Places
    monitor: StackMonitor
    stack_paths: StackPaths
    events: list[StackEvent] = field(default_factory=list)
    _told: dict[str, str] = field(default_factory=dict)

    def run(self) -> str:
        """Look until the stack is at rest; its last status."""
        pacing = self.monitor.pacing
        wait = pacing.first_seconds
        blind_seconds = 0.0
        while True:
            try:
                new = self._look()
                ended = self._end()
                if ended is not None:
                    # What was written between the last look and the end, in nested stacks above all.
                    self._look()
                    return ended
                wait = pacing.first_seconds if new else pacing.longer(wait)
                blind_seconds = 0.0
            except (ClientError, BotoCoreError) as error:
                if isinstance(error, ClientError) and is_missing_stack(error):
                    return "DELETE_COMPLETE"
                if not is_passing(error) or blind_seconds > _MAX_BLIND_SECONDS:
                    raise
                wait = pacing.much_longer(wait)
                blind_seconds += wait
            self.monitor.sleep(wait)

    def _look(self) -> list[StackEvent]:
        new = self.stream.poll()
        self.stack_paths.learn(new)
        self.events += new
        for event in new:
            progress = self._progress(event)
            # What a nested stack says of itself its parent says, too; "Resource creation Initiated" repeats a status.
            is_said_by_parent = event.is_stack_itself and event.stack_id != self.stream.root_stack_id
            if not is_said_by_parent and self._told.get(progress.place) != progress.status:
                self._told[progress.place] = progress.status
                self.monitor.report(progress)
        return new

    def _end(self) -> str | None:
        """The status that the stack came to rest in, asked for only once its own last event says that it did."""
        own = [event for event in self.events if event.stack_id == self.stream.root_stack_id and event.is_stack_itself]
        if not own or not own[-1].is_over:
            return None
        state = describe_stack(self.clients.cloudformation, self.stream.root_stack_id)
        status = state.status if state else "DELETE_COMPLETE"
        return None if condition_of(status) is StackCondition.IN_PROGRESS else status

    def _progress(self, event: StackEvent) -> ResourceProgress:
        stack_path = self.stack_paths.stack_path(event.stack_id)
        return ResourceProgress(
            timestamp=event.timestamp,
            place=self.places.stack(stack_path)
            if event.is_stack_itself
            else self.places.resource(stack_path, event.logical_id),
            stack=self.places.stack(stack_path),
            logical_id=event.logical_id,
            physical_id=event.physical_id,
            resource_type=event.resource_type,
            status=event.status,
            reason=event.reason,
        )

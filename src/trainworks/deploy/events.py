"""The events of one stack operation, its nested stacks included, each once and in the order of their times.

CloudFormation answers a stack's events newest first, pages of one hundred, and knows nothing of an operation: a stream
therefore starts at a point (`EventStream.at_end`, `EventStream.of_running_operation`) and finds nested stacks in the
events of their parents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

STACK_TYPE = "AWS::CloudFormation::Stack"
_OPERATION_STARTS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS"})


@dataclass(frozen=True, slots=True)
class StackEvent:
    """One entry of `cloudformation:DescribeStackEvents`."""

    event_id: str
    stack_id: str
    stack_name: str
    logical_id: str
    physical_id: str
    resource_type: str
    status: str
    reason: str
    timestamp: datetime

    @property
    def is_stack_itself(self) -> bool:
        """Whether the event is of the stack as a whole and not of one of its resources."""
        return self.resource_type == STACK_TYPE and self.physical_id == self.stack_id

    @property
    def nested_stack_id(self) -> str:
        """The ARN of the nested stack that the event is about, or empty."""
        is_nested = self.resource_type == STACK_TYPE and not self.is_stack_itself
        return self.physical_id if is_nested and self.physical_id.startswith("arn:") else ""

    @property
    def is_over(self) -> bool:
        return not self.status.endswith("_IN_PROGRESS")


def from_api(event: StackEventTypeDef) -> StackEvent:
    return StackEvent(
        event_id=event["EventId"],
        stack_id=event["StackId"],
        stack_name=event["StackName"],
        logical_id=event.get("LogicalResourceId", ""),
        physical_id=event.get("PhysicalResourceId", ""),
        resource_type=event.get("ResourceType", ""),
        status=event.get("ResourceStatus", ""),
        reason=event.get("ResourceStatusReason", ""),
        timestamp=event["Timestamp"],
    )


def merge_events(*batches: Iterable[StackEvent]) -> list[StackEvent]:
    """All events of `batches`, each once, in the order of their times; equal times keep the order they came in."""
    unique = {event.event_id: event for batch in batches for event in batch}
    return sorted(unique.values(), key=lambda event: event.timestamp)


@dataclass(slots=True)
class EventStream:
    """Reads what happened since the last `poll` in a stack and the nested stacks that its operation touches.

    `floor` is the first instant that belongs to the operation; `None` until its first event is seen.
    """

    client: CloudFormationClient
    root_stack_id: str
    seen: set[str] = field(default_factory=set)
    floor: datetime | None = None
    _open: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def at_end(cls, client: CloudFormationClient, stack_id: str) -> EventStream:
        """A stream that leaves out all that happened so far: make it before the operation is started."""
        newest = next(_newest_first(client, stack_id), None)
        return cls(client, stack_id, seen={newest.event_id} if newest else set())

    @classmethod
    def of_running_operation(cls, client: CloudFormationClient, stack_id: str) -> EventStream:
        """A stream from the start of the operation that is under way (or was the last)."""
        seen: set[str] = set()
        floor: datetime | None = None
        for event in _newest_first(client, stack_id):
            if floor is not None:
                seen.add(event.event_id)
                break
            if event.is_stack_itself and event.status in _OPERATION_STARTS:
                floor = event.timestamp
        return cls(client, stack_id, seen=seen, floor=floor)

    def poll(self) -> list[StackEvent]:
        """New events in the order of their times."""
        new = self._read(self.root_stack_id)
        if new and self.floor is None:
            self.floor = new[0].timestamp
        pending = self._nested_to_read(new)
        while pending:
            found = [event for stack_id in pending for event in self._read(stack_id)]
            # A stack that its parent calls finished has no more events: it was read for the last time.
            self._open = {stack_id: still_open for stack_id, still_open in self._open.items() if still_open}
            new = merge_events(found, new)  # at equal times a parent ends after its child
            pending = self._nested_to_read(found) - pending
        return merge_events(new)

    def _nested_to_read(self, events: list[StackEvent]) -> set[str]:
        for event in events:
            if event.nested_stack_id:
                self._open[event.nested_stack_id] = not event.is_over
        return set(self._open)

    def _read(self, stack_id: str) -> list[StackEvent]:
        """The unseen events of one stack, oldest first."""
        new: list[StackEvent] = []
        for event in _newest_first(self.client, stack_id):
            if event.event_id in self.seen or (self.floor is not None and event.timestamp < self.floor):
                break
            new.append(event)
        self.seen.update(event.event_id for event in new)
        return new[::-1]


def _newest_first(client: CloudFormationClient, stack_id: str) -> Iterator[StackEvent]:
    for page in client.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        yield from map(from_api, page["StackEvents"])

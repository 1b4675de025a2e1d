"""A CloudFormation that answers from what a test puts in, in the shapes of `DescribeStackEvents` and its like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from trainworks.deploy.events import STACK_TYPE, StackEvent, from_api

START = datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC)
ROOT_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/platform/root"
NETWORK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/platform-Network/child"


def described(
    event_id: str,
    status: str,
    *,
    logical_id: str = "Bucket",
    resource_type: str = "AWS::S3::Bucket",
    physical_id: str = "",
    stack_id: str = ROOT_ID,
    reason: str = "",
    seconds: float = 0,
) -> dict[str, Any]:
    """One entry as `cloudformation:DescribeStackEvents` gives it."""
    entry: dict[str, Any] = {
        "EventId": event_id,
        "StackId": stack_id,
        "StackName": stack_id.split("/")[1],
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": physical_id,
        "ResourceType": resource_type,
        "ResourceStatus": status,
        "Timestamp": START + timedelta(seconds=seconds),
    }
    return entry | ({"ResourceStatusReason": reason} if reason else {})


def of_stack(event_id: str, status: str, *, stack_id: str = ROOT_ID, reason: str = "", seconds: float = 0) -> Any:
    """An event of a stack as a whole."""
    name = stack_id.split("/")[1]
    return described(
        event_id,
        status,
        logical_id=name,
        resource_type=STACK_TYPE,
        physical_id=stack_id,
        stack_id=stack_id,
        reason=reason,
        seconds=seconds,
    )


def of_nested(event_id: str, status: str, *, reason: str = "", seconds: float = 0, known: bool = True) -> Any:
    """What the root says of its nested stack `Network`."""
    return described(
        event_id,
        status,
        logical_id="Network",
        resource_type=STACK_TYPE,
        physical_id=NETWORK_ID if known else "",
        reason=reason,
        seconds=seconds,
    )


def event(event_id: str, status: str, **more: Any) -> StackEvent:
    return from_api(described(event_id, status, **more))  # type: ignore[arg-type]


def refusal(code: str, message: str, status: int = 400, operation: str = "DescribeStacks") -> ClientError:
    """An error as botocore raises it."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


@dataclass
class FakeCloudFormation:
    """`events` by stack, oldest first; `states` of stacks by ARN; `change_sets` by id."""

    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    change_sets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    resources: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    page_size: int = 2
    events_read: list[str] = field(default_factory=list)

    def get_paginator(self, operation: str) -> _Paginator:
        return _Paginator(getattr(self, f"_{operation}_pages"))

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:
        if StackName not in self.states:
            raise refusal("ValidationError", f"Stack with id {StackName} does not exist")
        return {
            "Stacks": [
                {
                    "StackName": StackName.split("/")[1],
                    "StackId": StackName,
                    "StackStatus": self.states[StackName],
                    "CreationTime": START,
                }
            ]
        }

    def _describe_stack_events_pages(self, *, StackName: str) -> Iterator[dict[str, Any]]:
        if self.failures:
            raise self.failures.pop(0)
        self.events_read.append(StackName)
        newest_first = self.events.get(StackName, [])[::-1]
        for start in range(0, len(newest_first), self.page_size):
            yield {"StackEvents": newest_first[start : start + self.page_size]}

    def _describe_change_set_pages(self, *, ChangeSetName: str) -> Iterator[dict[str, Any]]:
        for change in self.change_sets[ChangeSetName]:
            yield {"Changes": [{"Type": "Resource", "ResourceChange": change}]}

    def _list_stack_resources_pages(self, *, StackName: str) -> Iterator[dict[str, Any]]:
        yield {"StackResourceSummaries": self.resources[StackName]}


@dataclass
class _Paginator:
    pages: Callable[..., Iterator[dict[str, Any]]]

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        return self.pages(**request)

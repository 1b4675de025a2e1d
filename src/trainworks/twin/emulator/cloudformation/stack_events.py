"""Events of stacks: a row each, kept for 90 days, also of stacks that are gone; EventBridge is told a stack's status.

Stock keeps all events of a stack as one row, for ever, and tells nobody. Shape after "Stack Status Change event detail"
(CloudFormation User Guide). Nested stacks are told as their parents are. Changes of resources inside a stack are not
published.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.durable.histories import LAST_NUMBER, Histories, History, OldEntry
from trainworks.twin.emulator.durable.history_lists import Lists

_STACK_TYPE = "AWS::CloudFormation::Stack"
_STORE = "cloudformation._stack_events"
_DAYS = 90
_PAGE = 100


def install(cloudformation: Any, histories: Histories) -> None:
    """CloudFormation was loaded."""
    history = histories.open(_STORE, days=_DAYS)
    _bring_in(cloudformation._stack_events._data, history)
    cloudformation._stack_events = Lists(history, str)
    _read_by_page(cloudformation, cloudformation._stack_events)
    _publish_status()


def _read_by_page(cloudformation: Any, lists: Lists) -> None:
    stock = cloudformation._ACTION_HANDLERS["DescribeStackEvents"]
    helpers = engine.module("services.cloudformation.helpers")
    handlers = engine.module("services.cloudformation.handlers")

    def describe_stack_events(params: dict[str, Any]) -> Any:
        stack = handlers._resolve_stack(helpers._p(params, "StackName"))
        tag, _, number = helpers._p(params, "NextToken").partition(":")
        if stack is None or ((tag or number) and (tag != "DescribeStackEvents" or not number.isdecimal())):
            return stock({**params, "NextToken": ["none"]} if tag or number else params)  # which says what is wrong
        high = min(int(number), LAST_NUMBER) if number else LAST_NUMBER
        page = lists.entries(stack["StackId"]).page(_PAGE + 1, newest_first=True, high=high)
        with lists.showing(stack["StackId"], [event for _, event in reversed(page[:_PAGE])]):
            status, headers, body = stock({name: value for name, value in params.items() if name != "NextToken"})
        if len(page) > _PAGE:
            end = b"</DescribeStackEventsResult>"
            token = f"<NextToken>DescribeStackEvents:{page[_PAGE][0]}</NextToken>".encode()
            body = (body if isinstance(body, bytes) else body.encode()).replace(end, token + end)
        return status, headers, body

    cloudformation._ACTION_HANDLERS["DescribeStackEvents"] = describe_stack_events


def _bring_in(old: Any, history: History) -> None:
    """What an earlier version kept in one row for each stack."""
    entries = [
        OldEntry(stack_id, "", event, datetime.fromisoformat(event["Timestamp"]).timestamp())
        for (_, _, stack_id), events in dict.items(old)
        for event in events
    ]
    if entries:
        history.bring_in(entries, {_STORE: None})
    old.forget()


def _publish_status() -> None:
    """Every event that a stack records about itself is published as well."""
    stacks = engine.module("services.cloudformation.stacks")
    stock = stacks._add_event

    def add_event(  # noqa: PLR0917 - the signature that is called
        stack_id: str,
        stack_name: str,
        logical_id: str,
        resource_type: str,
        status: str,
        reason: str = "",
        physical_id: str = "",
        detailed_status: str = "",
    ) -> None:
        stock(stack_id, stack_name, logical_id, resource_type, status, reason, physical_id, detailed_status)
        if resource_type == _STACK_TYPE and logical_id == stack_name:
            _publish(stack_id, status, reason, stacks.CLIENT_REQUEST_TOKEN.get())

    for name in ("stacks", "handlers", "changesets"):
        engine.module(f"services.cloudformation.{name}")._add_event = add_event


def _publish(stack_id: str, status: str, reason: str, token: str) -> None:
    _, _, region, account, _ = parts_of_arn(stack_id)
    detail: dict[str, Any] = {
        "stack-id": stack_id,
        "status-details": {"status": status, "status-reason": reason or ""},
        "client-request-token": token or "",
    }
    entry = {
        "Source": "aws.cloudformation",
        "DetailType": "CloudFormation Stack Status Change",
        "Detail": json.dumps(detail),
        "Resources": [stack_id],
        "Time": datetime.now(UTC).isoformat(),
    }
    with engine.module("core.responses").request_scope(account, region):
        engine.service("eventbridge")._put_events({"Entries": [entry]}, allow_aws_source=True)

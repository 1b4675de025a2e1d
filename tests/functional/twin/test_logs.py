"""CloudWatch Logs as clients read it."""

from __future__ import annotations

import time
import uuid

import pytest
from botocore.exceptions import ClientError

from trainworks.testing import TestTwin


@pytest.fixture
def group(twin: TestTwin) -> str:
    """A log group with the streams a/1, a/2 and b/1 of three lines each, written in turn."""
    logs, name = twin.client("logs"), f"group-{uuid.uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=name)
    now = int(time.time() * 1000)
    for stream in ("a/1", "a/2", "b/1"):
        logs.create_log_stream(logGroupName=name, logStreamName=stream)
    for number in range(3):
        for offset, stream in enumerate(("a/1", "a/2", "b/1")):
            event = {"timestamp": now + 10 * number + offset, "message": f"{stream} line {number}"}
            logs.put_log_events(logGroupName=name, logStreamName=stream, logEvents=[event])
    return name


def test_filter_log_events_keeps_to_the_stream_prefix(twin: TestTwin, group: str) -> None:
    found = twin.client("logs").filter_log_events(logGroupName=group, logStreamNamePrefix="a/")["events"]
    assert [each["message"] for each in found] == [f"a/{n} line {line}" for line in range(3) for n in (1, 2)]
    assert {each["logStreamName"] for each in found} == {"a/1", "a/2"}
    assert twin.client("logs").filter_log_events(logGroupName=group, logStreamNamePrefix="c")["events"] == []


def test_filter_log_events_gives_every_event_once_page_by_page(twin: TestTwin, group: str) -> None:
    pages = list(
        twin.client("logs").get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern="line", PaginationConfig={"PageSize": 4}
        )
    )  # fmt: skip
    assert [len(page["events"]) for page in pages] == [4, 4, 1]
    assert len({event["eventId"] for page in pages for event in page["events"]}) == 9


def test_filter_log_events_refuses_names_with_a_prefix(twin: TestTwin, group: str) -> None:
    with pytest.raises(ClientError, match="InvalidParameterException"):
        twin.client("logs").filter_log_events(logGroupName=group, logStreamNames=["a/1"], logStreamNamePrefix="b")

"""CloudWatch Logs as clients use it."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import time
import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.patience import PATIENCE_SECONDS

from trainworks.testing import TestTwin

HOUR_MS = 3_600_000
ACCOUNT = "000000000000"


def now_ms() -> int:
    return int(time.time() * 1000)


@pytest.fixture
def logs(twin: TestTwin) -> Any:
    return twin.client("logs")


@pytest.fixture
def name(logs: Any) -> str:
    """An empty log group with the stream `s`."""
    name = f"group-{uuid.uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    return name


@pytest.fixture
def group(logs: Any) -> str:
    """A log group with the streams a/1, a/2 and b/1 of three lines each, written in turn."""
    name = f"group-{uuid.uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=name)
    now = now_ms()
    for stream in ("a/1", "a/2", "b/1"):
        logs.create_log_stream(logGroupName=name, logStreamName=stream)
    for number in range(3):
        for offset, stream in enumerate(("a/1", "a/2", "b/1")):
            event = {"timestamp": now + 10 * number + offset, "message": f"{stream} line {number}"}
            logs.put_log_events(logGroupName=name, logStreamName=stream, logEvents=[event])
    return name


def put(logs: Any, group: str, *events: tuple[int, str]) -> Any:
    shaped = [{"timestamp": at, "message": message} for at, message in events]
    return logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=shaped)


def messages(answer: Any) -> list[str]:
    return [event["message"] for event in answer["events"]]


def until(right: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := right()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
    return found


def test_filter_log_events_keeps_to_the_stream_prefix(logs: Any, group: str) -> None:
    found = logs.filter_log_events(logGroupName=group, logStreamNamePrefix="a/")["events"]
    assert [each["message"] for each in found] == [f"a/{n} line {line}" for line in range(3) for n in (1, 2)]
    assert {each["logStreamName"] for each in found} == {"a/1", "a/2"}
    assert logs.filter_log_events(logGroupName=group, logStreamNamePrefix="c")["events"] == []
    assert len(logs.filter_log_events(logGroupName=group, logStreamNames=["b/1"])["events"]) == 3


def test_filter_log_events_gives_every_event_once_page_by_page(logs: Any, group: str) -> None:
    pages = list(
        logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern="line", PaginationConfig={"PageSize": 4}
        )
    )  # fmt: skip
    assert [len(page["events"]) for page in pages] == [4, 4, 1]
    assert len({event["eventId"] for page in pages for event in page["events"]}) == 9


def test_filter_log_events_refuses_names_with_a_prefix(logs: Any, group: str) -> None:
    with pytest.raises(ClientError, match="InvalidParameterException"):
        logs.filter_log_events(logGroupName=group, logStreamNames=["a/1"], logStreamNamePrefix="b")


def test_events_are_read_in_both_directions_whatever_order_the_batches_came_in(logs: Any, name: str) -> None:
    chance, start = random.Random(7), now_ms() - 10 * HOUR_MS
    times = [start + chance.randrange(200) * 1000 for _ in range(600)]
    expected: list[tuple[int, int]] = []
    number = 0
    while number < len(times):
        batch = sorted(times[number : number + chance.randrange(1, 40)])
        put(logs, name, *((at, f"m{number + place}") for place, at in enumerate(batch)))
        expected += [(at, number + place) for place, at in enumerate(batch)]
        number += len(batch)
    expected.sort()
    reading = {"logGroupName": name, "logStreamName": "s", "limit": 70}
    for from_head, token in ((True, "nextForwardToken"), (False, "nextBackwardToken")):
        read: list[str] = []
        page = logs.get_log_events(**reading, startFromHead=from_head)
        while True:
            read = [*read, *messages(page)] if from_head else [*messages(page), *read]
            following = logs.get_log_events(**reading, nextToken=page[token])
            if following[token] == page[token]:
                assert following["events"] == []
                break
            page = following
        assert read == [f"m{number}" for _, number in expected]
    turned = logs.get_log_events(**reading, nextToken=page["nextForwardToken"])
    assert messages(turned) == [f"m{number}" for _, number in expected[40:110]]


def test_batches_are_checked_as_logs_checks_them(logs: Any, name: str) -> None:
    now = now_ms()
    with pytest.raises(ClientError, match="chronological order"):
        put(logs, name, (now, "b"), (now - 1, "a"))
    with pytest.raises(ClientError, match="cannot span more than 24 hours"):
        put(logs, name, (now - 25 * HOUR_MS, "a"), (now, "b"))
    with pytest.raises(ClientError, match=r"Upload too large: 1048577 bytes exceeds limit of 1048576"):
        put(logs, name, (now, "x" * (1_048_576 - 25)))
    with pytest.raises(ClientError, match="10000"):
        put(logs, name, *[(now, "x")] * 10_001)
    put(logs, name, (now, "x" * (1_048_576 - 26)))
    answer = put(logs, name, (now - 15 * 24 * HOUR_MS, "old"), (now, "good"), (now + 3 * HOUR_MS, "new"))
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}
    logs.put_retention_policy(logGroupName=name, retentionInDays=1)
    answer = put(logs, name, (now - 30 * HOUR_MS, "expired"), (now, "kept"))
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    read = logs.get_log_events(logGroupName=name, logStreamName="s", startFromHead=True, startTime=now)
    assert {message[:5] for message in messages(read)} == {"xxxxx"}  # one page is a megabyte
    rest = logs.get_log_events(logGroupName=name, logStreamName="s", nextToken=read["nextForwardToken"])
    assert messages(rest) == ["good", "kept"]


@pytest.mark.parametrize("bad", ["aws/x", "a b", "é", "x" * 513, "a:b"])
def test_reserved_and_bad_group_names_are_refused(logs: Any, bad: str) -> None:
    with pytest.raises(ClientError, match="InvalidParameterException"):
        logs.create_log_group(logGroupName=bad)


def test_every_operation_takes_a_group_by_its_arn(logs: Any, group: str) -> None:
    arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}"
    assert len(logs.describe_log_streams(logGroupIdentifier=arn)["logStreams"]) == 3
    assert len(logs.filter_log_events(logGroupIdentifier=arn)["events"]) == 9
    assert len(logs.get_log_events(logGroupIdentifier=arn, logStreamName="a/1")["events"]) == 3
    with pytest.raises(ClientError, match="Exactly one of logGroupName and logGroupIdentifier"):
        logs.describe_log_streams(logGroupIdentifier=arn, logGroupName=group)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.describe_log_streams(logGroupIdentifier=arn + "x")


def test_streams_are_listed_by_name_and_by_time_in_pages(logs: Any, group: str) -> None:
    def listed(**more: Any) -> list[str]:
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=group, PaginationConfig={"PageSize": 2}, **more
        )
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]

    put_at = {"logGroupName": group, "logStreamName": "a/1"}
    logs.put_log_events(**put_at, logEvents=[{"timestamp": now_ms() + HOUR_MS, "message": "last"}])
    assert listed() == ["a/1", "a/2", "b/1"]
    assert listed(descending=True) == ["b/1", "a/2", "a/1"]
    assert listed(orderBy="LastEventTime") == ["a/2", "b/1", "a/1"]
    assert listed(orderBy="LastEventTime", descending=True) == ["a/1", "b/1", "a/2"]
    assert listed(logStreamNamePrefix="a/") == ["a/1", "a/2"]
    with pytest.raises(ClientError, match="InvalidParameterException"):
        listed(orderBy="LastEventTime", logStreamNamePrefix="a/")
    with pytest.raises(ClientError, match="InvalidParameterException"):
        listed(orderBy="Sideways")


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("", "abcdefg"),
        ("ERROR", "ab"),
        ('ERROR "disk full"', "a"),
        ("?WARN ?INFO", "c"),
        ("ERROR -disk", "b"),
        ("%fail(ed|ure)%", "b"),
        ("{ $.code = 4* }", "d"),
        ("{ $.code >= 400 && ($.user.name = \"ann\" || $.list[1] = 7) }", "d"),
        ("{ $.user NOT EXISTS }", "e"),
        ("{ $.ok IS TRUE }", "e"),
        ("{ $.gone IS NULL }", "e"),
        ("{ $.user.name != bob }", "d"),
        ("[ip, user, ..., status = 5*, bytes > 10]", "g"),
        ("[ip, user, time, request, status, bytes]", "fg"),
    ],
)  # fmt: skip
def test_filter_patterns(logs: Any, pattern: str, matching: str) -> None:
    lines = {
        "a": "ERROR disk full on /data",
        "b": "ERROR job failed",
        "c": "WARN slow",
        "d": '{"code": 404, "user": {"name": "ann"}, "list": [1, 7]}',
        "e": '{"code": 200, "ok": true, "gone": null}',
        "f": '10.0.0.1 ann [10/Oct/2026:13:55:36] "GET /a b" 200 5',
        "g": '10.0.0.2 bob [10/Oct/2026:13:55:37] "GET /c" 503 2048',
    }
    found = logs.test_metric_filter(filterPattern=pattern or " ", logEventMessages=list(lines.values()))["matches"]
    assert "".join(list(lines)[each["eventNumber"] - 1] for each in found) == matching


@pytest.mark.parametrize("pattern", ["a:b", '"open', "{ $.a = }", "{ a = 1 }", "[a, b", "%(?=x)%", "{ $.a ~ 1 }"])
def test_bad_filter_patterns_are_refused(logs: Any, group: str, pattern: str) -> None:
    with pytest.raises(ClientError, match="InvalidParameterException"):
        logs.filter_log_events(logGroupName=group, filterPattern=pattern)


def test_a_pattern_takes_no_long_time_over_any_message(logs: Any, name: str) -> None:
    put(logs, name, (now_ms(), "a" * 500_000), (now_ms(), "[ " * 200_000))
    # What takes long for a text takes for ever for these: the client gives up.
    for pattern in ("%(a+)+$b%", "[x, y]", "{ $.a = a*a*a*a*a*a*b }"):
        assert logs.filter_log_events(logGroupName=name, filterPattern=pattern)["events"] == []


def test_metric_filters_make_metric_data(twin: TestTwin, logs: Any, name: str) -> None:
    transformation = {
        "metricName": "latency",
        "metricNamespace": name,
        "metricValue": "$.ms",
        "dimensions": {"Route": "$.route"},
    }
    logs.put_metric_filter(
        logGroupName=name, filterName="f", filterPattern="{ $.ms > 0 }", metricTransformations=[transformation]
    )
    assert logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]["metricFilterCount"] == 1
    put(logs, name, (now_ms(), '{"ms": 20, "route": "/a"}'), (now_ms(), '{"ms": "NaN"}'), (now_ms(), "{}"))
    statistics = until(
        lambda: twin.client("cloudwatch").get_metric_statistics(
            Namespace=name,
            MetricName="latency",
            Dimensions=[{"Name": "Route", "Value": "/a"}],
            StartTime=time.time() - 300,
            EndTime=time.time() + 300,
            Period=60,
            Statistics=["Sum", "SampleCount"],
        )["Datapoints"]
    )
    assert [(point["Sum"], point["SampleCount"]) for point in statistics] == [(20.0, 1.0)]


def test_queries_are_executed_and_what_is_not_is_refused_by_name(logs: Any, name: str) -> None:
    now = now_ms()
    lines = [f'{{"level": "{"ERROR" if n % 3 == 0 else "INFO"}", "ms": {n}, "path": "/p{n % 2}"}}' for n in range(30)]
    put(logs, name, *((now - 30 + number, line) for number, line in enumerate(lines)))

    def rows(query: str) -> list[dict[str, str]]:
        started = logs.start_query(
            logGroupName=name, startTime=now // 1000 - 60, endTime=now // 1000 + 60, queryString=query
        )
        answer = until(
            lambda: (found := logs.get_query_results(queryId=started["queryId"]))["status"] != "Running" and found
        )
        assert answer["status"] == "Complete"
        return [{cell["field"]: cell["value"] for cell in row if cell["field"] != "@ptr"} for row in answer["results"]]

    assert rows('filter level = "ERROR" and ms >= 20 | fields ms | sort ms desc') == [
        {"ms": "27"}, {"ms": "24"}, {"ms": "21"}
    ]  # fmt: skip
    assert rows("stats count(*) as n, max(ms) by path | sort path") == [
        {"path": "/p0", "n": "15", "max(ms)": "28"}, {"path": "/p1", "n": "15", "max(ms)": "29"}
    ]  # fmt: skip
    (binned,) = rows("stats count(*) as n by bin(1w) as week")
    assert binned["n"] == "30"
    assert binned["week"].endswith("00:00:00.000")
    assert rows("fields ms | limit 2") == [{"ms": "29"}, {"ms": "28"}]
    assert len(rows("filter @message like /p(0|1)/ and not (level in [\"INFO\"])")) == 10  # fmt: skip
    assert rows('parse @message "\\"ms\\": *," as took | filter took = 7 | fields took') == [{"took": "7"}]
    for query, word in (("fields upper(level)", "upper"), ("dedup level", "dedup"), ("stats pct(ms, 9)", "pct")):
        with pytest.raises(ClientError, match=f"MalformedQueryException.*{word}"):
            rows(query)


def test_a_pointer_leads_to_its_record(logs: Any, group: str) -> None:
    event = logs.filter_log_events(logGroupName=group)["events"][4]
    record = logs.get_log_record(logRecordPointer=event["eventId"])["logRecord"]
    assert (record["@message"], record["@logStream"]) == (event["message"], event["logStreamName"])


def test_tags_by_both_apis_retention_and_protection(logs: Any, name: str) -> None:
    arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}"
    logs.tag_log_group(logGroupName=name, tags={"a": "1"})
    logs.tag_resource(resourceArn=arn, tags={"b": "2"})
    logs.untag_log_group(logGroupName=name, tags=["a"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    assert logs.list_tags_log_group(logGroupName=name)["tags"] == {"b": "2"}
    with pytest.raises(ClientError, match=r"aws:x"):
        logs.tag_log_group(logGroupName=name, tags={"aws:x": "1"})
    with pytest.raises(ClientError, match="retentionInDays"):
        logs.put_retention_policy(logGroupName=name, retentionInDays=2)
    logs.put_log_group_deletion_protection(logGroupIdentifier=name, deletionProtectionEnabled=True)
    with pytest.raises(ClientError, match="protected against deletion"):
        logs.delete_log_group(logGroupName=name)
    logs.put_log_group_deletion_protection(logGroupIdentifier=name, deletionProtectionEnabled=False)
    logs.delete_log_group(logGroupName=name)
    assert logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"] == []
    logs.create_log_group(logGroupName=name)
    assert logs.filter_log_events(logGroupName=name)["events"] == []


def test_groups_come_page_by_page_in_order(logs: Any) -> None:
    prefix = f"paged-{uuid.uuid4().hex[:8]}"
    for number in range(7):
        logs.create_log_group(logGroupName=f"{prefix}/{number}")
    pages = list(
        logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix, PaginationConfig={"PageSize": 3})
    )
    names = [each["logGroupName"] for page in pages for each in page["logGroups"]]
    assert [len(page["logGroups"]) for page in pages] == [3, 3, 1]
    assert all(earlier < later for earlier, later in pairwise(names))


HUGE, HALF = 2**63 - 1, "\ud800"
HOSTILE: list[tuple[str, dict[str, Any]]] = [
    *(
        ("get_log_events", {"logStreamName": "s", "nextToken": token})
        for token in ("f/1", f"f/{10**21}/1", f"f/1/{10**19}", "x", "b/-1/-1", "f/" + "9" * 5000 + "/1", "f/a/b")
    ),
    *(
        (operation, {"nextToken": place})
        for place in (["x"], [2**70, 1, 1], [None] * 3, [[], [], []], [], [1, {}, 2])
        for operation in ("filter_log_events", "describe_log_streams", "describe_metric_filters")
    ),
    ("get_log_events", {"logStreamName": "s", "startTime": HUGE, "endTime": HUGE}),
    ("filter_log_events", {"startTime": HUGE, "endTime": HUGE}),
    ("get_log_group_fields", {"time": HUGE}),
    ("start_query", {"startTime": 0, "endTime": HUGE, "queryString": "fields @message"}),
    ("start_query", {"startTime": 0, "endTime": 1, "queryString": "filter " + "(" * 4000 + "a=1" + ")" * 4000}),
    *(
        ("filter_log_events", {"filterPattern": pattern})
        for pattern in (
            "{" + "(" * 500 + "$.a=1" + ")" * 500 + "}",
            f'"{HALF}"',
            f"%{HALF}%",
            f'{{ $.a = "{HALF}*" }}',
            "%x%",
            '{ $.a = "x*" }',
            "[a, b = x*]",
        )
    ),
    ("put_log_events", {"logStreamName": "s", "logEvents": [{"timestamp": 2**80, "message": "x"}]}),
]


@pytest.mark.parametrize(("operation", "more"), HOSTILE, ids=range(len(HOSTILE)))
def test_no_input_makes_an_error_of_the_server(twin: TestTwin, name: str, operation: str, more: dict[str, Any]) -> None:
    client = twin.client("logs", parameter_validation=False, retries={"max_attempts": 0})
    put(client, name, (now_ms(), f"half {HALF} \0"), (now_ms(), '{"a": "' + HALF + '"}'))
    if isinstance(more.get("nextToken"), list):
        more = {"nextToken": forged(operation, {"logGroupName": name}, more["nextToken"])}
    try:
        getattr(client, operation)(logGroupName=name, **more)
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert len(client.filter_log_events(logGroupName=name)["events"]) == 2


def forged(operation: str, params: dict[str, Any], place: list[Any]) -> str:
    """A token of the right form whose place nobody gave."""
    camel = "".join(part.title() for part in operation.split("_"))
    asked = hashlib.sha256(json.dumps([camel, params], sort_keys=True).encode()).hexdigest()[:16]
    return base64.urlsafe_b64encode(json.dumps([asked, *place]).encode()).decode()


def test_what_was_acknowledged_is_there_once_after_kills(own_twin: TestTwin) -> None:
    logs, place = own_twin.client("logs"), {"logGroupName": "/kept", "logStreamName": "s"}
    logs.create_log_group(logGroupName="/kept")
    logs.create_log_stream(logGroupName="/kept", logStreamName="s")
    for number in range(4):
        put(logs, "/kept", *((now_ms(), f"{number}/{line}") for line in range(500)))
        if number % 2:
            own_twin.kill()
            own_twin.start()
            logs = own_twin.client("logs")
    read, page = [], logs.get_log_events(**place, startFromHead=True)
    while page["events"]:
        read += messages(page)
        page = logs.get_log_events(**place, nextToken=page["nextForwardToken"])
    assert read == [f"{number}/{line}" for number in range(4) for line in range(500)]


def test_a_stack_keeps_groups_streams_and_filters(twin: TestTwin, logs: Any) -> None:
    stack, client = f"logs-{uuid.uuid4().hex[:8]}", twin.client("cloudformation")

    def template(days: int, pattern: str) -> str:
        transformation = {"MetricName": "m", "MetricNamespace": stack, "MetricValue": "1", "DefaultValue": 0}
        metric_filter = {
            "LogGroupName": {"Ref": "Group"},
            "FilterPattern": pattern,
            "MetricTransformations": [transformation],
        }
        resources = {
            "Group": ("AWS::Logs::LogGroup", {"LogGroupName": f"/{stack}", "RetentionInDays": days}),
            "Named": ("AWS::Logs::LogGroup", {"Tags": [{"Key": "a", "Value": "b"}]}),
            "Stream": ("AWS::Logs::LogStream", {"LogGroupName": {"Ref": "Group"}}),
            "Filter": ("AWS::Logs::MetricFilter", metric_filter),
        }
        shaped = {name: {"Type": kind, "Properties": properties} for name, (kind, properties) in resources.items()}
        outputs = {"Arn": {"Value": {"Fn::GetAtt": ["Group", "Arn"]}}, "Name": {"Value": {"Ref": "Named"}}}
        return json.dumps({"Resources": shaped, "Outputs": outputs})

    def wait(event: str) -> None:
        client.get_waiter(event).wait(StackName=stack, WaiterConfig={"Delay": 0.2, "MaxAttempts": 150})

    client.create_stack(StackName=stack, TemplateBody=template(7, "ERROR"))
    wait("stack_create_complete")
    described = client.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in described}
    assert outputs["Arn"] == f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/{stack}:*"
    assert outputs["Name"].startswith(stack)
    assert logs.list_tags_log_group(logGroupName=outputs["Name"])["tags"]["a"] == "b"
    client.update_stack(StackName=stack, TemplateBody=template(14, "WARN"))
    wait("stack_update_complete")
    (group,) = logs.describe_log_groups(logGroupNamePrefix=f"/{stack}")["logGroups"]
    assert group["retentionInDays"] == 14
    (found,) = logs.describe_metric_filters(logGroupName=f"/{stack}")["metricFilters"]
    assert (found["filterPattern"], found["metricTransformations"][0]["defaultValue"]) == ("WARN", 0.0)
    assert len(logs.describe_log_streams(logGroupName=f"/{stack}")["logStreams"]) == 1
    client.delete_stack(StackName=stack)
    wait("stack_delete_complete")
    assert logs.describe_log_groups(logGroupNamePrefix=f"/{stack}")["logGroups"] == []


def test_subscriptions_to_what_is_not_delivered_to_are_refused(logs: Any, name: str) -> None:
    with pytest.raises(ClientError, match="Lambda functions only"):
        logs.put_subscription_filter(
            logGroupName=name,
            filterName="f",
            filterPattern="",
            destinationArn=f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s",
        )
    with pytest.raises(ClientError, match="NotImplemented"):
        logs.create_export_task(logGroupName=name, fromTime=0, to=1, destination="b")

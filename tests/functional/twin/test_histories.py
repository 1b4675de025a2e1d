"""What has happened is on disk entry by entry, has an end, is read by page, and is there after a kill."""

from __future__ import annotations

import json
import pickle
import secrets
import sqlite3
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.functional.twin.iam import allow, role
from tests.functional.twin.test_queues import all_of, bodies, counts, make
from tests.patience import until

from trainworks.testing import TestTwin

ALARM = {
    "MetricName": "m",
    "Namespace": "histories",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
    "Statistic": "Sum",
}


def flip(client: Any, name: str, times: int) -> None:
    for number in range(times):
        client.set_alarm_state(AlarmName=name, StateValue=("ALARM", "OK")[number % 2], StateReason=str(number))


def reasons(client: Any, name: str, **more: Any) -> list[str]:
    """What was said of an alarm, in pages of seven, without what its own evaluation says."""
    pages = client.get_paginator("describe_alarm_history").paginate(
        AlarmName=name, PaginationConfig={"PageSize": 7}, **more
    )
    found = [json.loads(item["HistoryData"])["newState"] for page in pages for item in page["AlarmHistoryItems"]]
    return [each["stateReason"] for each in found if each["stateReason"].isdigit()]


def test_alarm_history_is_paged_both_ways_while_it_grows(twin: TestTwin) -> None:
    client, name, other = twin.client("cloudwatch"), f"a-{secrets.token_hex(4)}", f"b-{secrets.token_hex(4)}"
    for each in (name, other):
        client.put_metric_alarm(AlarmName=each, **ALARM)
    flip(client, other, 5)
    flip(client, name, 20)
    assert reasons(client, name) == [str(number) for number in reversed(range(20))]
    assert reasons(client, name, ScanBy="TimestampAscending") == [str(number) for number in range(20)]
    first = client.describe_alarm_history(AlarmName=name, MaxRecords=5)
    flip(client, name, 3)
    second = client.describe_alarm_history(AlarmName=name, MaxRecords=5, NextToken=first["NextToken"])
    seen = [(each["Timestamp"], each["HistoryData"]) for each in first["AlarmHistoryItems"]]
    assert not any((each["Timestamp"], each["HistoryData"]) in seen for each in second["AlarmHistoryItems"])
    client.delete_alarms(AlarmNames=[name])
    assert len(reasons(client, name)) == 23
    assert client.describe_alarm_history(AlarmName=name, HistoryItemType="Action")["AlarmHistoryItems"] == []
    composite = client.describe_alarm_history(AlarmName=name, AlarmTypes=["CompositeAlarm"])
    assert composite["AlarmHistoryItems"] == []
    later = client.describe_alarm_history(AlarmName=name, StartDate=datetime(2200, 1, 1, tzinfo=UTC))
    assert later["AlarmHistoryItems"] == []
    with pytest.raises(client.exceptions.InvalidNextToken):
        client.describe_alarm_history(AlarmName=name, NextToken="no token")


def test_a_parameter_keeps_a_hundred_versions_and_those_with_labels_stay(twin: TestTwin) -> None:
    client, name = twin.client("ssm"), f"/histories/{secrets.token_hex(4)}"
    for number in range(1, 101):
        client.put_parameter(Name=name, Value=f"v{number}", Type="String", Overwrite=True)
    first = client.get_parameter_history(Name=name, MaxResults=40)
    assert client.put_parameter(Name=name, Value="v101", Overwrite=True)["Version"] == 101
    more = client.get_parameter_history(Name=name, MaxResults=50, NextToken=first["NextToken"])
    assert [each["Version"] for each in more["Parameters"]] == list(range(41, 91))
    pages = client.get_paginator("get_parameter_history").paginate(Name=name, PaginationConfig={"PageSize": 50})
    found = [(each["Version"], each["Value"]) for page in pages for each in page["Parameters"]]
    assert found == [(number, f"v{number}") for number in range(2, 102)]
    with pytest.raises(client.exceptions.ParameterVersionNotFound):
        client.get_parameter(Name=f"{name}:1")
    assert client.get_parameter(Name=f"{name}:2")["Parameter"]["Value"] == "v2"
    answer = client.label_parameter_version(Name=name, ParameterVersion=2, Labels=["live", "aws-x", "2nd"])
    assert answer["InvalidLabels"] == ["aws-x", "2nd"]
    with pytest.raises(client.exceptions.ParameterMaxVersionLimitExceeded, match="Version 2, the oldest version"):
        client.put_parameter(Name=name, Value="v102", Overwrite=True)
    assert client.get_parameter(Name=name)["Parameter"]["Version"] == 101
    client.label_parameter_version(Name=name, Labels=["live"])
    assert client.get_parameter(Name=f"{name}:live")["Parameter"]["Version"] == 101
    with pytest.raises(client.exceptions.ParameterVersionLabelLimitExceeded):
        client.label_parameter_version(Name=name, Labels=[f"l{number}" for number in range(10)])
    assert client.put_parameter(Name=name, Value="v102", Overwrite=True)["Version"] == 102
    with pytest.raises(client.exceptions.InvalidNextToken):
        client.get_parameter_history(Name=name, NextToken="no token")
    client.delete_parameter(Name=name)
    assert client.put_parameter(Name=name, Value="again", Type="String")["Version"] == 1
    assert len(client.get_parameter_history(Name=name)["Parameters"]) == 1


def topics(count: int) -> str:
    return json.dumps({"Resources": {f"T{number}": {"Type": "AWS::SNS::Topic"} for number in range(count)}})


def events(client: Any, stack: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack)
    return [event for page in pages for event in page["StackEvents"]]


def test_histories_outlive_a_kill_and_what_is_too_old_goes(own_twin: TestTwin) -> None:
    stacks = own_twin.client("cloudformation")
    stack = stacks.create_stack(StackName="many", TemplateBody=topics(60))["StackId"]

    def status() -> str:
        return str(own_twin.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])

    until(lambda: status() == "CREATE_COMPLETE", "the stack")
    before = events(stacks, stack)
    assert len(before) == len({event["EventId"] for event in before}) == 122
    assert (before[0]["ResourceStatus"], before[-1]["ResourceStatusReason"]) == ("CREATE_COMPLETE", "User Initiated")
    alarms, parameters = own_twin.client("cloudwatch"), own_twin.client("ssm")
    alarms.put_metric_alarm(AlarmName="a", **ALARM)
    flip(alarms, "a", 9)
    for number in range(3):
        parameters.put_parameter(Name="p", Value=str(number), Type="String", Overwrite=True)
    parameters.label_parameter_version(Name="p", ParameterVersion=2, Labels=["middle"])
    own_twin.kill()
    own_twin.start()
    assert events(own_twin.client("cloudformation"), stack) == before
    assert reasons(own_twin.client("cloudwatch"), "a") == [str(number) for number in reversed(range(9))]
    parameters = own_twin.client("ssm")
    assert parameters.get_parameter(Name="p:middle")["Parameter"]["Value"] == "1"
    stacks = own_twin.client("cloudformation")
    stacks.delete_stack(StackName="many")
    until(lambda: status() == "DELETE_COMPLETE", "the deletion")
    assert len(events(stacks, stack)) > len(before)
    parameters.delete_parameter(Name="p")
    own_twin.kill()
    own_twin.start()
    assert own_twin.client("ssm").put_parameter(Name="p", Value="again", Type="String")["Version"] == 1
    assert len(own_twin.client("ssm").get_parameter_history(Name="p")["Parameters"]) == 1


PASSES = {f"S{number}": {"Type": "Pass", "Next": f"S{number + 1}"} for number in range(10)}


def machine(twin: TestTwin, name: str, states: dict[str, Any], start_at: str) -> str:
    definition = json.dumps({"StartAt": start_at, "States": states})
    trusted = role(twin, {"Service": "states.amazonaws.com"})
    created = twin.client("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=trusted)
    return str(created["stateMachineArn"])


def execution_events(twin: TestTwin, execution: str, size: int, **more: Any) -> list[dict[str, Any]]:
    """In pages of a size, the last one of which alone may be shorter."""
    pages = (
        twin.client("stepfunctions")
        .get_paginator("get_execution_history")
        .paginate(executionArn=execution, PaginationConfig={"PageSize": size}, **more)
    )
    found = [page["events"] for page in pages]
    assert {len(page) for page in found[:-1]} <= {size}
    return [event for page in found for event in page]


def test_what_happened_in_an_execution_is_paged_both_ways_while_it_runs(twin: TestTwin) -> None:
    states = twin.client("stepfunctions")
    waits = {**PASSES, "S10": {"Type": "Wait", "Seconds": 3600, "End": True}}
    arn = machine(twin, f"m-{secrets.token_hex(4)}", waits, "S0")
    execution = states.start_execution(stateMachineArn=arn, input='{"a": 1}')["executionArn"]
    until(lambda: len(execution_events(twin, execution, 1000)) == 22, "the last state")
    whole = execution_events(twin, execution, 1000)
    assert [event["id"] for event in whole] == list(range(1, 23))
    assert (whole[0]["type"], whole[-1]["type"]) == ("ExecutionStarted", "WaitStateEntered")
    for size in (1, 7, 21, 22):
        assert execution_events(twin, execution, size) == whole
        assert execution_events(twin, execution, size, reverseOrder=True) == whole[::-1]
    first = {"executionArn": execution, "maxResults": 5}
    ahead, back = (states.get_execution_history(**first, reverseOrder=each)["nextToken"] for each in (False, True))
    states.stop_execution(executionArn=execution)
    rest = states.get_execution_history(**first, nextToken=ahead)
    assert rest["events"] == whole[5:10]
    rest = states.get_execution_history(**first, reverseOrder=True, nextToken=back)
    assert rest["events"] == whole[16:11:-1]
    assert execution_events(twin, execution, 5)[-1]["type"] == "ExecutionAborted"
    bare = execution_events(twin, execution, 5, includeExecutionData=False)
    assert all("input" not in event.get("stateEnteredEventDetails", {}) for event in bare)
    assert bare[1]["stateEnteredEventDetails"]["name"] == "S0"
    assert execution_events(twin, execution, 5)[1]["stateEnteredEventDetails"]["input"] == '{"a": 1}'
    other = states.start_execution(stateMachineArn=arn)["executionArn"]
    for asked in (
        {**first, "nextToken": "no token"}, {**first, "nextToken": "WzEsIDIsIDNd"}, {**first, "nextToken": back},
        {**first, "nextToken": ahead, "maxResults": 6}, {**first, "executionArn": other, "nextToken": ahead},
    ):  # fmt: skip
        with pytest.raises(states.exceptions.InvalidToken):
            states.get_execution_history(**asked)
    with pytest.raises(states.exceptions.ExecutionDoesNotExist):
        states.get_execution_history(executionArn=f"{execution}x")
    states.delete_state_machine(stateMachineArn=arn)


def test_what_happened_in_executions_outlives_a_kill_and_goes_with_them(own_twin: TestTwin) -> None:
    states = own_twin.client("stepfunctions")
    passing = machine(own_twin, "passing", {**PASSES, "S10": {"Type": "Succeed"}}, "S0")
    waiting = machine(own_twin, "waiting", {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}, "W")
    done = [states.start_execution(stateMachineArn=passing)["executionArn"] for _ in range(3)]
    runs = states.start_execution(stateMachineArn=waiting, name="runs")["executionArn"]
    for each in done:
        until(lambda each=each: execution_events(own_twin, each, 100)[-1]["type"] == "ExecutionSucceeded", "an end")
    until(lambda: len(execution_events(own_twin, runs, 100)) == 2, "the wait")
    before = [execution_events(own_twin, each, 100) for each in done]

    def rows() -> int:
        with sqlite3.connect(own_twin.home.emulator_db) as connection:
            statement = "SELECT COUNT(*) FROM emulator_histories WHERE name = 'stepfunctions.events'"
            return int(connection.execute(statement).fetchone()[0])

    until(lambda: rows() == sum(map(len, before)) + 2, "rows of all events")
    started = states.start_execution(stateMachineArn=waiting)["executionArn"]
    own_twin.kill()
    own_twin.start()
    assert [execution_events(own_twin, each, 7) for each in done] == before
    for each in (runs, started):
        found = execution_events(own_twin, each, 100)
        assert [event["id"] for event in found] == list(range(1, len(found) + 1))
        assert (found[0]["type"], found[-1]["type"]) == ("ExecutionStarted", "ExecutionFailed")
    states = own_twin.client("stepfunctions")
    kept = rows()
    again = states.start_execution(stateMachineArn=waiting)["executionArn"]
    until(lambda: len(execution_events(own_twin, again, 100)) == 2, "the wait")
    states.delete_state_machine(stateMachineArn=passing)
    states.delete_state_machine(stateMachineArn=waiting)
    assert rows() == 0 < kept
    for each in (*done, runs, started, again):
        with pytest.raises(states.exceptions.ExecutionDoesNotExist):
            states.get_execution_history(executionArn=each)


def test_an_archive_replays_a_span_of_time_after_a_kill_and_what_ran_then_has_failed(own_twin: TestTwin) -> None:
    client = own_twin.client("events")
    bus = client.describe_event_bus(Name="default")["Arn"]
    archive = client.create_archive(ArchiveName="kept", EventSourceArn=bus, RetentionDays=3)["ArchiveArn"]
    begin = int(time.time()) - 1000
    for first in range(0, 30, 10):
        entries = [
            {"Source": "kept", "DetailType": "d", "Detail": json.dumps({"n": number}), "Time": begin + number}
            for number in range(first, first + 10)
        ]
        assert client.put_events(Entries=entries)["FailedEntryCount"] == 0
    own_twin.kill()
    own_twin.start()
    client, (url, queue) = own_twin.client("events"), make(own_twin, "replayed")
    assert client.describe_archive(ArchiveName="kept")["EventCount"] == 30
    client.put_rule(Name="replayed", EventPattern=json.dumps({"source": ["kept"]}))
    sender = role(own_twin, {"Service": "events.amazonaws.com"}, allow("sqs:SendMessage"))
    client.put_targets(Rule="replayed", Targets=[{"Id": "queue", "Arn": queue, "RoleArn": sender}])
    span = {"EventStartTime": begin + 5, "EventEndTime": begin + 24}
    client.start_replay(ReplayName="r", EventSourceArn=archive, Destination={"Arn": bus}, **span)
    until(lambda: client.describe_replay(ReplayName="r")["State"] == "COMPLETED", "the replay")
    until(lambda: counts(own_twin, url)[0] == 20, "the events of the span")
    found = [json.loads(body) for body in bodies(list(all_of(own_twin, url)))]
    assert sorted(event["detail"]["n"] for event in found) == list(range(5, 25))
    assert {event["replay-name"] for event in found} == {"r"}
    for refused, code in (
        ({"ReplayName": "r"}, "ResourceAlreadyExistsException"),
        ({"EventSourceArn": f"{archive}x"}, "ResourceNotFoundException"),
        ({"Destination": {"Arn": f"{bus}x"}}, "ValidationException"),
    ):
        asked = {"ReplayName": "n", "EventSourceArn": archive, "Destination": {"Arn": bus}, **span, **refused}
        with pytest.raises(ClientError, match=code):
            client.start_replay(**asked)
    own_twin.kill()
    with sqlite3.connect(own_twin.home.emulator_db) as connection:
        (value,) = connection.execute("SELECT value FROM emulator_rows WHERE store = 'eventbridge._replays'").fetchone()
        key, replay = pickle.loads(value)
        value = pickle.dumps((key, replay | {"State": "RUNNING"}))
        connection.execute("UPDATE emulator_rows SET value = ? WHERE store = 'eventbridge._replays'", (value,))
    own_twin.start()
    assert own_twin.client("events").describe_replay(ReplayName="r")["State"] == "FAILED"


def test_what_an_earlier_version_kept_in_one_row_is_taken_over_whole(own_twin: TestTwin) -> None:
    stack = own_twin.client("cloudformation").create_stack(StackName="old", TemplateBody=topics(2))["StackId"]
    own_twin.client("cloudformation").get_waiter("stack_create_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 1}
    )
    parameters = own_twin.client("ssm")
    parameters.put_parameter(Name="/old/p", Value="x", Type="String")
    own_twin.client("cloudwatch").put_metric_alarm(AlarmName="old", **ALARM)
    account, region = stack.split(":")[4], stack.split(":")[3]
    own_twin.kill()
    stamp = datetime.fromtimestamp(time.time() - 60, UTC)
    event = {
        "StackId": stack,
        "StackName": "old",
        "LogicalResourceId": "old",
        "PhysicalResourceId": stack,
        "ResourceType": "AWS::CloudFormation::Stack",
        "ResourceStatusReason": "",
        "ResourceStatus": "CREATE_COMPLETE",
        "Timestamp": stamp.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
    }
    item = {
        "AlarmName": "old",
        "Timestamp": stamp.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "HistoryItemType": "StateUpdate",
        "HistorySummary": "Alarm updated",
    }
    version = {
        "Name": "/old/p",
        "Type": "String",
        "LastModifiedDate": stamp.timestamp(),
        "Description": "",
        "KeyId": "",
    }
    rows = {
        "cloudformation._stack_events": (stack, [event | {"EventId": f"e{number}"} for number in range(250)]),
        "cloudwatch._alarm_history": (
            "entries",
            [item | {"HistoryData": json.dumps({"newState": {"stateReason": str(n)}})} for n in range(90)],
        ),
        "ssm._parameter_history": (
            "/old/p",
            [version | {"Version": n, "Value": f"v{n}", "OriginalValue": f"v{n}", "Labels": []} for n in range(1, 131)],
        ),
    }
    with sqlite3.connect(own_twin.home.emulator_db) as connection:
        connection.execute("DELETE FROM emulator_histories")
        for store, (key, value) in rows.items():
            full = (account, region, key)
            connection.execute(
                "INSERT INTO emulator_rows VALUES (?, ?, ?)", (store, repr(full), pickle.dumps((full, value)))
            )
    for _ in range(2):
        own_twin.start()
        found = events(own_twin.client("cloudformation"), stack)
        assert [each["EventId"] for each in found] == [f"e{number}" for number in reversed(range(250))]
        assert reasons(own_twin.client("cloudwatch"), "old") == [str(number) for number in reversed(range(90))]
        parameters = own_twin.client("ssm")
        pages = parameters.get_paginator("get_parameter_history").paginate(Name="/old/p")
        assert [each["Version"] for page in pages for each in page["Parameters"]] == list(range(31, 131))
        own_twin.kill()
    with sqlite3.connect(own_twin.home.emulator_db) as connection:
        left = connection.execute(
            f"SELECT COUNT(*) FROM emulator_rows WHERE store IN ({', '.join('?' * len(rows))})", tuple(rows)
        ).fetchone()
    assert left == (0,)

"""Events on disk: appends of any order, what they follow, what is removed, and what an earlier version left."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.twin.services.fakes import CALLER, FakeControlPlane
from trainworks.twin.emulator.logs import old_logs
from trainworks.twin.ports import OutputLines
from trainworks.twin.services.logs.reading import END_OF_TIME, EventPosition
from trainworks.twin.services.logs.service import LogsService
from trainworks.twin.services.logs.sweep import Sweep
from trainworks.twin.store import Database

START = EventPosition(0, -1)


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[LogsService]:
    service = LogsService(Database(tmp_path / "logs.db"), FakeControlPlane(), clock=lambda: 1_000_000.0)
    yield service
    service.close()


def rows(service: LogsService, group: str, stream: str) -> tuple[Any, Any]:
    found = service.store.group((CALLER.account_id, CALLER.region), group)
    assert found is not None
    return found, service.store.stream(found, stream)


Batches = st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=6).map(sorted), max_size=8)


@settings(max_examples=40, deadline=None)
@given(batches=Batches, page=st.integers(1, 5))
def test_events_come_in_order_of_time_and_then_of_arrival(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]], page: int
) -> None:
    service = LogsService(Database(tmp_path_factory.mktemp("logs") / "logs.db"), FakeControlPlane())
    service.create_group(CALLER, "g")
    group = service.store.group((CALLER.account_id, CALLER.region), "g")
    assert group is not None
    service.store.create_stream(group, "s")
    expected: list[tuple[int, int]] = []
    for batch in batches:
        stream = service.store.stream(group, "s")
        assert stream is not None
        service.store.put_events(group, stream, [(at, str(len(expected) + place)) for place, at in enumerate(batch)])
        expected += [(at, len(expected) + place) for place, at in enumerate(batch)]
    expected.sort()
    _, stream = rows(service, "g", "s")
    reader, identity = service.store.reader, stream["stream_id"]
    read: list[tuple[int, int]] = []
    while part := reader.forward(identity, EventPosition(*read[-1]) if read else START, 0, END_OF_TIME, page):
        read += [(event.timestamp, event.number) for event in part]
    assert read == expected
    back: list[tuple[int, int]] = []
    while part := reader.backward(
        identity, EventPosition(*back[0]) if back else EventPosition(99, 0), 0, END_OF_TIME, page
    ):
        back = [(event.timestamp, event.number) for event in part] + back
    assert back == expected
    merged = [(found.timestamp, found.event.number) for found in reader.of_group(rows(service, "g", "s")[0], 5, 15)]
    assert merged == [each for each in expected if 5 <= each[0] <= 15]
    assert [event.message for event in reader.forward(identity, START, 0, END_OF_TIME)] == [str(n) for _, n in expected]
    service.close()


def output(lines: bytes, offset: int, group: str = "g", stream: str = "s") -> OutputLines:
    return OutputLines("t", CALLER, group, stream, lines, lines.count(b"\n") + 1, offset)


def test_the_same_output_twice_is_there_once(logs: LogsService) -> None:
    for _ in range(2):
        assert logs.put_output([output(b"a\n\nb", 5), output(b"x", 2, stream="other")]) == {}
    assert logs.output_offset(CALLER, "g", "s") == 5
    _, stream = rows(logs, "g", "s")
    read = logs.store.reader.forward(stream["stream_id"], START, 0, END_OF_TIME)
    assert [event.message for event in read] == ["a", " ", "b"]


def test_one_task_that_may_not_write_fails_no_other(logs: LogsService) -> None:
    arn = f"arn:aws:logs:{CALLER.region}:{CALLER.account_id}:log-group:no"
    logs._control_plane.denied.append(("logs:CreateLogGroup", arn))  # type: ignore[attr-defined]
    refused = logs.put_output([OutputLines("bad", CALLER, "no", "s", b"x", 1, 2), output(b"fine", 5)])
    assert list(refused) == ["bad"]
    assert logs.output_offset(CALLER, "g", "s") == 5
    assert not logs.group_exists(CALLER, "no")
    reserved = logs.put_output([OutputLines("odd", CALLER, "aws/x", "s", b"x", 1, 2)])
    assert reserved["odd"].code == "InvalidParameterException"


def test_what_was_deleted_or_is_too_old_is_removed_from_disk(logs: LogsService) -> None:
    day = 86_400_000
    now = logs.store.now_ms()
    for name in ("gone", "old"):
        logs.put_log_events(None, name, "s", [(now - 5 * day, "before"), (now - 1, "now")])
        logs.put_log_events(None, name, "s", [(now, "last")])
    group, _ = rows(logs, "old", "s")
    logs.store.change_group(group, "set_retention", 1)
    logs.store.put_events(group, rows(logs, "old", "s")[1], [(now - 5 * day, "late")])
    logs.store.delete_group(rows(logs, "gone", "s")[0])
    Sweep(logs.store).sweep()
    blocks = logs.store.database.read("SELECT count(*) AS n FROM log_block")[0]["n"]
    assert blocks == 2  # the first block of "old" has an event of now
    assert logs.store.database.read("SELECT * FROM log_dead_stream") == []


def test_a_home_of_an_earlier_version_is_taken_over_once(tmp_path: Path, logs: LogsService) -> None:
    database = Database(tmp_path / "emulator.db", old_logs.EARLIER_SCHEMA)
    database.apply("CREATE TABLE emulator_rows (store TEXT, key TEXT, value BLOB, PRIMARY KEY (store, key));")
    key = (CALLER.account_id, CALLER.region, "/old")
    record = {"tags": {"a": "b"}, "retentionInDays": 3653, "streams": {}, "subscriptionFilters": {}}
    metric = {"filterName": "f", "logGroupName": "/old", "filterPattern": "x", "metricTransformations": []}
    with database.transaction() as tx:
        put = "INSERT INTO emulator_rows VALUES (?, ?, ?)"
        tx.execute(put, ("cloudwatch_logs._log_groups", repr(key), pickle.dumps((key, record))))
        owner = (*key[:2], ("/old", "f"))
        tx.execute(put, ("cloudwatch_logs._metric_filters", repr(owner), pickle.dumps((owner, metric))))
        named = (*key[:2], "p")
        kept = {"policyName": "p", "policyDocument": "{}", "lastUpdatedTime": 1, "revisionId": "r"}
        tx.execute(put, ("cloudwatch_logs._resource_policies", repr(named), pickle.dumps((named, kept))))
        tx.execute("INSERT INTO log_streams VALUES (?, 's', ?)", (repr(key), pickle.dumps({})))
        for position in range(3):
            row = (repr(key), "s", position, 100 - position, 100, "e", f"line {position}")
            tx.execute("INSERT INTO log_events VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    logs.take_over(old_logs.groups(database))
    logs.take_over(old_logs.groups(database))  # killed before it was forgotten
    logs.take_over_policies(old_logs.policies(database))
    old_logs.forget(database)
    (policy,) = logs.endpoint.invoke("DescribeResourcePolicies", {}, CALLER)["resourcePolicies"]  # type: ignore[misc]
    assert policy["policyName"] == "p"
    assert list(old_logs.groups(database)) == []
    group, stream = rows(logs, "/old", "s")
    read = logs.store.reader.forward(stream["stream_id"], START, 0, END_OF_TIME)
    assert [event.message for event in read] == ["line 2", "line 1", "line 0"]
    assert (group["retention_days"], group["has_filters"], group["tags"]) == (3653, 1, '{"a": "b"}')
    database.close()


def test_a_million_lines_cost_nothing_to_open(tmp_path: Path) -> None:
    service = LogsService(Database(tmp_path / "logs.db"), FakeControlPlane())
    block = b"\n".join([b"x" * 20] * 10_000)
    for number in range(100):
        service.put_output([OutputLines("t", CALLER, "g", "s", block, 10_000, number + 1)])
    service.close()
    started = time.thread_time()
    service = LogsService(Database(tmp_path / "logs.db"), FakeControlPlane())
    group, stream = rows(service, "g", "s")
    tail = service.store.reader.backward(stream["stream_id"], EventPosition(END_OF_TIME, 0), 0, END_OF_TIME, 10)
    assert time.thread_time() - started < 1.0
    assert [event.number for event in tail] == list(range(999_990, 1_000_000))
    assert group["stored_bytes"] == 20_000_000
    service.close()

"""Homes of earlier versions are read and rewritten: there what grows in a record was in the record's own row."""

from __future__ import annotations

import json
import pickle
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from tests.functional.twin.iam import allow, role
from tests.functional.twin.test_queues import all_of, bodies, counts, delete, make, receive, send, stored
from tests.patience import until

from trainworks.testing import TestTwin
from trainworks.twin import lifecycle

SEND = allow("sqs:SendMessage")


def as_an_earlier_version(twin: TestTwin) -> None:
    """Write queues and tables of a stopped twin as they were before messages and items had rows: all in one."""
    with sqlite3.connect(twin.home.emulator_db) as connection:

        def rows(store: str) -> dict[Any, Any]:
            found = connection.execute("SELECT value FROM emulator_rows WHERE store = ?", (store,))
            pairs = dict(pickle.loads(value) for (value,) in found)
            return {key: pairs[key] for key in sorted(pairs, key=lambda each: (isinstance(each, str), each))}

        def write(store: str, key: Any, record: Any) -> None:
            value = pickle.dumps((key, record), protocol=5)
            statement = "UPDATE emulator_rows SET value = ? WHERE store = ? AND key = ?"
            connection.execute(statement, (value, store, repr(key)))

        for key, queue in rows("sqs._queues").items():
            name = queue.pop("id")
            queue |= {
                "messages": list(rows(f"sqs.messages/{name}").values()),
                "dedup_cache": rows(f"sqs.recent/{name}"),
            }
            write("sqs._queues", key, queue)
        for key, table in rows("dynamodb._tables").items():
            for (partition, sort), item in rows(f"dynamodb.items/{table['TableId']}").items():
                table["items"].setdefault(partition, {})[sort] = item
            write("dynamodb._tables", key, table)
        for key, record in rows("dynamodb._stream_records").items():
            write("dynamodb._stream_records", key, list(rows(f"dynamodb.changes/{record['id']}").values()))
        connection.execute("DELETE FROM emulator_rows WHERE store LIKE '%/%'")
        for store, (member, kind) in HISTORIES.items():
            for key, record in rows(store).items():
                write(store, key, {**record, member: entries_of(connection, kind, record[member]["id"])})
            connection.execute("DELETE FROM emulator_histories WHERE name = ?", (kind,))
    connection.close()


HISTORIES = {
    "eventbridge._archives": ("Events", "eventbridge.archived"),
    "stepfunctions._executions": ("events", "stepfunctions.events"),
}
"""Members of records that are histories, by the records' store."""


def entries_of(connection: sqlite3.Connection, kind: str, owner: str) -> list[Any]:
    statement = "SELECT value FROM emulator_histories WHERE name = ? AND owner = ? ORDER BY number"
    return [pickle.loads(value) for (value,) in connection.execute(statement, (kind, owner))]


def as_the_version_before(twin: TestTwin) -> None:
    """Write histories of records of a stopped twin as rows of lists, and one whose record went as it was killed."""
    with sqlite3.connect(twin.home.emulator_db) as connection:
        for kind in (kind for _, kind in HISTORIES.values()):
            owners = connection.execute("SELECT DISTINCT owner FROM emulator_histories WHERE name = ?", (kind,))
            for owner in [*(owner for (owner,) in owners.fetchall()), "gone"]:
                for number, entry in enumerate(entries_of(connection, kind, owner) or [{}]):
                    row = (f"{kind}/{owner}", repr(number), pickle.dumps((number, entry)))
                    connection.execute("INSERT INTO emulator_rows VALUES (?, ?, ?)", row)
            connection.execute("DELETE FROM emulator_histories WHERE name = ?", (kind,))
    connection.close()


def histories(twin: TestTwin, kind: str) -> int:
    """How many entries all histories of a kind have."""
    with sqlite3.connect(twin.home.emulator_db) as connection:
        statement = "SELECT COUNT(*) FROM emulator_histories WHERE name = ?"
        return int(connection.execute(statement, (kind,)).fetchone()[0])


def test_the_home_of_an_earlier_version_is_read_and_written_anew(own_twin: TestTwin) -> None:
    twin, sqs, tables = own_twin, own_twin.client("sqs"), own_twin.client("dynamodb")
    url, _ = make(twin, "old")
    send(twin, url, *(f"m{number}" for number in range(12)))
    taken = receive(twin, url, 2)
    ordered, _ = make(twin, "old.fifo")
    send(twin, ordered, "f0", "f1", "f2", group="g")
    tables.create_table(
        TableName="old", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    for number in range(3):
        tables.put_item(TableName="old", Item={"id": {"S": str(number)}})
    lifecycle.stop(twin.home)
    as_an_earlier_version(twin)
    assert stored(twin, "sqs.messages/") == 0
    twin.start()
    # The first to come only reads.
    assert len(sqs.list_queues()["QueueUrls"]) == 2
    assert tables.describe_table(TableName="old")["Table"]["ItemCount"] == 3
    assert (stored(twin, "sqs.messages/"), stored(twin, "sqs.recent/"), stored(twin, "dynamodb.items/")) == (15, 3, 3)
    twin.kill()
    twin.start()
    assert counts(twin, url) == (10, 2, 0)
    delete(twin, url, *taken)
    assert bodies(list(all_of(twin, url))) == [f"m{number}" for number in range(2, 12)]
    send(twin, ordered, "f1", "f3", group="g")  # f1 was seen
    assert bodies(receive(twin, ordered)) == ["f0", "f1", "f2", "f3"]
    assert len(tables.scan(TableName="old")["Items"]) == 3


@pytest.mark.parametrize("earlier", [as_an_earlier_version, as_the_version_before])
def test_lists_of_an_earlier_version_are_read_and_written_anew(
    own_twin: TestTwin, earlier: Callable[[TestTwin], None]
) -> None:
    twin, events, states = own_twin, own_twin.client("events"), own_twin.client("stepfunctions")
    tables = own_twin.client("dynamodb")
    tables.create_table(
        TableName="old", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )  # fmt: skip
    for number in range(12):
        tables.put_item(TableName="old", Item={"id": {"S": str(number)}})
    bus = events.describe_event_bus(Name="default")["Arn"]
    events.create_archive(ArchiveName="old", EventSourceArn=bus, EventPattern=json.dumps({"source": ["mine"]}))
    events.put_events(Entries=[{"Source": "mine", "DetailType": "d", "Detail": "{}"}] * 10)
    assert "Events" not in events.describe_archive(ArchiveName="old")
    passing = {f"S{number}": {"Type": "Pass", "Next": f"S{number + 1}"} for number in range(8)}
    machine = states.create_state_machine(
        name="old", definition=json.dumps({"StartAt": "S0", "States": {**passing, "S8": {"Type": "Succeed"}}}),
        roleArn=role(twin, {"Service": "states.amazonaws.com"}),
    )["stateMachineArn"]  # fmt: skip
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    until(lambda: states.describe_execution(executionArn=execution)["status"] == "SUCCEEDED", "an execution")

    def history() -> list[str]:
        return [each["type"] for each in states.get_execution_history(executionArn=execution)["events"]]

    def kept() -> tuple[int, int, int]:
        return (
            stored(twin, "dynamodb.changes/"), histories(twin, "eventbridge.archived"),
            histories(twin, "stepfunctions.events"),
        )  # fmt: skip

    before = history()
    wanted = (12, 10, len(before))
    until(lambda: kept() == wanted, "rows of all entries")
    lifecycle.stop(twin.home)
    earlier(twin)
    assert kept()[1:] == (0, 0)
    twin.start()
    assert history() == before
    assert events.describe_archive(ArchiveName="old")["EventCount"] == 10
    assert tables.scan(TableName="old")["Count"] == 12
    until(lambda: kept() == wanted, "rows of all entries of the earlier version")
    assert (stored(twin, "stepfunctions.events/"), stored(twin, "eventbridge.archived/")) == (0, 0)
    twin.kill()
    twin.start()
    assert history() == before
    url, arn = make(twin, "replayed")
    target = {"Id": "queue", "Arn": arn, "RoleArn": role(twin, {"Service": "events.amazonaws.com"}, SEND)}
    events.put_rule(Name="replayed", EventPattern=json.dumps({"source": ["mine"]}))
    events.put_targets(Rule="replayed", Targets=[target])
    archive = events.describe_archive(ArchiveName="old")["ArchiveArn"]
    events.start_replay(
        ReplayName="old", EventSourceArn=archive, Destination={"Arn": bus}, EventStartTime=0, EventEndTime=4_000_000_000
    )
    until(lambda: counts(twin, url) == (10, 0, 0), "ten events again")
    tables.delete_table(TableName="old")
    events.delete_archive(ArchiveName="old")
    assert kept() == (0, 0, len(before))

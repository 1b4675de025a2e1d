"""What the emulator writes again grows with what changed, not with what is stored; and what changed is on disk."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError
from tests.patience import until

from trainworks.testing import TestTwin

MANY = 2500


def make_table(twin: TestTwin, name: str, **more: Any) -> Any:
    client = twin.client("dynamodb")
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )
    return client


def item(partition: str, number: int, text: str = "") -> dict[str, Any]:
    return {"id": {"S": partition}, "n": {"N": str(number)}, "text": {"S": text}}


def put_many(client: Any, table: str, count: int) -> None:
    for start in range(0, count, 25):
        puts = [{"PutRequest": {"Item": item(f"p{n % 50}", n, "x" * 200)}} for n in range(start, start + 25)]
        client.batch_write_item(RequestItems={table: puts})


def scan(twin: TestTwin, table: str) -> dict[tuple[str, str], str]:
    pages = twin.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    return {(each["id"]["S"], each["n"]["N"]): each["text"]["S"] for page in pages for each in page["Items"]}


def seconds(twin: TestTwin, call: Callable[[], object], times: int = 80) -> float:
    """What some calls cost the server of its processor: other work on the machine does not count."""
    server = psutil.Process(twin.server.pid)
    before = sum(server.cpu_times()[:2])
    for _ in range(times):
        call()
    return float(sum(server.cpu_times()[:2]) - before)


def written(twin: TestTwin, call: Callable[[], object], times: int = 80) -> int:
    """How many bytes some calls have the server write, to its databases and to its clients."""
    server = psutil.Process(twin.server.pid)
    before = server.io_counters().write_chars
    for _ in range(times):
        call()
    return int(server.io_counters().write_chars - before)


# What a database writes now and then whatever was changed, when it takes its log into its file.
NOW_AND_THEN = 10_000_000


def test_items_are_rows_and_a_change_costs_the_same_in_a_large_table(own_twin: TestTwin) -> None:
    client = make_table(own_twin, "large")
    make_table(own_twin, "small")
    put_many(client, "large", MANY)
    small = written(own_twin, lambda: client.put_item(TableName="small", Item=item("p1", 1, "new")))
    large = written(own_twin, lambda: client.put_item(TableName="large", Item=item("p1", 1, "new")))
    assert large < 3 * small + NOW_AND_THEN
    client.delete_item(TableName="large", Key={"id": {"S": "p2"}, "n": {"N": "2"}})
    client.update_item(
        TableName="large",
        Key={"id": {"S": "p3"}, "n": {"N": "3"}},
        UpdateExpression="SET #t = :t",
        ExpressionAttributeNames={"#t": "text"},
        ExpressionAttributeValues={":t": {"S": "updated"}},
    )
    puts = [{"Put": {"TableName": "large", "Item": item("p", -1, "never")}}]
    check = {
        "ConditionCheck": {
            "TableName": "large",
            "Key": {"id": {"S": "p"}, "n": {"N": "-2"}},
            "ConditionExpression": "attribute_exists(id)",
        }
    }
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(TransactItems=[*puts, check])
    before = scan(own_twin, "large")
    assert (len(before), before["p1", "1"], before["p3", "3"]) == (MANY - 1, "new", "updated")
    own_twin.kill()
    own_twin.start()
    assert scan(own_twin, "large") == before
    own_twin.client("dynamodb").delete_table(TableName="large")
    make_table(own_twin, "large")
    assert scan(own_twin, "large") == {}
    own_twin.kill()
    own_twin.start()
    assert scan(own_twin, "large") == {}
    assert stored_items(own_twin) == 1


def stored_items(twin: TestTwin) -> int:
    with sqlite3.connect(twin.home.emulator_db) as connection:
        found = connection.execute("SELECT COUNT(*) FROM emulator_rows WHERE store LIKE 'dynamodb.items/%'").fetchone()
    return int(found[0])


def test_a_message_costs_the_same_in_a_long_queue(own_twin: TestTwin) -> None:
    client = own_twin.client("sqs")

    def through(url: str) -> None:
        client.send_message(
            QueueUrl=url, MessageBody="m", MessageGroupId="g", MessageDeduplicationId=secrets.token_hex()
        )
        (message,) = client.receive_message(QueueUrl=url, VisibilityTimeout=900)["Messages"]
        client.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=60)
        client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    short = client.create_queue(QueueName="short.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    long = client.create_queue(QueueName="long.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for start in range(0, MANY, 10):
        entries = [
            {"Id": str(n), "MessageBody": "x" * 200, "MessageGroupId": str(n), "MessageDeduplicationId": f"{start + n}"}
            for n in range(10)
        ]
        client.send_message_batch(QueueUrl=long, Entries=entries)
    few = written(own_twin, lambda: through(short), 20)
    many = written(own_twin, lambda: through(long), 20)
    assert many < 3 * few + NOW_AND_THEN
    with sqlite3.connect(own_twin.home.emulator_db) as connection:
        statement = "SELECT COUNT(*) FROM emulator_rows WHERE store LIKE 'sqs.messages/%'"
        assert connection.execute(statement).fetchone() == (MANY,)


def test_a_change_costs_the_same_after_many_in_a_stream_and_in_an_archive(own_twin: TestTwin) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    tables, events = make_table(own_twin, "streamed", StreamSpecification=stream), own_twin.client("events")
    bus = events.describe_event_bus(Name="default")["Arn"]
    events.create_archive(ArchiveName="all", EventSourceArn=bus)
    entry = {"Source": "flat", "DetailType": "d", "Detail": json.dumps({"text": "x" * 200})}

    def change() -> None:
        tables.put_item(TableName="streamed", Item=item("p", 1, secrets.token_hex()))
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    few = written(own_twin, change, 40)
    put_many(tables, "streamed", MANY)
    for _ in range(0, MANY, 10):
        events.put_events(Entries=[entry] * 10)
    many = written(own_twin, change, 40)
    assert many < 3 * few + NOW_AND_THEN
    with sqlite3.connect(own_twin.home.emulator_db) as connection:
        for rows in ("rows WHERE store LIKE 'dynamodb.changes/%'", "histories WHERE name = 'eventbridge.archived'"):
            assert connection.execute(f"SELECT COUNT(*) FROM emulator_{rows}").fetchone() == (MANY + 80,)


def test_events_leave_nothing_that_is_written_again(twin: TestTwin) -> None:
    def put() -> None:
        entry = {"Source": "flat", "DetailType": "d", "Detail": json.dumps({"text": "x" * 1000})}
        assert twin.client("events").put_events(Entries=[entry] * 10)["FailedEntryCount"] == 0

    def rows() -> dict[str, int]:
        with sqlite3.connect(twin.home.emulator_db) as connection:
            found = connection.execute("SELECT store, SUM(LENGTH(value)) FROM emulator_rows GROUP BY store").fetchall()
        return {store: size for store, size in found if store.startswith("eventbridge.")}

    put()
    before = rows()
    for _ in range(20):
        put()
    assert sum(rows().values()) < sum(before.values()) + 20_000


def test_a_stack_costs_the_same_after_many_that_are_gone(own_twin: TestTwin) -> None:
    """And what is asked by a stack's ARN is on disk, as what is asked by its name."""
    client = own_twin.client("cloudformation")
    body = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})

    def at_rest(name: str) -> bool:
        try:
            status = str(client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        except ClientError:
            return True
        return not status.endswith("_IN_PROGRESS")

    def cycle(name: str) -> None:
        client.create_stack(StackName=name, TemplateBody=body)
        until(lambda: at_rest(name), name)
        client.delete_stack(StackName=name)
        until(lambda: at_rest(name), name)

    cycle("warm")
    few = seconds(own_twin, lambda: cycle(f"few-{secrets.token_hex(4)}"), 40)
    for number in range(160):
        cycle(f"past-{number}")
    many = seconds(own_twin, lambda: cycle(f"many-{secrets.token_hex(4)}"), 40)
    assert many < 2 * few

    arn = client.create_stack(StackName="kept", TemplateBody=body)["StackId"]
    until(lambda: at_rest("kept"), "kept")
    client.update_termination_protection(StackName=arn, EnableTerminationProtection=True)
    own_twin.kill()
    own_twin.start()
    assert client.describe_stacks(StackName="kept")["Stacks"][0]["EnableTerminationProtection"]

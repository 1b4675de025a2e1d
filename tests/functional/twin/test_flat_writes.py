"""What the emulator writes again grows with what changed, not with what is stored; and what changed is on disk."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

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


def seconds(call: Callable[[], object], times: int = 40) -> float:
    """The median of some calls: other work on the machine reaches single ones."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def test_items_are_rows_and_a_change_costs_the_same_in_a_large_table(own_twin: TestTwin) -> None:
    client = make_table(own_twin, "large")
    make_table(own_twin, "small")
    put_many(client, "large", MANY)
    large = seconds(lambda: client.put_item(TableName="large", Item=item("p1", 1, "new")))
    small = seconds(lambda: client.put_item(TableName="small", Item=item("p1", 1, "new")))
    assert large < 3 * small
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

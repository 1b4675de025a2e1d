"""Rows: which are noted, which are written, what a full disk does, and that all of it comes back."""

from __future__ import annotations

import asyncio
import functools
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from trainworks.errors import HomeVersionError
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.durable.change_tracking import EVERY_ROW, ChangeTracker, TouchedDict
from trainworks.twin.emulator.durable.durability import Persistence
from trainworks.twin.emulator.durable.writing import RowSnapshot
from trainworks.twin.emulator.loop import StateLoop
from trainworks.twin.home import Home
from trainworks.twin.ports import ApiError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def persistence(home: Home) -> Iterator[Persistence]:
    opened = Persistence(home, StateLoop())
    yield opened
    opened.close()


def service(name: str = "shop") -> ModuleType:
    """A module with two stores of ministack's kind, as a service has."""
    responses = engine.module("core.responses")
    module: Any = ModuleType(name)
    module._orders = responses.AccountScopedDict()
    module._shelves = responses.AccountRegionScopedDict()
    return module


def settle(persistence: Persistence) -> None:
    asyncio.run(persistence.settle())


def rows(home: Home) -> dict[str, Any]:
    """What another process would read from the disk now."""
    import sqlite3

    with sqlite3.connect(home.emulator_db) as connection:
        found = connection.execute("SELECT store, value FROM emulator_rows").fetchall()
    return {f"{store}:{pickle.loads(value)[0][-1]}": pickle.loads(value)[1] for store, value in found}


def test_a_change_in_place_of_a_row_that_was_read_is_written(home: Home, persistence: Persistence) -> None:
    shop: Any = service()
    persistence.adopt("shop", shop)
    shop._orders["a"] = {"items": 1}
    settle(persistence)
    assert rows(home) == {"shop._orders:a": {"items": 1}}
    shop._orders["a"]["items"] = 2
    settle(persistence)
    assert rows(home) == {"shop._orders:a": {"items": 2}}
    del shop._orders["a"]
    settle(persistence)
    assert rows(home) == {}


def test_walks_that_change_rows_are_noticed(home: Home, persistence: Persistence) -> None:
    shop: Any = service()
    persistence.adopt("shop", shop)
    shop._orders["a"], shop._orders["b"] = {"n": 1}, {"n": 1}
    settle(persistence)
    for order in shop._orders.values():
        order["n"] = 2
    shop._shelves["s"] = [1]
    settle(persistence)
    assert rows(home) == {"shop._orders:a": {"n": 2}, "shop._orders:b": {"n": 2}, "shop._shelves:s": [1]}
    shop._orders.clear()
    settle(persistence)
    assert rows(home) == {"shop._shelves:s": [1]}


def test_all_of_it_comes_back(home: Home, persistence: Persistence) -> None:
    shop: Any = service()
    persistence.adopt("shop", shop)
    shop._orders["a"] = {"when": (1, b"2"), "set": {3}}
    shop._shelves["s"] = "x"
    settle(persistence)
    again: Any = service()
    again._orders["made at import"] = 1
    reopened = Persistence(home, StateLoop())
    reopened.adopt("shop", again)
    assert dict(again._orders.items()) == {"a": {"when": (1, b"2"), "set": {3}}}
    assert dict(again._shelves.items()) == {"s": "x"}
    reopened.close()


def test_what_a_service_makes_when_it_is_first_loaded_is_kept(home: Home, persistence: Persistence) -> None:
    shop: Any = service()
    shop._orders["made at import"] = 1
    persistence.adopt("shop", shop)
    settle(persistence)
    assert rows(home) == {"shop._orders:made at import": 1}


def test_a_full_disk_is_named_and_what_could_not_be_written_is_written_later(
    home: Home, persistence: Persistence
) -> None:
    shop: Any = service()
    persistence.adopt("shop", shop)
    shop._orders["before"] = 1
    settle(persistence)
    with persistence.database.transaction() as tx:
        pages = tx.execute("PRAGMA page_count").fetchone()[0]
        tx.execute(f"PRAGMA max_page_count = {pages}")
    shop._orders["after"] = "x" * 100_000
    with pytest.raises(ApiError, match="InsufficientStorage") as error:
        settle(persistence)
    assert str(home.root) in error.value.message
    assert error.value.status == 507
    assert rows(home) == {"shop._orders:before": 1}
    with persistence.database.transaction() as tx:
        tx.execute("PRAGMA max_page_count = 1000000")
    settle(persistence)
    assert set(rows(home)) == {"shop._orders:before", "shop._orders:after"}


def test_another_versions_database_is_refused(home: Home) -> None:
    first = Persistence(home, StateLoop())
    with first.database.transaction() as tx:
        tx.execute("UPDATE emulator_meta SET value = '0.0.1' WHERE name = 'ministack'")
    first.close()
    with pytest.raises(HomeVersionError, match=r"ministack 0\.0\.1"):
        Persistence(home, StateLoop())


def settle_request(persistence: Persistence, change: Callable[[], object], *, reading: bool = False) -> None:
    """Do `change` as one request and wait until it is on disk."""

    async def request() -> None:
        with persistence.tracker.request(reading=reading) as write_set:
            change()
            await persistence.settle(write_set)

    asyncio.run(request())


UNSTORABLE: dict[str, Callable[[], object]] = {
    "a lock": threading.Lock,
    "a function": lambda: lambda: None,
    "deep": lambda: functools.reduce(lambda inner, _: [inner], range(5000), []),
    "raises as it likes": type("Odd", (), {"__reduce__": lambda self: 1 // 0}),
}


@pytest.mark.parametrize("kind", UNSTORABLE)
def test_a_row_that_cannot_be_stored_fails_its_own_request_and_undoes_it(
    home: Home, persistence: Persistence, kind: str
) -> None:
    shop: Any = service()
    persistence.adopt("shop", shop)
    shop._orders["old"] = {"n": 1}
    settle(persistence)

    def change() -> None:
        shop._orders["old"]["n"] = 2
        shop._shelves["new"] = 1
        shop._orders["bad"] = UNSTORABLE[kind]()

    shop._orders["somebody else's"] = 1
    with pytest.raises(ApiError, match=r"InternalFailure: shop\._orders\['bad'\] cannot be stored"):
        settle_request(persistence, change)
    assert dict(shop._orders.items()) == {"old": {"n": 1}, "somebody else's": 1}
    assert dict(shop._shelves.items()) == {}
    settle(persistence)
    assert rows(home) == {"shop._orders:old": {"n": 1}, "shop._orders:somebody else's": 1}


def test_a_row_of_the_background_that_cannot_be_stored_is_in_nobodys_way(
    home: Home, persistence: Persistence, caplog: pytest.LogCaptureFixture
) -> None:
    shop: Any = service()
    persistence.adopt("shop", shop)
    shop._orders["bad"] = threading.Lock()
    settle_request(persistence, lambda: shop._shelves.update({"s": 1}))
    settle_request(persistence, shop._orders.values)
    settle(persistence)
    assert rows(home) == {"shop._shelves:s": 1}
    assert caplog.text.count("shop._orders['bad'] cannot be stored") == 1
    shop._orders["bad"] = "good"
    settle(persistence)
    assert rows(home) == {"shop._shelves:s": 1, "shop._orders:bad": "good"}


def test_a_row_counts_as_written_after_the_commit_only(home: Home, persistence: Persistence) -> None:
    shop: Any = service()
    persistence.adopt("shop", shop)

    async def requests() -> None:
        with persistence.database.transaction() as tx:  # the writer waits for this one
            shop._orders["a"], shop._orders["gone"] = 1, 1
            first = persistence._enqueue()
            assert shop._orders._data.written == {}
            del shop._orders["gone"]
            second = persistence._enqueue()
            tx.execute("SELECT 1")
        assert first is not None
        assert second is not None
        await asyncio.wrap_future(second.done)

    asyncio.run(requests())
    assert rows(home) == {"shop._orders:a": 1}
    assert {key[-1] for key in shop._orders._data.written} == {"a"}
    assert shop._orders._data.under_way == {}


def test_what_a_thread_changes_after_it_took_the_row_is_written(home: Home, persistence: Persistence) -> None:
    shop: Any = service()
    persistence.adopt("shop", shop)
    shop._orders["a"] = {"n": 1}
    order = shop._orders["a"]
    settle(persistence)
    order["n"] = 2
    settle(persistence)
    assert rows(home) == {"shop._orders:a": {"n": 2}}


def test_what_is_written_together_is_on_disk_together_or_not_at_all(home: Home, persistence: Persistence) -> None:
    shop: Any = service()
    persistence.adopt("shop", shop)
    settle(persistence)
    row = (shop._orders._data, "a")
    first, second = RowSnapshot(), RowSnapshot()
    first.put(row, pickle.dumps(("a", 1)), 1)
    second.statements.append((row, ("INSERT INTO no_such_table VALUES (1)", ())))
    for future in persistence._writer.write([first, second]):
        with pytest.raises(ApiError, match="no such table"):
            future.result()
    assert rows(home) == {}


def test_who_only_reads_is_answered_on_a_full_disk(persistence: Persistence) -> None:
    shop: Any = service()
    persistence.adopt("shop", shop)
    settle(persistence)
    with persistence.database.transaction() as tx:
        tx.execute(f"PRAGMA max_page_count = {tx.execute('PRAGMA page_count').fetchone()[0]}")
    shop._orders["after"] = "x" * 100_000
    settle_request(persistence, lambda: shop._orders.get("after"), reading=True)
    with pytest.raises(ApiError, match="database or disk is full"):
        settle_request(persistence, lambda: shop._orders.get("after"))
    with persistence.database.transaction() as tx:
        tx.execute("PRAGMA max_page_count = 1000000")


def test_a_row_with_an_archive_is_compared_without_copying_it(home: Home, persistence: Persistence) -> None:
    functions: Any = ModuleType("lambda_svc")
    functions._functions = engine.module("core.responses").AccountScopedDict()
    persistence.adopt("lambda_svc", functions)
    functions._functions["f"] = {"code_zip": b"x" * 50_000_000, "n": 1}
    settle(persistence)
    settle(persistence)
    started = time.thread_time()
    for _ in range(100):
        functions._functions.get("f")
        assert persistence._enqueue() is None
    assert time.thread_time() - started < 1.0
    functions._functions["f"]["n"] = 2
    settle(persistence)
    functions._functions["f"]["code_zip"] = b"x" * 49_999_999 + b"y"
    settle(persistence)
    found = rows(home)["lambda_svc._functions:f"]
    assert (found["n"], found["code_zip"][-1:]) == (2, b"y")
    again: Any = ModuleType("lambda_svc")
    again._functions = engine.module("core.responses").AccountScopedDict()
    reopened = Persistence(home, StateLoop())
    reopened.adopt("lambda_svc", again)
    again._functions.get("f")
    assert reopened._enqueue() is None
    reopened.close()


def named(tracker: ChangeTracker) -> TouchedDict:
    store = TouchedDict(tracker, "store")
    store["a"], store["b"] = 1, 2
    tracker.due()
    return store


def test_a_request_has_its_own_rows_until_it_ends() -> None:
    tracker = ChangeTracker()
    store = named(tracker)
    with tracker.request() as write_set:
        store.get("a")
        assert tracker.due() == set()
        assert write_set.take() == {(store, "a")}
        store["b"] = 3
    assert tracker.due() == {(store, "b")}


def test_walking_over_a_store_is_no_change_for_who_only_reads() -> None:
    tracker = ChangeTracker()
    store = named(tracker)
    with tracker.request(reading=True) as write_set:
        assert list(store.values()) == [1, 2]
        assert write_set.take() == set()
    with tracker.request() as write_set:
        list(store.items())
        assert write_set.take() == {(store, EVERY_ROW)}


def test_the_rows_of_an_operation_are_looked_at_until_it_ends() -> None:
    tracker = ChangeTracker()
    store = named(tracker)
    with tracker.operation():
        store.get("a")
        assert tracker.due() == {(store, "a")}
        assert tracker.due() == {(store, "a")}
    assert tracker.due() == {(store, "a")}
    assert tracker.due() == set()


def test_a_row_that_a_thread_takes_out_meanwhile_is_there_or_not() -> None:
    rows = TouchedDict(ChangeTracker(), "sqs._queues")

    class Key(str):
        """At the second look the row is gone, as if a thread had come in between."""

        __slots__ = ("looks",)

        def __hash__(self) -> int:
            self.looks = getattr(self, "looks", 0) + 1
            if self.looks == 2:
                rows.pop("queue")
            return hash("queue")

        def __eq__(self, other: object) -> bool:
            return other == "queue"

    rows["queue"] = "url"
    assert rows.get(Key("queue")) == "url"
    assert rows.get("queue", "none") == "none"

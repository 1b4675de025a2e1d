"""Parts of records: rows of their own that come, change and go with what a request did, and with their record."""

from __future__ import annotations

import asyncio
import pickle
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.durable.change_tracking import TouchedDict
from trainworks.twin.emulator.durable.durability import Persistence
from trainworks.twin.emulator.durable.parts import RecordParts
from trainworks.twin.emulator.loop import StateLoop
from trainworks.twin.home import Home
from trainworks.twin.ports import ApiError


class Goods(RecordParts):
    """The goods of a shelf: `{"id": ..., "goods": {name: number}}`."""

    members: ClassVar = {"goods": dict}

    def dressed(self, record: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(record["goods"], TouchedDict):
            goods = TouchedDict(self.tracker, f"shop.goods/{record['id']}")
            dict.update(goods, record["goods"])
            record["goods"] = goods
        return record

    def stores_of(self, record: dict[str, Any]) -> tuple[TouchedDict, ...]:
        return (record["goods"],)


class Shop:
    """A service whose shelves have parts, as `Persistence` knows services."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.persistence = Persistence(home, StateLoop())
        self.module: Any = ModuleType("shop")
        self.module._shelves = engine.module("core.responses").AccountScopedDict()
        self.shelves = self.module._shelves

    def load(self) -> None:
        self.persistence.adopt("shop", self.module)
        Goods(self.persistence.tracker, self.persistence.rows_of).keep(self.shelves._data)

    def request(self, change: Callable[[], object], *, reading: bool = False) -> None:
        async def run() -> None:
            with self.persistence.tracker.request(reading=reading) as write_set:
                change()
                await self.persistence.settle(write_set)

        asyncio.run(run())

    def settle(self) -> None:
        asyncio.run(self.persistence.settle())

    def on_disk(self) -> dict[str, dict[str, int]]:
        """What is seen after a kill."""
        other = Shop(self.home)
        other.load()
        found = other.seen()
        other.persistence.close()
        return found

    def seen(self) -> dict[str, dict[str, int]]:
        return {key[-1]: dict(dict.items(each["goods"])) for key, each in dict.items(self.shelves._data)}

    def rows(self) -> dict[str, Any]:
        with sqlite3.connect(self.home.emulator_db) as connection:
            found = connection.execute("SELECT store, value FROM emulator_rows").fetchall()
        pairs = [(store, *pickle.loads(value)) for store, value in found]
        return {f"{store}:{key if isinstance(key, str) else key[-1]}": value for store, key, value in pairs}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    home = Home(tmp_path / "home")
    home.prepare()
    opened = Shop(home)
    opened.load()
    yield opened
    opened.persistence.close()


def shelf(name: str, **goods: int) -> dict[str, Any]:
    return {"id": name, "goods": goods}


def test_a_part_is_rows_of_its_own(shop: Shop) -> None:
    shop.request(lambda: shop.shelves.__setitem__("a", shelf("1", nails=3, bolts=5)))
    assert shop.rows() == {
        "shop._shelves:a": {"id": "1", "goods": {}},
        "shop.goods/1:nails": 3,
        "shop.goods/1:bolts": 5,
    }
    shop.request(lambda: shop.shelves["a"]["goods"].update(nails=4))
    shop.request(lambda: shop.shelves["a"]["goods"].pop("bolts"))
    assert shop.on_disk() == {"a": {"nails": 4}}


def test_a_record_takes_its_rows_with_it(shop: Shop) -> None:
    shop.request(lambda: shop.shelves.__setitem__("a", shelf("1", nails=3)))
    held = shop.shelves["a"]["goods"]
    shop.request(lambda: shop.shelves.pop("a"))
    held["late"] = 1  # by somebody who has it in hand still
    shop.settle()
    assert shop.rows() == {}
    shop.request(lambda: shop.shelves.__setitem__("a", shelf("2")))
    shop.request(lambda: shop.shelves.__setitem__("a", shelf("3", screws=1)))
    assert shop.on_disk() == {"a": {"screws": 1}}
    shop.request(shop.shelves.clear)
    assert shop.rows() == {}


def test_a_request_that_fails_gives_parts_and_records_back(shop: Shop) -> None:
    shop.request(lambda: shop.shelves.__setitem__("a", shelf("1", nails=3)))

    def change() -> None:
        record = shop.shelves["a"]
        record["name"] = "changed"
        record["goods"]["nails"] = 4
        record["goods"]["more"] = 1
        shop.shelves["b"] = shelf("2", bolts=1)
        record["goods"]["bad"] = threading.Lock()

    with pytest.raises(ApiError, match=r"InternalFailure: shop\.goods/1\['bad'\] cannot be stored"):
        shop.request(change)
    assert shop.seen() == shop.on_disk() == {"a": {"nails": 3}}
    assert "name" not in shop.shelves["a"]
    shop.request(lambda: shop.shelves["a"]["goods"].update(nails=5))
    assert shop.on_disk() == {"a": {"nails": 5}}


def test_a_deletion_that_fails_gives_the_record_back_with_its_parts(shop: Shop) -> None:
    shop.request(lambda: shop.shelves.__setitem__("a", shelf("1", nails=3)))
    shop.request(lambda: shop.shelves.__setitem__("b", shelf("2", bolts=5)))

    def change() -> None:
        shop.shelves["b"]["goods"].clear()
        del shop.shelves["a"]
        shop.shelves["bad"] = {"id": "3", "goods": {}, "bad": threading.Lock()}

    with pytest.raises(ApiError, match="cannot be stored"):
        shop.request(change)
    assert shop.seen() == {"a": {"nails": 3}, "b": {"bolts": 5}}
    shop.request(lambda: shop.shelves["a"]["goods"].update(nails=4))
    assert shop.on_disk() == {"a": {"nails": 4}, "b": {"bolts": 5}}


@pytest.mark.parametrize("reading", [False, True])
def test_what_an_earlier_version_wrote_into_the_record_gets_rows_whoever_comes_first(shop: Shop, reading: bool) -> None:
    shop.request(lambda: shop.shelves.__setitem__("a", shelf("1")))
    old = pickle.dumps((("000000000000", "a"), shelf("1", nails=3, bolts=5)), protocol=5)
    with shop.persistence.database.transaction() as tx:
        tx.execute("UPDATE emulator_rows SET value = ? WHERE store = 'shop._shelves'", (old,))
    later = Shop(shop.home)
    later.request(lambda: (later.load(), later.shelves["a"]), reading=reading)
    assert later.rows()["shop._shelves:a"] == {"id": "1", "goods": {}}
    assert later.on_disk() == {"a": {"nails": 3, "bolts": 5}}
    later.persistence.close()


def test_all_rows_of_a_part_go_by_one_statement(shop: Shop) -> None:
    shop.request(lambda: shop.shelves.__setitem__("a", shelf("1", **{f"n{each}": each for each in range(500)})))
    goods = shop.shelves["a"]["goods"]

    async def clear() -> None:
        goods.clear()
        with shop.persistence.database.transaction() as tx:  # the writer waits for this one
            write = shop.persistence._enqueue()
            (snapshot,) = {id(each): each for each in goods.under_way.values()}.values()
            assert len(snapshot.statements) <= 2
            tx.execute("SELECT 1")
        assert write is not None
        await asyncio.wrap_future(write.done)

    asyncio.run(clear())
    assert goods.written == {}
    assert shop.on_disk() == {"a": {}}


def test_a_deletion_that_the_disk_refused_is_made_later(shop: Shop) -> None:
    shop.request(lambda: shop.shelves.__setitem__("a", shelf("1", nails=3)))
    shop.request(lambda: shop.shelves.__setitem__("b", shelf("2", nails=3)))

    def change() -> None:
        del shop.shelves["a"]
        del shop.shelves["b"]["goods"]["nails"]
        shop.shelves["large"] = {"id": "3", "goods": {}, "text": "x" * 100_000}

    with shop.persistence.database.transaction() as tx:
        tx.execute(f"PRAGMA max_page_count = {tx.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(ApiError, match="InsufficientStorage"):
        shop.request(change)
    assert "shop.goods/1:nails" in shop.rows()
    with shop.persistence.database.transaction() as tx:
        tx.execute("PRAGMA max_page_count = 1000000")
    shop.settle()
    assert shop.on_disk() == {"b": {}, "large": {}}
    assert "shop.goods/1:nails" not in shop.rows()


def test_a_row_that_a_thread_takes_out_in_the_middle_of_a_write_is_gone(shop: Shop) -> None:
    class Fleeting(TouchedDict):
        """Its row goes right after somebody has seen that it is there."""

        def holds(self, key: Any) -> bool:
            held = super().holds(key)
            dict.pop(self, key, None)
            return held

    goods = Fleeting(shop.persistence.tracker, "shop.fleeting")

    def change() -> None:
        goods["nails"] = 3
        shop.shelves["a"] = shelf("1", nails=3)

    shop.request(change)
    assert shop.on_disk() == {"a": {"nails": 3}}
    assert "shop.fleeting:nails" not in shop.rows()

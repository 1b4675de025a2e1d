"""Lists with a row for each entry: what is on disk is always what the list has, in its order."""

from __future__ import annotations

import asyncio
import copy
import pickle
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.durable.change_tracking import EVERY_ROW, ChangeTracker
from trainworks.twin.emulator.durable.durability import Persistence
from trainworks.twin.emulator.durable.growing_lists import GrowingLists, ListMember, WholeList
from trainworks.twin.emulator.durable.row_lists import ListRows, RowList
from trainworks.twin.emulator.loop import StateLoop
from trainworks.twin.home import Home


class Lists(RuleBasedStateMachine):
    """A plain list does the same; a dictionary stands for the disk."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = ChangeTracker()
        self.list = RowList(self.tracker, "kind")
        self.plain: list[int] = []
        self.disk: dict[int, int] = {}
        self.count = 0

    @rule()
    def append(self) -> None:
        self.count += 1
        self.list.append(self.count)
        self.plain.append(self.count)

    @rule(count=st.integers(0, 5))
    def trim(self, count: int) -> None:
        del self.list[:count]
        del self.plain[:count]

    @rule(place=st.integers(-8, 8))
    def delete(self, place: int) -> None:
        if -len(self.plain) <= place < len(self.plain):
            del self.list[place]
            del self.plain[place]

    @rule()
    def clear(self) -> None:
        self.list.clear()
        self.plain.clear()

    @rule(random=st.randoms(use_true_random=False))
    def start_again(self, random: Any) -> None:
        rows = list(self.disk.items())
        random.shuffle(rows)
        self.list = RowList(self.tracker, "kind", (), self.list.list_id)
        for number, entry in rows:
            self.list.rows.restore(number, (entry,))

    @rule(random=st.randoms(use_true_random=False), count=st.integers(0, 3))
    def fail(self, random: Any, count: int) -> None:
        """A request takes some out, appends and fails."""
        del self.list[:count]
        self.list.append(-1)
        self.list.append(-2)
        touched = [key for _, key in self.tracker.due()]
        random.shuffle(touched)
        for number in touched:
            self.list.rows.restore(number, (self.disk[number],) if number in self.disk else None)

    @invariant()
    def the_same(self) -> None:
        for store, key in self.tracker.due():
            for number in {*self.disk, *store.held()} if key is EVERY_ROW else {key}:
                if store.holds(number):
                    self.disk[number] = store.stored(number)
                else:
                    self.disk.pop(number, None)
        assert self.list == self.plain
        assert [self.disk[number] for number in sorted(self.disk)] == self.plain
        assert self.list.rows.is_empty() == (not self.plain)


TestLists = Lists.TestCase


def test_a_copy_is_a_plain_list_and_no_change_goes_unnoted() -> None:
    entries = RowList(ChangeTracker(), "kind", [1, 2])
    for other in (copy.copy(entries), copy.deepcopy(entries), pickle.loads(pickle.dumps(entries)), entries[:]):
        assert (type(other), other) == (list, [1, 2])
    changes: list[Callable[[], object]] = [
        lambda: entries.__setitem__(0, 1), lambda: entries.extend([3]), lambda: entries.insert(0, 3), entries.pop,
        entries.sort, entries.reverse, lambda: entries.__iadd__([3]),
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(NotImplementedError):
            change()
    assert entries == [1, 2]
    entries.remove(1)
    assert (entries, entries.rows.held()) == ([2], [1])


class Newspaper:
    """A service with records that have a list (`_issues`), and with lists (`_letters`)."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.persistence = Persistence(home, StateLoop())
        self.module: Any = ModuleType("paper")
        self.issues = self.module._issues = engine.module("core.responses").AccountScopedDict()
        self.letters = self.module._letters = engine.module("core.responses").AccountScopedDict()

    def load(self) -> None:
        self.persistence.adopt("paper", self.module)
        kept = (self.persistence.tracker, self.persistence.rows_of)
        ListMember(*kept, "pages", "paper.pages").keep(self.issues._data)
        WholeList(*kept, "paper.letter").keep(self.letters._data)

    def request(self, change: Callable[[], object], *, reading: bool = False) -> None:
        async def run() -> None:
            with self.persistence.tracker.request(reading=reading) as write_set:
                change()
                await self.persistence.settle(write_set)

        asyncio.run(run())

    def on_disk(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is seen after a kill."""
        other = Newspaper(self.home)
        other.load()
        found = dict(other.issues.items()), dict(other.letters.items())
        other.persistence.close()
        return found


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[Newspaper]:
    home = Home(tmp_path / "home")
    home.prepare()
    opened = Newspaper(home)
    opened.load()
    yield opened
    opened.persistence.close()


def rows(home: Home, prefix: str) -> list[int]:
    with sqlite3.connect(home.emulator_db) as connection:
        found = connection.execute("SELECT key FROM emulator_rows WHERE store LIKE ?", (f"{prefix}%",)).fetchall()
    return sorted(int(key) for (key,) in found)


def test_a_list_of_a_record_is_rows(paper: Newspaper) -> None:
    paper.request(lambda: paper.issues.__setitem__("may", {"number": 5}))
    for page in range(12):
        paper.request(lambda page=page: paper.issues["may"].setdefault("pages", []).append(page))
    assert rows(paper.home, "paper.pages/") == list(range(12))
    assert paper.on_disk()[0] == {"may": {"number": 5, "pages": list(range(12))}}
    paper.request(lambda: paper.issues.pop("may"))
    paper.request(lambda: paper.issues.__setitem__("may", {"number": 6, "pages": ["new"]}))
    assert paper.on_disk()[0] == {"may": {"number": 6, "pages": ["new"]}}
    assert rows(paper.home, "paper.pages/") == [0]


def test_a_list_that_is_a_record_is_rows_and_goes_into_another_record_whole(paper: Newspaper) -> None:
    paper.request(lambda: paper.letters.__setitem__("to us", []))
    for letter in range(12):
        paper.request(lambda letter=letter: paper.letters["to us"].append(letter))
    paper.request(lambda: paper.letters["to us"].__delitem__(slice(None, 3)))
    assert rows(paper.home, "paper.letter/") == list(range(3, 12))
    assert paper.on_disk()[1] == {"to us": list(range(3, 12))}
    paper.request(lambda: paper.issues.__setitem__("june", {"letters": paper.letters.pop("to us")}))
    assert rows(paper.home, "paper.letter/") == []
    assert paper.on_disk() == ({"june": {"letters": list(range(3, 12)), "pages": []}}, {})


def test_the_last_texts_to_the_last_phone_numbers_are_kept(paper: Newspaper) -> None:
    paper.module._sms_messages = paper.letters
    GrowingLists(paper.persistence.tracker, paper.persistence.rows_of).install_texts(paper.module)
    for number in range(130):
        paper.request(lambda number=number: paper.module._sms_log_for("busy").append(number))
    assert paper.module._sms_messages["busy"] == list(range(30, 130))
    assert rows(paper.home, "sns.texts/") == list(range(30, 130))
    for number in range(99):
        paper.module._sms_log_for(f"+{number}").append(number)
    assert len(paper.letters) == 100
    paper.module._sms_log_for("busy").append(130)
    assert len(paper.letters) == 100
    for number in range(2):
        paper.request(lambda number=number: paper.module._sms_log_for(f"new {number}").append(number))
    assert next(iter(paper.letters)) == "+1"
    assert [*paper.letters][-2:] == ["new 0", "new 1"]
    assert len(rows(paper.home, "sns.texts/")) == 100


def test_rows_come_back_in_the_order_of_their_numbers(paper: Newspaper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each that is late moves all behind it, and a start takes the square of a list's length."""
    paper.request(lambda: paper.letters.__setitem__("to us", list(range(12))))
    back: list[int] = []
    stock = ListRows.restore

    def restore(rows: ListRows, key: int, row: tuple[Any] | None) -> None:
        back.append(key)
        stock(rows, key, row)

    monkeypatch.setattr(ListRows, "restore", restore)
    assert paper.on_disk()[1] == {"to us": list(range(12))}
    assert back == list(range(12))


@pytest.mark.parametrize("reading", [False, True])
def test_lists_of_an_earlier_version_get_rows(paper: Newspaper, reading: bool) -> None:
    paper.request(lambda: paper.issues.__setitem__("may", {}))
    paper.request(lambda: paper.letters.__setitem__("to us", []))
    with paper.persistence.database.transaction() as tx:
        for store, name, record in (("_issues", "may", {"pages": [1, 2]}), ("_letters", "to us", [3, 4])):
            value = pickle.dumps((("000000000000", name), record), protocol=5)
            tx.execute("UPDATE emulator_rows SET value = ? WHERE store = ?", (value, f"paper.{store}"))
    later = Newspaper(paper.home)
    later.request(lambda: (later.load(), later.letters["to us"]), reading=reading)
    assert (rows(paper.home, "paper.pages/"), rows(paper.home, "paper.letter/")) == ([0, 1], [0, 1])
    later.request(lambda: later.letters["to us"].append(5))
    later.persistence.close()
    assert paper.on_disk() == ({"may": {"pages": [1, 2]}}, {"to us": [3, 4, 5]})

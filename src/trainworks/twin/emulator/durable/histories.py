"""What has happened, on disk alone: a row per entry, appended at one price, read a page at a time, with an end.

    history = histories.open("cloudwatch._alarm_history", days=30)
    history.append(owner, entry, subject="alarm")    on disk before the answer leaves, as every row is
    history.page(owner, 50, newest_first=True)       [(number, entry), ...]; the next page begins beyond the last number

Stock keeps such things as lists, which are written whole with each entry, read whole at each start, and never end. Here
an entry is in memory until it is on disk and no longer. An entry's number says when it was made, in microseconds, so
that numbers order entries, bound what is asked for by time, and say what is too old. An `owner` is whose history it is;
a `subject` is what an entry is found by within it.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from trainworks.twin.emulator.durable.change_tracking import UNKNOWN, ChangeTracker, Statement, TouchedDict
from trainworks.twin.emulator.durable.writing import pickled, unpickled
from trainworks.twin.store.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS emulator_histories (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, owner TEXT NOT NULL, subject TEXT NOT NULL, value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS emulator_histories_owner ON emulator_histories (name, owner, number);
CREATE INDEX IF NOT EXISTS emulator_histories_subject ON emulator_histories (name, owner, subject, number);
CREATE INDEX IF NOT EXISTS emulator_histories_age ON emulator_histories (name, number);
"""
_PUT = "INSERT OR REPLACE INTO emulator_histories VALUES (?, ?, ?, ?, ?)"
_DROP = "DELETE FROM emulator_histories WHERE number = ?"
_DROP_OWNER = "DELETE FROM emulator_histories WHERE name = ? AND owner = ? AND number <= ?"
_DROP_OLD = (
    "DELETE FROM emulator_histories WHERE number IN "
    "(SELECT number FROM emulator_histories WHERE name = ? AND number < ? ORDER BY number LIMIT 1000)"
)
_DROP_OLD_STORE = "DELETE FROM emulator_rows WHERE store = ?"
_LAST = "SELECT MAX(number) AS number FROM emulator_histories"
_NUMBERS = "SELECT number FROM emulator_histories WHERE name = ? AND owner = ? AND number > ?"
_OLDEST = (
    "SELECT number, value FROM emulator_histories WHERE name = ? AND owner = ? AND number BETWEEN ? AND ? "
    "ORDER BY number LIMIT ?"
)
_NEWEST = (
    "SELECT number, value FROM emulator_histories WHERE name = ? AND owner = ? AND number BETWEEN ? AND ? "
    "ORDER BY number DESC LIMIT ?"
)
_OLDEST_OF = (
    "SELECT number, value FROM emulator_histories WHERE name = ? AND owner = ? AND subject = ? "
    "AND number BETWEEN ? AND ? ORDER BY number LIMIT ?"
)
_NEWEST_OF = (
    "SELECT number, value FROM emulator_histories WHERE name = ? AND owner = ? AND subject = ? "
    "AND number BETWEEN ? AND ? ORDER BY number DESC LIMIT ?"
)
LAST_NUMBER = 2**62
_AT_ONCE = 200
_DAY_SECONDS = 86_400


class _Entry(NamedTuple):
    owner: str
    subject: str
    value: Any


@dataclass(frozen=True, slots=True)
class OldEntry:
    """An entry as an earlier version kept it; `at` is when it was made, in seconds."""

    owner: str
    subject: str
    value: Any
    at: float


class Histories:
    """All histories of `emulator.db`, with one sequence of numbers."""

    def __init__(self, database: Database, tracker: ChangeTracker, clock: Callable[[], float] = time.time) -> None:
        database.apply(_SCHEMA)
        self.database = database
        self._tracker = tracker
        self._clock = clock
        self._lock = threading.Lock()
        self._opened: dict[str, History] = {}
        last = database.read_one(_LAST)
        self._last: int = (last["number"] if last is not None else None) or 0

    def open(self, name: str, *, days: float | None = None) -> History:
        """The history of a name, whose entries go when they are so old; None: when their owner goes."""
        return self._opened.setdefault(name, History(self, self._tracker, name, days))

    def number(self, at: float | None = None) -> int:
        """The next number: for now, or for an earlier time that is imported, in the order of the calls."""
        with self._lock:
            if at is None:
                self._last = max(self._last + 1, number_at(self._clock()))
                return self._last
        return number_at(at)

    def has(self, number: int) -> None:
        """An entry that was brought in has this number: what is appended comes behind it, and never in its place."""
        with self._lock:
            self._last = max(self._last, number)

    def drop_old(self) -> bool:
        """Forget a part of what is too old; whether there may be more. Called from any thread."""
        more = False
        for history in list(self._opened.values()):
            if history.days is not None:
                with self.database.transaction() as tx:
                    before = number_at(self._clock() - history.days * _DAY_SECONDS)
                    more |= tx.execute(_DROP_OLD, (history.name, before)).rowcount > 0
        return more


def page_token(number: int) -> str:
    """The token for the page that begins at an entry."""
    return base64.urlsafe_b64encode(str(number).encode()).decode()


def page_number(token: str) -> int | None:
    """The number that a page begins at; None for a token that was never given out."""
    try:
        number = int(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except ValueError:
        return None
    return number if 0 <= number <= LAST_NUMBER else None


def number_at(seconds: float) -> int:
    """The lowest number that an entry of a given time has."""
    return int(seconds * 1_000_000)


class History(TouchedDict):
    """One kind of history. As a dictionary it holds what is not on disk yet: entries by number. `lock` is over it."""

    __slots__ = ("_dropped", "_ending", "_histories", "_sent", "days", "lock")

    def __init__(self, histories: Histories, tracker: ChangeTracker, name: str, days: float | None) -> None:
        super().__init__(tracker, name)
        self.days = days
        self._histories = histories
        self.lock = threading.RLock()
        # The entry of a number that the last write has: who replaces it meanwhile has it written once more.
        self._sent: dict[int, _Entry] = {}
        self._dropped: dict[str, int] = {}
        # The removal of an owner's entries that the last write has.
        self._ending: dict[str, int] = {}

    def append(self, owner: str, value: Any, subject: str = "") -> int:
        """Add an entry and give its number."""
        number = self._histories.number()
        self.replace(number, owner, value, subject)
        return number

    def replace(self, number: int, owner: str, value: Any, subject: str = "") -> None:
        """Put another entry in the place of one."""
        with self.lock:
            dict.__setitem__(self, number, _Entry(owner, subject, value))
        self._touch(number)

    def remove(self, number: int) -> None:
        """Take one entry out."""
        with self.lock:
            dict.pop(self, number, None)
            self.written[number] = UNKNOWN
        self._touch(number)

    def remove_all(self, owner: str, through: int | None = None) -> None:
        """Take out all that an owner has, or what it has up to a number."""
        with self.lock:
            last = self._histories.number() if through is None else through
            self._dropped[owner] = last = max(last, self._dropped.get(owner, 0))
            waiting = [number for number, entry in dict.items(self) if entry.owner == owner and number <= last]
            for gone in (*waiting, owner):
                dict.pop(self, gone, None)
                # A write under way may have it, and the removal comes after that one.
                self.written[gone] = UNKNOWN
        for gone in (*waiting, owner):
            self._touch(gone)

    def page(
        self,
        owner: str,
        limit: int,
        *,
        newest_first: bool = False,
        subject: str | None = None,
        low: int = 0,
        high: int = LAST_NUMBER,
    ) -> list[tuple[int, Any]]:
        """Up to so many (number, entry) with `low <= number <= high`, of one subject if it is given."""
        with self.lock:
            # Before the disk is read: what is written in between is in both, and in neither otherwise.
            waiting = {
                number: entry.value
                for number, entry in dict.items(self)
                if entry.owner == owner and low <= number <= high and subject in (None, entry.subject)
            }
            gone = self._gone()
            low = max(low, self._dropped.get(owner, -1) + 1)
        bounds = (low, high, limit + len(gone))
        if subject is None:
            query = _NEWEST if newest_first else _OLDEST
            rows = self._histories.database.read(query, (self.name, owner, *bounds))
        else:
            query = _NEWEST_OF if newest_first else _OLDEST_OF
            rows = self._histories.database.read(query, (self.name, owner, subject, *bounds))
        found = {row["number"]: row["value"] for row in rows if row["number"] not in gone}
        numbers = sorted({*found, *waiting}, reverse=newest_first)[:limit]
        return [(each, waiting[each] if each in waiting else unpickled(found[each])) for each in numbers]

    def all(self, owner: str, *, newest_first: bool = False) -> Iterator[tuple[int, Any]]:
        """Everything that an owner has, read in parts."""
        low, high = 0, LAST_NUMBER
        while page := self.page(owner, _AT_ONCE, newest_first=newest_first, low=low, high=high):
            yield from page
            if newest_first:
                high = page[-1][0] - 1
            else:
                low = page[-1][0] + 1

    def count(self, owner: str) -> int:
        """How many entries an owner has."""
        with self.lock:
            waiting = {number for number, entry in dict.items(self) if entry.owner == owner}
            gone = self._gone()
            bound = self._dropped.get(owner, 0)
        rows = self._histories.database.read(_NUMBERS, (self.name, owner, bound))
        return len(({row["number"] for row in rows} | waiting) - gone)

    def _gone(self) -> set[Any]:
        """What is removed, on disk or on its way there as it may be."""
        return {key for key in list(self.written) if not dict.__contains__(self, key)}

    def bring_in(self, entries: Iterable[OldEntry], rows: Mapping[str, Mapping[str, bytes] | None]) -> None:
        """Take over what an earlier version kept in rows, all of it or nothing.

        `rows` says by store which rows have other values from then on; None: the store is gone.
        """
        with self._histories.database.transaction() as tx:
            taken = -1
            for entry in sorted(entries, key=lambda each: each.at):
                taken = max(taken + 1, number_at(entry.at))
                while tx.execute("SELECT 1 FROM emulator_histories WHERE number = ?", (taken,)).fetchone():
                    taken += 1
                value = pickled(entry.value, (self, taken))
                tx.execute(_PUT, (taken, self.name, entry.owner, entry.subject, value))
            for store, values in rows.items():
                if values is None:
                    tx.execute(_DROP_OLD_STORE, (store,))
                else:
                    for key, value in values.items():
                        tx.execute("INSERT OR REPLACE INTO emulator_rows VALUES (?, ?, ?)", (store, key, value))
        self._histories.has(taken)

    # -- what `durability` asks of a store ----------------------------------------------------------------------

    def stored(self, key: Any) -> Any:
        with self.lock:
            entry: _Entry = dict.__getitem__(self, key)
            self._sent[key] = entry
        return entry.value

    def put_statement(self, key: Any, value: bytes) -> Statement:
        entry = self._sent[key]
        return _PUT, (key, self.name, entry.owner, entry.subject, value)

    def drop_statement(self, key: Any) -> Statement:
        if isinstance(key, str):
            self._ending[key] = last = self._dropped.get(key, 0)
            return _DROP_OWNER, (self.name, key, last)
        return _DROP, (key,)

    def row_value(self, key: Any, stored: Any) -> Any:
        return stored

    def wrote(self, key: Any, digest: int | None) -> None:
        with self.lock:
            if key in self.under_way:
                return
            if isinstance(key, str):
                if self._ending.pop(key, None) == self._dropped.get(key):  # else removed once more meanwhile
                    self._dropped.pop(key, None)
                    self.written.pop(key, None)
                return
            sent = self._sent.pop(key, None)
            held = dict.get(self, key)
            if held is sent:
                dict.pop(self, key, None)
            if digest is None or held is not None:  # else removed since it was sent, and that is yet to be written
                self.written.pop(key, None)

    def restore(self, key: Any, row: tuple[Any] | None) -> None:
        """The request that did it failed: what is on disk stands."""
        with self.lock:
            dict.pop(self, key, None)
            self._sent.pop(key, None)
            self._dropped.pop(key, None)
            self.written.pop(key, None)

"""What the emulator acknowledged is on disk: touched rows go to `emulator.db` before an answer leaves.

    Persistence.adopt(name, module)   a service was loaded: its stores get names and their rows from disk
    Persistence.settle(watch)         before an answer: write what changed, wait until it is on disk
    Persistence.commit()              the same from another thread, for our own services

Rows are pickled where they are touched and written only if the bytes differ from what is on disk. One thread writes;
all snapshots that wait for it share a transaction. Log streams are rows of their own and their events are appended
(`log_rows`), so that a growing log costs what is added to it.

Pickles belong to one version of ministack: another version's database is refused (`HomeVersionError`).
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import pickle
import queue
import sqlite3
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from trainworks.errors import HomeVersionError
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.journal import EVERY_ROW, Journal, Row, TouchedDict, Watch
from trainworks.twin.emulator.log_rows import LogRows
from trainworks.twin.emulator.loop import StateLoop
from trainworks.twin.home import Home
from trainworks.twin.ports import ApiError
from trainworks.twin.store.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS emulator_rows (
    store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS emulator_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

# Plain dictionaries that are state all the same, by module.
_PLAIN_STORES = {
    "sts": ("_sessions",),
    "eventbridge": ("_rule_last_fired",),
    "scheduler": ("_schedule_last_fired",),
}
# Values that are no dictionaries: written as one row whenever a row of their module is.
_PLAIN_VALUES = {"ec2": ("_default_initialized_scopes",)}
# Work in progress or copies of what is elsewhere.
_TRANSIENT = {"ecr._uploads", "cloudwatch_logs._log_records", "lambda_svc._warm_pool"}

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Snapshot:
    """Rows as they are to be on disk: pickled, or None where the row is gone, and log changes."""

    rows: list[tuple[str, str, bytes | None]] = field(default_factory=list)
    logs: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    sources: set[Row] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.rows or self.logs)


class Persistence:
    """Keeps `emulator.db` equal to the state that was acknowledged."""

    def __init__(self, home: Home, loop: StateLoop) -> None:
        self.journal = Journal()
        self._loop = loop
        self._home = home
        self.database = Database(home.emulator_db, _SCHEMA)
        self._check_version()
        self._logs = LogRows(self.database)
        self._writer = _Writer(self.database, home)
        self._plain: dict[str, list[tuple[TouchedDict, str, ModuleType]]] = {}
        self._install()

    def adopt(self, name: str, module: ModuleType) -> None:
        """Name the stores of a service that was just loaded and fill them with their rows from disk."""
        known = self._known(name)
        stores = {
            attribute: value._data
            for attribute, value in vars(module).items()
            if isinstance(getattr(value, "_data", None), TouchedDict) and value._data.name is None
        }
        for attribute in _PLAIN_STORES.get(name, ()):
            store = TouchedDict(self.journal)
            dict.update(store, getattr(module, attribute))
            setattr(module, attribute, store)
            stores[attribute] = store
        values = [(TouchedDict(self.journal, f"{name}.{attr}"), attr, module) for attr in _PLAIN_VALUES.get(name, ())]
        for attribute, store in stores.items():
            if f"{name}.{attribute}" not in _TRANSIENT:
                self._fill(store, f"{name}.{attribute}", known)
        for row, attribute, _ in values:
            self._fill(row, f"{name}.{attribute}", known)
            if attribute in row:
                setattr(module, attribute, row[attribute])
        self._plain[name] = values
        if name == "cloudwatch_logs":
            self._logs.adopt(module, self.journal)
        if not known:
            with self.database.transaction() as tx:
                tx.execute("INSERT INTO emulator_meta VALUES (?, '1')", (f"module:{name}",))
            for store in stores.values():
                store._touch(EVERY_ROW)

    async def settle(self, watch: Watch | None = None) -> None:
        """Write what is due and wait for the disk. Raises `ApiError` `InsufficientStorage` when that fails."""
        future = self._enqueue(watch)
        if future is not None:
            await asyncio.wrap_future(future)

    def commit(self) -> None:
        """Write what is due and wait for the disk, from a thread that does not own the state.

        On the owning thread it returns at once: the request or operation that runs there settles what it touched.
        """
        if self._loop.is_owner():
            return
        future = self._loop.run(self._enqueue)
        if future is not None:
            future.result()

    def stored(self, store: str) -> list[tuple[Any, Any]]:
        """The rows of a store as they are on disk, without loading its service."""
        rows = self.database.read("SELECT value FROM emulator_rows WHERE store = ?", (store,))
        return [_unpickled(row["value"]) for row in rows]

    def close(self) -> None:
        """Write what is left and close the database."""
        future = self._enqueue(None)
        if future is not None:
            future.result()
        self._writer.close()
        self.database.close()

    def _enqueue(self, watch: Watch | None = None) -> Future[None] | None:
        snapshot = self._snapshot(self.journal.due(watch))
        if not snapshot:
            return self._writer.pending()
        future = self._writer.write(snapshot)
        future.add_done_callback(lambda done: self._written(done, snapshot))
        return future

    def _written(self, done: Future[None], snapshot: Snapshot) -> None:
        if done.exception() is None:
            return
        # Not on disk: forget the hashes and look at the rows again with the next write.
        for store, key in snapshot.sources:
            store.written.pop(key, None)
        self._logs.forget()
        self.journal.put_back(snapshot.sources)

    def _snapshot(self, due: Iterable[Row]) -> Snapshot:
        snapshot = Snapshot()
        touched = list(_expand(due))
        names = {store.name.partition(".")[0] for store, _ in touched if store.name}
        for name in names:
            for row, attribute, module in self._plain.get(name, ()):
                dict.__setitem__(row, attribute, getattr(module, attribute))
                touched.append((row, attribute))
        for store, key in touched:
            if store.name is None:
                continue
            if self._logs.takes(store, key, snapshot.logs):
                snapshot.sources.add((store, key))
                continue
            self._row(store, store.name, key, snapshot)
        return snapshot

    def _row(self, store: TouchedDict, name: str, key: Any, snapshot: Snapshot) -> None:
        if not dict.__contains__(store, key):
            if key in store.written:
                del store.written[key]
                snapshot.rows.append((name, repr(key), None))
                snapshot.sources.add((store, key))
            return
        value = _pickled((key, dict.__getitem__(store, key)), f"{name}[{key!r}]")
        digest = hash(value)
        if store.written.get(key) != digest:
            store.written[key] = digest
            snapshot.rows.append((name, repr(key), value))
            snapshot.sources.add((store, key))

    def _fill(self, store: TouchedDict, name: str, known: bool) -> None:
        store.name = name
        if not known:
            return
        dict.clear(store)
        for row in self.database.read("SELECT value FROM emulator_rows WHERE store = ?", (name,)):
            key, value = _unpickled(row["value"])
            dict.__setitem__(store, key, value)
            store.written[key] = hash(row["value"])

    def _known(self, name: str) -> bool:
        return self.database.read_one("SELECT 1 FROM emulator_meta WHERE name = ?", (f"module:{name}",)) is not None

    def _install(self) -> None:
        """Give every scoped dictionary that is made from now on an inner dictionary that notes what is touched."""
        responses, journal = engine.module("core.responses"), self.journal

        def make(self: Any) -> None:
            self._data = TouchedDict(journal)

        responses.AccountScopedDict.__init__ = make
        responses.AccountRegionScopedDict.__init__ = make

    def _check_version(self) -> None:
        with self.database.transaction() as tx:
            tx.execute("INSERT OR IGNORE INTO emulator_meta VALUES ('ministack', ?)", (engine.MINISTACK_VERSION,))
        row = self.database.read_one("SELECT value FROM emulator_meta WHERE name = 'ministack'")
        if row is None or row["value"] != engine.MINISTACK_VERSION:
            found = row["value"] if row else "none"
            raise HomeVersionError(
                f"{self._home.emulator_db} was written with ministack {found}; this is {engine.MINISTACK_VERSION}",
                fix="use the trainworks that wrote it, or delete the twin's state: trainworks twin reset",
            )


class _Writer:
    """One thread that writes snapshots in order; those that wait together share a transaction."""

    def __init__(self, database: Database, home: Home) -> None:
        self._database = database
        self._home = home
        self._queue: queue.SimpleQueue[tuple[Snapshot, Future[None]] | None] = queue.SimpleQueue()
        self._last: Future[None] | None = None
        self._thread = threading.Thread(target=self._run, name="emulator-writer", daemon=True)
        self._thread.start()

    def write(self, snapshot: Snapshot) -> Future[None]:
        future: Future[None] = Future()
        self._last = future
        self._queue.put((snapshot, future))
        return future

    def pending(self) -> Future[None] | None:
        """The last write that is not on disk yet: an answer that shows its effect has to wait for it."""
        return None if self._last is None or self._last.done() else self._last

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            last = False
            while not self._queue.empty() and len(batch) < 256:
                following = self._queue.get()
                if following is None:
                    last = True
                    break
                batch.append(following)
            self._write_all(batch)
            if last:
                return

    def _write_all(self, batch: list[tuple[Snapshot, Future[None]]]) -> None:
        try:
            with self._database.transaction() as tx:
                for snapshot, _ in batch:
                    _apply(tx, snapshot)
        except (sqlite3.Error, OSError) as error:
            _LOG.exception("emulator.db could not be written")
            failure = storage_error(error, self._home)
            for _, future in batch:
                future.set_exception(failure)
            return
        for _, future in batch:
            future.set_result(None)


def storage_error(error: Exception, home: Home) -> ApiError:
    """The error that a caller sees when a change could not be made durable; it names the disk and its free space."""
    usage = os.statvfs(home.root)
    free = usage.f_bavail * usage.f_frsize
    return ApiError(
        "InsufficientStorage",
        f"The twin could not write its state to {home.root} ({error}; {free // 1024} KiB free on that disk). "
        "The change may be incomplete; free space there and repeat the request.",
        507,
    )


def _apply(tx: sqlite3.Connection, snapshot: Snapshot) -> None:
    for store, key, value in snapshot.rows:
        if value is None:
            tx.execute("DELETE FROM emulator_rows WHERE store = ? AND key = ?", (store, key))
        else:
            tx.execute("INSERT OR REPLACE INTO emulator_rows VALUES (?, ?, ?)", (store, key, value))
    for statement, parameters in snapshot.logs:
        tx.execute(statement, parameters)


def _expand(due: Iterable[Row]) -> Iterable[Row]:
    for store, key in due:
        if key is EVERY_ROW:
            # A row that is gone is one that was written and is no longer there.
            yield from ((store, each) for each in {*list(dict.keys(store)), *list(store.written)})
        else:
            yield store, key


def _pickled(value: Any, what: str) -> bytes:
    """Pickle, once more when another thread changed the value in the middle of it."""
    for attempt in range(20):
        try:
            buffer = io.BytesIO()
            pickle.Pickler(buffer, protocol=5).dump(value)
            return buffer.getvalue()
        except RuntimeError as error:  # "dictionary changed size during iteration"
            if attempt == 19:
                raise RuntimeError(f"{what} never stood still: {error}") from error
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise TypeError(f"{what} cannot be made durable: {error}") from error
    raise AssertionError("unreachable")


def _unpickled(value: bytes) -> Any:
    return pickle.loads(value)  # noqa: S301 - from our own database, in a folder that only its owner can write

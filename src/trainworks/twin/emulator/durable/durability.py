"""What the emulator acknowledged is on disk: touched rows go to `emulator.db` before an answer leaves.

    Persistence.adopt(name, module)   a service was loaded: its stores get names and their rows from disk
    Persistence.settle(write_set)     before an answer: write what changed, wait until it is on disk
    Persistence.commit()              the same from another thread, for our own services

Rows are pickled when they are touched, and written only if the bytes differ from what is on disk. One thread writes
(`writing`); a row counts as written after the commit that has it. What grows with history is elsewhere: log events in
`logs.db`, metric data in `metrics.db`.

A row that cannot be stored fails the request that made it, by name, and what that request changed is undone. Where no
request made it, the row stays out of the way: it is reported once and looked at again when somebody touches it.

Pickles belong to one version of ministack: another version's database is refused (`HomeVersionError`).
"""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from trainworks.errors import HomeVersionError
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.durable.change_tracking import (
    EVERY_ROW,
    UNKNOWN,
    ChangeTracker,
    Row,
    TouchedDict,
    WriteSet,
)
from trainworks.twin.emulator.durable.writing import (
    RowSnapshot,
    UnstorableError,
    Writer,
    digest_with_blobs,
    pickled,
    unpickled,
)
from trainworks.twin.emulator.loop import StateLoop
from trainworks.twin.emulator.step_functions import executions
from trainworks.twin.home import Home
from trainworks.twin.ports import ApiError
from trainworks.twin.store.database import Database

T = TypeVar("T")

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
# Values that are not dictionaries: written as one row whenever a row of their module is.
_PLAIN_VALUES = {"ec2": ("_default_initialized_scopes",)}
# Work in progress or copies of what is elsewhere.
_TRANSIENT = {"ecr._uploads", "lambda_svc._warm_pool", *executions.TRANSIENT}

# Their rows hold the code of functions and layers, and every invocation touches them.
_WITH_BLOBS = frozenset({"lambda_svc._functions", "lambda_svc._layers"})
# Tables that grow with use, or are walked at every event, and that no walk in ministack changes a row of: a walk over
# them costs nothing afterwards. A test reads every walk of the pinned version.
_WALKS_READ = frozenset(
    {
        "cloudformation._stacks",
        "dynamodb._tables",
        "dynamodb._ttl_settings",
        "eventbridge._rules",
        "iam._access_keys",
        "iam._policies",
        "iam._roles",
        "iam._users",
        "lambda_svc._functions",
        "scheduler._schedules",
        "sns._topics",
        "ssm._parameters",
        "stepfunctions._executions",
        "sts._sessions",
    }
)


_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Write:
    """A write under way: `own` is its snapshot where a request made it."""

    done: Future[None]
    own: RowSnapshot | None


class Persistence:
    """Keeps `emulator.db` equal to the state that was acknowledged."""

    def __init__(self, home: Home, loop: StateLoop) -> None:
        self.tracker = ChangeTracker()
        self._loop = loop
        self._home = home
        self.database = Database(home.emulator_db, _SCHEMA)
        self._check_version()
        self._writer = Writer(self.database, home)
        self._plain: dict[str, list[tuple[TouchedDict, str, ModuleType]]] = {}
        # Over what is known of rows on disk, which the loop and the writer's thread both note.
        self._lock = threading.RLock()
        self._kept_out: dict[Row, str] = {}
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
            store = TouchedDict(self.tracker)
            dict.update(store, getattr(module, attribute))
            setattr(module, attribute, store)
            stores[attribute] = store
        values = [(TouchedDict(self.tracker, f"{name}.{attr}"), attr, module) for attr in _PLAIN_VALUES.get(name, ())]
        for attribute, store in stores.items():
            if f"{name}.{attribute}" not in _TRANSIENT:
                self._fill(store, f"{name}.{attribute}", known)
        for row, attribute, _ in values:
            self._fill(row, f"{name}.{attribute}", known)
            if attribute in row:
                setattr(module, attribute, row[attribute])
        self._plain[name] = values
        if not known:
            with self.database.transaction() as tx:
                tx.execute("INSERT INTO emulator_meta VALUES (?, '1')", (f"module:{name}",))
            for store in stores.values():
                store._touch(EVERY_ROW)

    async def settle(self, write_set: WriteSet | None = None) -> None:
        """Write what is due and wait for the disk.

        Raises `ApiError` `InternalFailure` for a row of `write_set` that cannot be stored, and `InsufficientStorage`
        when the disk cannot be written; never for a request that only reads, whose answer harms nobody.
        """
        reading = write_set is not None and write_set.reading
        try:
            write = self._enqueue(write_set)
            if write is not None:
                await asyncio.wrap_future(write.done)
                self._check(write)
        except ApiError as error:
            if not reading:
                raise
            _LOG.warning("a request that reads was answered while the disk could not be written: %s", error)

    def change(self, work: Callable[[], T]) -> T:
        """Do `work` on the thread that owns the state, for one of our own services, and wait for the disk.

        On the owning thread it is part of what runs there already: the request or operation settles what it touched.
        Raises what `work` and `settle` raise.
        """
        if self._loop.is_owner():
            return work()

        def run() -> tuple[T, _Write | None]:
            with self.tracker.request() as write_set:
                result = work()
                return result, self._enqueue(write_set)

        result, write = self._loop.run(run)
        if write is not None:
            write.done.result()
            self._loop.run(lambda: self._check(write))
        return result

    def flush(self) -> None:
        """Write what is due and wait for the disk, on the thread that owns the state. Raises `ApiError`.

        For what another database is changed for: a crash finds here how far it had come.
        """
        write = self._enqueue()
        if write is not None:
            write.done.result()

    def commit(self) -> None:
        """Write what is due and wait for the disk, from a thread that does not own the state."""
        self.change(lambda: None)

    def stored(self, store: str) -> list[tuple[Any, Any]]:
        """The rows of a store as they are on disk, without loading its service."""
        rows = self.database.read("SELECT value FROM emulator_rows WHERE store = ?", (store,))
        return [unpickled(row["value"]) for row in rows]

    def holds(self, store: str) -> bool:
        """Whether a store has any row on disk."""
        return self.database.read_one("SELECT 1 FROM emulator_rows WHERE store = ? LIMIT 1", (store,)) is not None

    def close(self) -> None:
        """Write what is left and close the database."""
        write = self._enqueue(None)
        if write is not None:
            write.done.result()
        self._writer.close()
        self.database.close()

    def _enqueue(self, write_set: WriteSet | None = None) -> _Write | None:
        """Hand what is due to the writer, nobody's rows apart from those of `write_set`. Raises `ApiError`."""
        shared = set(_expand(self.tracker.due(again=write_set is None)))
        own = set(_expand(write_set.take())) - shared if write_set is not None else set()
        with self._lock:
            failures: dict[Row, str] = {}
            keep_out = write_set is None or write_set.reading
            background, request = self._snapshot(shared, None), self._snapshot(own, None if keep_out else failures)
            if failures:
                request = RowSnapshot()
            write = self._send(background, request, answering=not keep_out)
            if failures:
                self._undo(own)
                raise _unstorable(failures)
            return write or self._pending()

    def _send(self, background: RowSnapshot, request: RowSnapshot, *, answering: bool) -> _Write | None:
        """Write both in one transaction: what moved from one row to another is in one of them whenever one is killed.

        Returns the write of `request`, or None if it has nothing.
        """
        due = [snapshot for snapshot in (background, request) if snapshot]
        for snapshot in due:
            for row in snapshot.digests:
                row[0].under_way[row[1]] = snapshot
        write = None
        for snapshot, done in zip(due, self._writer.write(due) if due else (), strict=True):
            own = answering and snapshot is request
            done.add_done_callback(functools.partial(self._written, snapshot=snapshot, own=own))
            if snapshot is request:
                write = _Write(done, snapshot if own else None)
        return write

    def _pending(self) -> _Write | None:
        future = self._writer.pending()
        return None if future is None else _Write(future, None)

    def _check(self, write: _Write) -> None:
        """Raise `ApiError` when the database refused rows of a request."""
        if write.own is not None and write.own.refused:
            with self._lock:
                self._undo(set(write.own.digests))
            raise _unstorable(write.own.refused)

    def _written(self, done: Future[None], snapshot: RowSnapshot, *, own: bool) -> None:
        """In the writer's thread: what is on disk is known to be there from now on; what is not is looked at again."""
        failed = done.exception() is not None
        with self._lock:
            for row, digest in snapshot.digests.items():
                store, key = row
                if store.under_way.get(key) is snapshot:
                    del store.under_way[key]
                if failed or row in snapshot.refused:
                    store.written[key] = UNKNOWN
                else:
                    store.wrote(key, digest)
            for row, reason in snapshot.refused.items():
                if not own:
                    self._keep_out(row, reason)
        if failed:
            self.tracker.put_back({row for row, _ in snapshot.statements})

    def _snapshot(self, touched: set[Row], failures: dict[Row, str] | None) -> RowSnapshot:
        """What has to be written of `touched`. A row that cannot be stored goes to `failures`, or is kept out."""
        snapshot = RowSnapshot()
        rows = list(touched)
        for name in {store.name.partition(".")[0] for store, _ in touched if store.name}:
            for store, attribute, module in self._plain.get(name, ()):
                dict.__setitem__(store, attribute, getattr(module, attribute))
                rows.append((store, attribute))
        for row in rows:
            if row[0].name is None:
                continue
            try:
                _row(row, snapshot)
            except UnstorableError as error:
                if failures is None or row in self._kept_out:
                    self._keep_out(row, str(error))
                else:
                    failures[row] = str(error)
            else:
                self._kept_out.pop(row, None)
        return snapshot

    def _keep_out(self, row: Row, reason: str) -> None:
        if self._kept_out.get(row) != reason:
            _LOG.error("a row of the emulator is not on disk and is lost with the next restart: %s", reason)
        self._kept_out[row] = reason

    def _undo(self, rows: set[Row]) -> None:
        """Give rows back the value that is on disk, after a request that failed; what is not there is gone again."""
        for row in rows:
            store, key = row
            if store.name is None or store.gone or key in store.under_way or self.tracker.in_use(row):
                continue
            if key is EVERY_ROW:
                for each, value, _ in self.rows_of(store.name):
                    if not store.holds(each):
                        store.restore(each, (value,))
                continue
            found = self.database.read_one(
                "SELECT value FROM emulator_rows WHERE store = ? AND key = ?", (store.name, repr(key))
            )
            if found is None:
                store.restore(key, None)
            elif not _is(row, found["value"]):
                store.restore(key, (unpickled(found["value"])[1],))

    def rows_of(self, name: str) -> Iterator[tuple[Any, Any, int]]:
        """(key, value, digest) of the rows of a store on disk."""
        for row in self.database.read("SELECT value FROM emulator_rows WHERE store = ?", (name,)):
            key, value = unpickled(row["value"])
            yield key, value, hash(row["value"])

    def _fill(self, store: TouchedDict, name: str, known: bool) -> None:
        store.name = name
        store.walks_read = name in _WALKS_READ
        store.blobs = name in _WITH_BLOBS
        if not known:
            return
        dict.clear(store)
        for row in self.database.read("SELECT value FROM emulator_rows WHERE store = ?", (name,)):
            key, value = unpickled(row["value"])
            dict.__setitem__(store, key, value)
            store.written[key] = digest_with_blobs((key, value), (store, key)) if store.blobs else hash(row["value"])

    def _known(self, name: str) -> bool:
        return self.database.read_one("SELECT 1 FROM emulator_meta WHERE name = ?", (f"module:{name}",)) is not None

    def _install(self) -> None:
        """Give every scoped dictionary that is made from now on an inner dictionary that notes what is touched."""
        responses, tracker = engine.module("core.responses"), self.tracker

        def make(self: Any) -> None:
            self._data = TouchedDict(tracker)

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


def _row(row: Row, snapshot: RowSnapshot) -> None:
    store, key = row
    if key is EVERY_ROW:
        if known := {*store.written, *store.under_way}:
            snapshot.drop_all(row, known)
        return
    found = _found(row)
    if found is None:
        if key in store.written or key in store.under_way:
            snapshot.drop(row)
        return
    value = store.row_value(key, found[0])
    if store.blobs:
        digest = digest_with_blobs(value, row)
        if store.written.get(key) != digest or key in store.under_way:
            snapshot.put(row, pickled(value, row), digest)
        return
    data = pickled(value, row)
    digest = hash(data)
    if store.written.get(key) != digest or key in store.under_way:
        snapshot.put(row, data, digest)


def _found(row: Row) -> tuple[Any] | None:
    """What a row has to hold, or None if there is no such row. Threads remove rows at any time."""
    store, key = row
    if store.gone or not store.holds(key):
        return None
    try:
        return (store.stored(key),)
    except LookupError:
        return None


def _is(row: Row, value: bytes) -> bool:
    found = _found(row)
    try:
        return found is not None and pickled((row[1], found[0]), row) == value
    except UnstorableError:
        return False


def _unstorable(failures: Mapping[Row, str]) -> ApiError:
    return ApiError("InternalFailure", "; ".join(failures.values()), 500)


def _expand(due: Iterable[Row]) -> Iterable[Row]:
    for store, key in due:
        if key is EVERY_ROW and (store.gone or store.is_empty()):
            yield store, EVERY_ROW  # one statement for all
        elif key is EVERY_ROW:
            # A row that is gone is one that was written, or is being written, and is no longer there.
            known = {*store.held(), *list(store.written), *list(store.under_way)}
            for each in known:
                yield store, each
                yield from _beside(store, each)
        else:
            yield store, key
            yield from _beside(store, key)


def _beside(store: TouchedDict, key: Any) -> Iterable[Row]:
    return () if store.parts is None else store.parts.beside(key)

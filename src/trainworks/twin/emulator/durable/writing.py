"""Rows on their way to `emulator.db`: what has to be written, and the one thread that writes it.

A snapshot has what one owner has to write: a request, or all that belongs to no request. Snapshots that wait together
share a transaction, and still only the owner of a row that the database refuses hears of it.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import queue
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from trainworks.twin.emulator.durable.change_tracking import Row, Statement
from trainworks.twin.home import Home
from trainworks.twin.ports import ApiError
from trainworks.twin.store.database import Database

# SQLite holds values up to 1,000,000,000 bytes; a function with many published versions comes nearest.
MAX_ROW_BYTES = 900_000_000
_LONG_BYTES = 64 * 1024

# Errors of SQLite and its Python module about one value, not about the database: only its row is refused.
_VALUE_ERRORS = (
    OverflowError,
    TypeError,
    ValueError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)

_DROP_STORE = "DELETE FROM emulator_rows WHERE store = ?"

_LOG = logging.getLogger(__name__)


class UnstorableError(Exception):
    """A row that cannot be on disk, whatever the state of the disk. Its text names the row and says why."""


@dataclass(slots=True)
class RowSnapshot:
    """Changes of rows as SQL, by row, in order. `digests` is what the row is on disk then: a hash, or None if gone.

    `refused` has what the database refused of it, after the write.
    """

    statements: list[tuple[Row, Statement]] = field(default_factory=list)
    digests: dict[Row, int | None] = field(default_factory=dict)
    refused: dict[Row, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.statements)

    def put(self, row: Row, value: bytes, digest: int) -> None:
        """Write one row of a named store."""
        self.statements.append((row, row[0].put_statement(row[1], value)))
        self.digests[row] = digest

    def drop(self, row: Row) -> None:
        """Delete one row of a named store."""
        self.statements.append((row, row[0].drop_statement(row[1])))
        self.digests[row] = None

    def drop_all(self, row: Row, keys: Iterable[Any]) -> None:
        """Delete all rows of a named store, which are those with these keys; `row` stands for them."""
        store = row[0]
        self.statements.append((row, (_DROP_STORE, (store.name,))))
        self.digests.update(dict.fromkeys(((store, key) for key in keys), None))


class Writer:
    """One thread that writes snapshots in order; those that wait together share a transaction."""

    def __init__(self, database: Database, home: Home) -> None:
        self._database = database
        self._home = home
        self._queue: queue.SimpleQueue[list[tuple[RowSnapshot, Future[None]]] | None] = queue.SimpleQueue()
        self._last: Future[None] | None = None
        self._thread = threading.Thread(target=self._run, name="emulator-writer", daemon=True)
        self._thread.start()

    def write(self, snapshots: Sequence[RowSnapshot]) -> list[Future[None]]:
        """Queue snapshots that are on disk together or not at all.

        Their futures end when they are on disk, or with `ApiError` when nothing of them is.
        """
        futures: list[Future[None]] = [Future() for _ in snapshots]
        self._last = futures[-1]
        self._queue.put(list(zip(snapshots, futures, strict=True)))
        return futures

    def pending(self) -> Future[None] | None:
        """The last write that is not on disk yet: an answer that shows its effect has to wait for it."""
        return None if self._last is None or self._last.done() else self._last

    def close(self) -> None:
        """Write what is queued and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = list(first)
            last = False
            while not self._queue.empty() and len(batch) < 256:
                following = self._queue.get()
                if following is None:
                    last = True
                    break
                batch += following
            self._write_all(batch)
            if last:
                return

    def _write_all(self, batch: list[tuple[RowSnapshot, Future[None]]]) -> None:
        try:
            with self._database.transaction() as tx:
                for snapshot, _ in batch:
                    _apply(tx, snapshot)
        except Exception as error:  # noqa: BLE001 - nothing is on disk, and this thread has to write the next batch
            _LOG.exception("emulator.db could not be written")
            failure = storage_error(error, self._home)
            for _, future in batch:
                future.set_exception(failure)
            return
        for _, future in batch:
            future.set_result(None)


def _apply(tx: sqlite3.Connection, snapshot: RowSnapshot) -> None:
    snapshot.refused.clear()
    for row, (statement, parameters) in snapshot.statements:
        try:
            tx.execute(statement, parameters)
        except _VALUE_ERRORS as error:
            snapshot.refused[row] = f"{row_name(row)} cannot be stored: {error}"


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


def row_name(row: Row) -> str:
    """A row as an error names it: `sqs._queues['jobs']`, without account and region."""
    store, key = row
    plain = key[-1] if isinstance(key, tuple) and key else key
    return f"{store.name}[{plain!r}]"[:300]


def pickled(value: Any, row: Row, pickler: type[pickle.Pickler] = pickle.Pickler) -> bytes:
    """Pickle, once more when another thread changed the value in the middle of it. Raises `UnstorableError`."""
    for _ in range(20):
        try:
            buffer = io.BytesIO()
            pickler(buffer, protocol=5).dump(value)
        except RecursionError as error:
            raise UnstorableError(f"{row_name(row)} cannot be stored: it is nested too deeply") from error
        except RuntimeError:  # "dictionary changed size during iteration"
            continue
        except Exception as error:  # values have code of their own for this, which may raise anything
            raise UnstorableError(f"{row_name(row)} cannot be stored: {error}") from error
        if buffer.tell() > MAX_ROW_BYTES:
            raise UnstorableError(
                f"{row_name(row)} cannot be stored: it has {buffer.tell()} bytes, at most {MAX_ROW_BYTES} are possible"
            )
        return buffer.getvalue()
    raise UnstorableError(f"{row_name(row)} cannot be stored: it changed all the time while it was written")


class _Comparing(pickle.Pickler):
    """Puts a long piece of bytes down as its hash, which Python computes once for each object."""

    def persistent_id(self, value: Any) -> Any:
        return (hash(value), len(value)) if type(value) is bytes and len(value) > _LONG_BYTES else None


def digest_with_blobs(value: Any, row: Row) -> int:
    """Whether a row changed, at a cost that does not grow with archives in it. Raises `UnstorableError`."""
    return hash(pickled(value, row, _Comparing))


def unpickled(value: bytes) -> Any:
    """The row that `pickled` wrote."""
    return pickle.loads(value)  # noqa: S301 - from our own database, in a folder that only its owner can write

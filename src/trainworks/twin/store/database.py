"""One SQLite database in WAL mode with `synchronous=FULL`: a commit that returned survives `kill -9` and power loss.

Each component keeps its SQL beside its code (`schema.sql`, `queries.sql`) and its tables to itself. What has to change
together lives in one file, so that it can be one transaction: jobs, tasks and journal offsets share `twin.db`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class Database:
    """Writers take turns on one connection; each reading thread has a connection of its own."""

    def __init__(self, path: Path, schema: str = "") -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._write_lock = threading.RLock()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._writer = self._connect()
        path.chmod(0o600)
        if schema:
            self.apply(schema)

    def apply(self, schema: str) -> None:
        """Run a component's `CREATE TABLE IF NOT EXISTS` script."""
        with self._write_lock:
            self._writer.executescript(schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the writing connection inside `BEGIN IMMEDIATE`; committed and on disk on exit, undone on an error.

        Nested use by the same thread joins the outer transaction.
        """
        with self._write_lock:
            if self._writer.in_transaction:
                yield self._writer
                return
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                # A full disk has undone it already; a second complaint would hide the first.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Yield this thread's reading connection inside a transaction: several queries over one committed state.

        It waits for no writer. Nested use by the same thread joins the outer snapshot.
        """
        reader = self._reader()
        if reader.in_transaction:
            yield reader
            return
        reader.execute("BEGIN")
        try:
            yield reader
        finally:
            reader.execute("ROLLBACK")

    def read(self, query: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[sqlite3.Row]:
        """All rows of a query over what is committed."""
        return self._reader().execute(query, parameters).fetchall()

    def read_one(self, query: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._reader().execute(query, parameters).fetchone()
        return row

    def close(self) -> None:
        with self._write_lock:
            for connection in [*self._readers, self._writer]:
                connection.close()
            self._readers.clear()

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only=ON")
            self._local.connection = connection
            with self._write_lock:
                self._readers.append(connection)
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

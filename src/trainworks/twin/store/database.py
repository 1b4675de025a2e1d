"""One SQLite database in WAL mode with `synchronous=FULL`: a commit that returned survives `kill -9` and power loss.

Each component keeps its SQL next to its code (`schema.sql`, `queries.sql`), and no other uses its tables. What has to
change together lives in one file, so that it can be one transaction: jobs, tasks and journal offsets share `twin.db`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from trainworks.twin.store.fair_lock import FairLock

T = TypeVar("T")


class _Turn:
    """One caller's work in a shared transaction, and what became of it. `leads` who runs the transaction for all."""

    __slots__ = ("_woken", "error", "leads", "result", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        self.work = work
        self.leads = False
        self.error: BaseException | None = None
        self.result: Any = None
        self._woken = threading.Lock()
        self._woken.acquire()

    def wait(self) -> None:
        """Wait until the work is done, or until this thread has to lead."""
        self._woken.acquire()

    def wake(self) -> None:
        self._woken.release()


class Database:
    """Writers take turns on one connection, in the order in which they came; each reading thread has one of its own.

    With `synchronous="NORMAL"` a commit survives the end of the process and not a power cut, and costs a twentieth.
    """

    def __init__(self, path: Path, schema: str = "", *, synchronous: str = "FULL") -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._synchronous = synchronous
        self._write_lock = FairLock()
        self._writing_thread = 0
        self._turns_lock = threading.Lock()
        self._led = False
        self._waiting: deque[_Turn] = deque()
        self._local = threading.local()
        self._readers: dict[threading.Thread, sqlite3.Connection] = {}
        self._writer = self._connect()
        path.chmod(0o600)
        if schema:
            self.apply(schema)

    def apply(self, schema: str) -> None:
        """Run a component's `CREATE TABLE IF NOT EXISTS` script."""
        with self._write_lock:
            self._writer.executescript(schema)

    def add_column(self, table: str, column: str, declaration: str) -> None:
        """Give a table of an earlier home a column that its `CREATE TABLE` has by now; nothing if it is there."""
        with self.transaction() as tx:
            if tx.execute("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", (table, column)).fetchone() is None:
                tx.execute(f"ALTER TABLE {table} ADD COLUMN {column} {declaration}")

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
            self._writing_thread = threading.get_ident()
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                # A full disk has undone it already; a second complaint would hide the first.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            finally:
                self._writing_thread = 0

    def together(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction that it shares with all who ask while another is on its way to disk.

        What it gives is on disk when this returns. Work that raises is undone alone. Inside a transaction of the same
        thread it joins that one.
        """
        if self._writing_thread == threading.get_ident():
            return work(self._writer)
        turn = _Turn(work)
        with self._turns_lock:
            if self._led:
                self._waiting.append(turn)
            else:
                self._led = turn.leads = True
        if not turn.leads:
            turn.wait()
        if turn.leads:
            self._lead(turn)
        if turn.error is not None:
            raise turn.error
        result: T = turn.result
        return result

    def _lead(self, first: _Turn) -> None:
        """Run the transaction of all who wait by now, and hand the lead on to one who came since."""
        turns = [first]
        try:
            with self.transaction() as tx:
                with self._turns_lock:
                    turns += self._waiting
                    self._waiting.clear()
                for turn in turns:
                    _run(turn, tx)
        except BaseException as error:
            for turn in turns:
                turn.error = turn.error or error
            if not isinstance(error, Exception):
                raise
        finally:
            with self._turns_lock:
                following = self._waiting.popleft() if self._waiting else None
                self._led = following is not None
            for turn in turns[1:]:
                turn.wake()
            if following is not None:
                following.leads = True
                following.wake()

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
            for connection in [*self._readers.values(), self._writer]:
                connection.close()
            self._readers.clear()

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only=ON")
            self._local.connection = connection
            with self._write_lock:
                for thread in [thread for thread in self._readers if not thread.is_alive()]:
                    self._readers.pop(thread).close()
                self._readers[threading.current_thread()] = connection
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={self._synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")
        return connection


def _run(turn: _Turn, tx: sqlite3.Connection) -> None:
    tx.execute("SAVEPOINT turn")
    try:
        turn.result = turn.work(tx)
    except Exception as error:
        if not tx.in_transaction:
            raise  # the database undid everybody's work: a full disk
        turn.error = error
        tx.execute("ROLLBACK TO turn")
    tx.execute("RELEASE turn")

"""The output of tasks, from their log files into CloudWatch Logs.

A task writes to a file; that is never slowed down or lost. A service says `follow` when a task starts and `finish` when
it ended, each in the transaction of the state change. One thread reads what the files got, makes log events of the
lines, and commits how far it came; after a restart it goes on there. Between the put and the commit of the offset lies
a moment in which `kill -9` makes the last lines appear twice; none is ever lost.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from sqlite3 import Connection, Row

from trainworks.twin.ports import ApiError, Caller, ControlPlane
from trainworks.twin.services.background import Background
from trainworks.twin.store import Database

_log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log_shipment (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL,
    log_group TEXT NOT NULL,
    log_stream TEXT NOT NULL,
    caller TEXT,
    offset INTEGER NOT NULL DEFAULT 0,
    finished INTEGER NOT NULL DEFAULT 0
);
"""
_FOLLOW = "INSERT OR IGNORE INTO log_shipment (task_id, path, log_group, log_stream, caller) VALUES (?, ?, ?, ?, ?)"
_FINISH = "UPDATE log_shipment SET finished = 1 WHERE task_id = ?"
_ALL = "SELECT * FROM log_shipment ORDER BY seq"
_OFFSET = "UPDATE log_shipment SET offset = ? WHERE seq = ?"
_DELETE = "DELETE FROM log_shipment WHERE seq = ?"
_OPEN = "SELECT 1 FROM log_shipment WHERE task_id = ?"

MAX_EVENT_BYTES = 256 * 1024 - 26
"""CloudWatch Logs' limit for one event, less what it counts for each."""
_MAX_EVENTS = 1000
_READ_BYTES = 1024 * 1024
_POLL_SECONDS = 0.1
_PARTIAL_LINE_SECONDS = 1.0


LineObserver = Callable[[Connection, str, Sequence[bytes], int], None]
"""Called with `(transaction, task id, lines, timestamp in ms)` in the transaction that commits how far was read."""


@dataclass(frozen=True, slots=True)
class LogSource:
    """A task's log file and where its lines go. With a `caller`, that principal's `logs:*` permissions are enforced."""

    task_id: str
    path: Path
    log_group: str
    log_stream: str
    caller: Caller | None = None


@dataclass(slots=True)
class _Tail:
    """How far one file was read; `partial_since` is when an unfinished last line was first seen."""

    offset: int
    partial_since: float | None = None


class LogShipper:
    """Owns the table `log_shipment` and the thread that reads the files."""

    def __init__(self, database: Database, control_plane: ControlPlane, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._control_plane = control_plane
        self._clock = clock
        self._tails: dict[int, _Tail] = {}
        self._shipping = threading.Lock()
        self._background = Background("log-shipper", self._pass)
        self._observers: list[tuple[str, LineObserver]] = []
        database.apply(_SCHEMA)

    def observe(self, prefix: str, observer: LineObserver) -> None:
        """Show `observer` the lines of all tasks whose id starts with `prefix`; before `start`."""
        self._observers.append((prefix, observer))

    def follow(self, tx: Connection, sources: Sequence[LogSource]) -> None:
        """Ship these files from now on. The file may not exist yet."""
        if sources:
            tx.executemany(_FOLLOW, [_parameters(source) for source in sources])
            self._background.wake()

    def finish(self, tx: Connection, task_ids: Sequence[str]) -> None:
        """No more is written to these files: ship what is left and forget them."""
        if task_ids:
            tx.executemany(_FINISH, [(task_id,) for task_id in task_ids])
            self._background.wake()

    def is_shipped(self, task_id: str) -> bool:
        """Whether all output of a finished task is in Logs (true too for a task that was never followed)."""
        return self._database.read_one(_OPEN, (task_id,)) is None

    def start(self) -> None:
        """Go on where an earlier run stopped."""
        self._background.start()

    def stop(self) -> None:
        """End after the pass in hand."""
        self._background.stop()

    def ship(self) -> int:
        """One pass over all followed files; how many are still open."""
        with self._shipping:
            # Under the write lock: `follow` and `finish` woke us before their transaction was committed.
            with self._database.transaction() as tx:
                rows = tx.execute(_ALL).fetchall()
            done = [row["seq"] for row in rows if self._ship_one(row)]
            if done:
                with self._database.transaction() as tx:
                    tx.executemany(_DELETE, [(seq,) for seq in done])
                for seq in done:
                    self._tails.pop(seq, None)
            return len(rows) - len(done)

    def _pass(self) -> float | None:
        return _POLL_SECONDS if self.ship() else None

    def _ship_one(self, row: Row) -> bool:
        """Ship what one file got; whether it is done with."""
        tail = self._tails.setdefault(row["seq"], _Tail(row["offset"]))
        try:
            for lines, offset in self._read(Path(row["path"]), tail, finished=bool(row["finished"])):
                self._put(row, lines)
                tail.offset = offset
                with self._database.transaction() as tx:
                    tx.execute(_OFFSET, (offset, row["seq"]))
                    self._observe(tx, row["task_id"], lines)
        except ApiError as error:
            # As the log driver on AWS: the task goes on, its output stays in the file.
            _log.warning("output of %s is not in %s: %s", row["task_id"], row["log_group"], error)
            return True
        return bool(row["finished"])

    def _observe(self, tx: Connection, task_id: str, lines: Sequence[str]) -> None:
        for prefix, observer in self._observers:
            if task_id.startswith(prefix):
                observer(tx, task_id, [line.encode() for line in lines], int(self._clock() * 1000))

    def _put(self, row: Row, lines: Sequence[str]) -> None:
        timestamp_ms = int(self._clock() * 1000)
        caller = Caller(**json.loads(row["caller"])) if row["caller"] else None
        events = [(timestamp_ms, line) for line in lines]
        self._control_plane.put_log_events(caller, row["log_group"], row["log_stream"], events)

    def _read(self, path: Path, tail: _Tail, *, finished: bool) -> Iterator[tuple[list[str], int]]:
        """Batches of lines with the offset behind each, until the end of the file or of its last whole line."""
        try:
            if path.stat().st_size <= tail.offset:
                return
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            while True:
                file.seek(tail.offset)
                data = file.read(_READ_BYTES)
                take_partial = finished or len(data) == _READ_BYTES or self._is_stale(tail, data)
                lines, length = split_lines(data, take_partial=take_partial)
                if not lines:
                    return
                yield lines, tail.offset + length

    def _is_stale(self, tail: _Tail, data: bytes) -> bool:
        """Whether an unfinished line (a prompt, a progress bar) has waited long enough to be shown as it is."""
        if not data or b"\n" in data:
            tail.partial_since = None
            return False
        now = self._clock()
        if tail.partial_since is None:
            tail.partial_since = now
        return now - tail.partial_since >= _PARTIAL_LINE_SECONDS


def split_lines(data: bytes, *, take_partial: bool) -> tuple[list[str], int]:
    """Log messages of `data` and how many bytes they stand for.

    At most 1,000 messages; a line beyond the size limit becomes several; empty lines become one blank, because Logs
    refuses an empty message. Bytes that are not UTF-8 are replaced.
    """
    messages: list[str] = []
    position = 0
    while position < len(data) and len(messages) < _MAX_EVENTS:
        end = data.find(b"\n", position, position + MAX_EVENT_BYTES + 1)
        if end < 0 and not take_partial and len(data) - position <= MAX_EVENT_BYTES:
            break
        stop = end if end >= 0 else min(len(data), position + MAX_EVENT_BYTES)
        line = data[position:stop].removesuffix(b"\r") if end >= 0 else data[position:stop]
        messages.append(line.decode("utf-8", "replace") or " ")
        position = stop + 1 if end >= 0 else stop
    return messages, position


def _parameters(source: LogSource) -> tuple[str, str, str, str, str | None]:
    caller = json.dumps(asdict(source.caller)) if source.caller else None
    return source.task_id, str(source.path), source.log_group, source.log_stream, caller

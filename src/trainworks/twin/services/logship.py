"""The output of tasks, from their log files into CloudWatch Logs.

A task writes to a file; that is never slowed down or lost. A service says `follow` when a task starts and `finish` when
it ended, each in the transaction of the state change. One thread goes round all files and takes a part of each, so that
a flood in one does not delay the others; it holds one round in memory (4 MiB), whatever waits on disk. Lines go to Logs
with the offset in the file behind them, which Logs stores with them: after `kill -9` no line is lost and none appears
twice.

    round: rows -> read a part of each file -> Logs.put_output -> observers, offsets and arrivals, in one transaction

A job has ended, for whoever asks, when its last lines are in Logs and not before: with `finish` its service leaves a
note of what has to follow, and gets it back in the transaction that says that the output has arrived.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from sqlite3 import Connection, Row

from trainworks.twin.in_hand import InHand
from trainworks.twin.ports import Caller, Logs, OutputLines
from trainworks.twin.services.background import Background
from trainworks.twin.store import Database

_LOG = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log_shipment (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL,
    log_group TEXT NOT NULL,
    log_stream TEXT NOT NULL,
    caller TEXT,
    offset INTEGER NOT NULL DEFAULT 0,
    finished INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT ''
);
"""
_FOLLOW = "INSERT OR IGNORE INTO log_shipment (task_id, path, log_group, log_stream, caller) VALUES (?, ?, ?, ?, ?)"
# Finished is 1 where nothing more is written, 2 where that was told before the output had arrived.
_FINISH = "UPDATE log_shipment SET finished = 1, note = ? WHERE task_id = ?"
_FOLLOWED = "SELECT task_id, path, offset FROM log_shipment WHERE task_id IN (SELECT value FROM json_each(?))"
_FORGET = "DELETE FROM log_shipment WHERE task_id = ?"
_ALL = "SELECT * FROM log_shipment ORDER BY seq"
_OFFSET = "UPDATE log_shipment SET offset = ? WHERE seq = ?"
_DELETE = "DELETE FROM log_shipment WHERE seq = ? RETURNING task_id, finished, note"
_GIVE_UP = "UPDATE log_shipment SET finished = 2 WHERE seq = ? AND finished = 1 RETURNING task_id, 1 AS finished, note"
_OPEN = "SELECT 1 FROM log_shipment WHERE task_id = ? AND finished < 2"

MAX_EVENT_BYTES = 256 * 1024 - 26
"""The longest event that the log driver makes of a line; a longer line becomes several."""
_MAX_LINES = 10_000
_ROUND_BYTES = 4 * 1024 * 1024
_SMALLEST_PART, _OBSERVED_PART = 64 * 1024, 256 * 1024
_POLL_SECONDS = 0.1
_PARTIAL_LINE_SECONDS = 1.0
_MOST_WAIT_SECONDS = 600.0
"""Output that is not in Logs this long after its task's end no longer delays its job; it is still sent."""


LineObserver = Callable[[str, Sequence[bytes], int], Callable[[Connection], None] | None]
"""Called with `(task id, lines, timestamp in ms)`; what it found is written by the function that it returns, in the
transaction that commits how far was read."""

Arrival = Callable[[Connection, Mapping[str, str]], None]
"""Called with the notes of ended tasks by their ids, in the transaction that says that their output is in Logs."""


@dataclass(frozen=True, slots=True)
class LogSource:
    """A task's log file and where its lines go. With a `caller`, that principal's `logs:*` permissions are enforced."""

    task_id: str
    path: Path
    log_group: str
    log_stream: str
    caller: Caller | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """What a round takes of one file: whole lines, and whether it has more."""

    row: Row
    output: OutputLines
    has_more: bool


class LogShipper:
    """Owns the table `log_shipment` and the thread that reads the files."""

    def __init__(
        self,
        database: Database,
        logs: Logs,
        clock: Callable[[], float] = time.time,
        *,
        in_hand: InHand | None = None,
    ) -> None:
        self._database = database
        self.logs = logs
        self._clock = clock
        self._in_hand = in_hand or InHand.of_nothing()
        self._partial_since: dict[int, float] = {}
        self._last_turn = 0
        self._had: dict[int, int] = {}
        self._unsure: int | None = None
        self._told: set[str] = set()
        self._shipping = threading.Lock()
        self._background = Background("log-shipper", self._pass)
        self._observers: list[tuple[str, LineObserver]] = []
        self._arrivals: list[tuple[str, Arrival]] = []
        self._finished_since: dict[int, float] = {}
        database.apply(_SCHEMA)
        database.add_column("log_shipment", "note", "TEXT NOT NULL DEFAULT ''")

    def observe(self, prefix: str, observer: LineObserver) -> None:
        """Show `observer` the lines of all tasks whose id starts with `prefix`; before `start`."""
        self._observers.append((prefix, observer))

    def on_arrival(self, prefix: str, arrival: Arrival) -> None:
        """Tell `arrival` of all tasks whose id starts with `prefix`; before `start`."""
        self._arrivals.append((prefix, arrival))

    def follow(self, tx: Connection, sources: Sequence[LogSource]) -> None:
        """Ship these files from now on. The file may not exist yet."""
        if sources:
            tx.executemany(_FOLLOW, [_parameters(source) for source in sources])
            self._background.wake()

    def finish(
        self, tx: Connection, tasks: Collection[str], note: Callable[[str], str] = lambda _: ""
    ) -> Collection[str]:
        """No more is written to the files of these tasks: ship what is left, give the `note` of each to whom
        `on_arrival` names, and forget them. Returns those that printed nothing or are not followed: nothing will be
        told of them."""
        followed = tx.execute(_FOLLOWED, (json.dumps(list(tasks)),)).fetchall()
        # A crowd of tasks without a byte of output needs no rounds.
        unwritten = {row["task_id"] for row in followed if not row["offset"] and not _size(row["path"])}
        told = {row["task_id"] for row in followed} - unwritten
        tx.executemany(_FORGET, [(task,) for task in unwritten])
        tx.executemany(_FINISH, [(note(task), task) for task in told])
        if told:
            self._background.wake()
        return [task for task in tasks if task not in told]

    def is_shipped(self, task_id: str) -> bool:
        """Whether all output of a finished task is in Logs, or has been waited for long enough (true too for a task
        that was never followed)."""
        return self._database.read_one(_OPEN, (task_id,)) is None

    def start(self) -> None:
        """Go on where an earlier run stopped."""
        self._background.start()

    def stop(self) -> None:
        """End after the current round."""
        self._background.stop()

    def ship(self) -> int:
        """Go round until no followed file has more; how many are still open."""
        while self._round()[1]:
            pass
        return len(self._database.read(_ALL))

    def _pass(self) -> float | None:
        rows, has_more = self._round()
        if has_more and not self._background.stopping:
            return 0.0
        return _POLL_SECONDS if rows else None

    def _round(self) -> tuple[int, bool]:
        """Take a part of each file; how many are open behind it, and whether any has more."""
        with self._shipping:
            # Under the write lock: `follow` and `finish` woke us before their transaction was committed.
            with self._database.transaction() as tx:
                rows = tx.execute(_ALL).fetchall()
            if self._unsure is None:
                self._unsure = max((row["seq"] for row in rows), default=0)
            parts, done = self._parts(rows)
            refused = self.logs.put_output([part.output for part in parts])
            found = [self._observed(part) for part in parts]
            for part in parts:
                if part.output.task_id in refused:
                    # As the log driver on AWS: the task goes on, its output stays in the file.
                    error = refused[part.output.task_id]
                    _LOG.warning("output of %s is not in %s: %s", part.output.task_id, part.output.log_group, error)
                    done.add(part.row["seq"])
                elif part.row["finished"] and not part.has_more:
                    done.add(part.row["seq"])
            late = self._late(rows) - done
            if parts or done or late:
                with self._database.transaction() as tx:
                    read = {part.row["seq"]: part.output.offset for part in parts}
                    tx.executemany(_OFFSET, [(offset, seq) for seq, offset in read.items() if seq not in done])
                    for write in chain.from_iterable(found):
                        write(tx)
                    ended = [row for seq in sorted(done) for row in tx.execute(_DELETE, (seq,)).fetchall()]
                    ended += [row for seq in sorted(late) for row in tx.execute(_GIVE_UP, (seq,)).fetchall()]
                    self._tell(tx, {row["task_id"]: row["note"] for row in ended if row["finished"] == 1})
            for seq in done:
                self._partial_since.pop(seq, None)
                self._finished_since.pop(seq, None)
                self._had.pop(seq, None)
            return len(rows) - len(done), any(part.has_more and part.row["seq"] not in done for part in parts)

    def _late(self, rows: Sequence[Row]) -> set[int]:
        """The finished files that have been waited for long enough."""
        now, late = self._clock(), set()
        for row in rows:
            if row["finished"] == 1 and now - self._finished_since.setdefault(row["seq"], now) >= _MOST_WAIT_SECONDS:
                _LOG.warning("%s ends before all of its output is in %s", row["task_id"], row["log_group"])
                late.add(row["seq"])
        return late

    def _tell(self, tx: Connection, notes: Mapping[str, str]) -> None:
        for prefix, arrival in self._arrivals:
            if mine := {task: note for task, note in notes.items() if task.startswith(prefix)}:
                arrival(tx, mine)

    def _parts(self, rows: Sequence[Row]) -> tuple[list[_Part], set[int]]:
        """What this round takes, and the rows of finished files that have nothing left, or nothing to be read."""
        waiting = [(row, size) for row in rows if (size := _size(row["path"]) - row["offset"]) > 0]
        done = {row["seq"] for row in rows if row["finished"]} - {row["seq"] for row, _ in waiting}
        length = max(_SMALLEST_PART, _ROUND_BYTES // max(len(waiting), 1))
        parts: list[_Part] = []
        for row, size in self._turn(waiting, _ROUND_BYTES // length):
            try:
                parts += self._read(row, length, size)
            except OSError as error:
                _LOG.warning("the log file of %s cannot be read: %s", row["task_id"], error)
                done |= {row["seq"]} if row["finished"] else set()
        return parts, done

    def _turn(self, waiting: list[tuple[Row, int]], count: int) -> list[tuple[Row, int]]:
        """As many as a round can hold, beginning behind the last one of the round before."""
        if len(waiting) <= count:
            return waiting
        behind = [each for each in waiting if each[0]["seq"] > self._last_turn]
        chosen = (behind + waiting[: len(waiting) - len(behind)])[:count]
        self._last_turn = chosen[-1][0]["seq"]
        return chosen

    def _read(self, row: Row, length: int, size: int) -> list[_Part]:
        """Whole lines from the file's offset on, as many as Logs takes in one block in each. Raises `OSError`."""
        if any(row["task_id"].startswith(prefix) for prefix, _ in self._observers):
            length = min(length, _OBSERVED_PART)  # looking at lines costs more than storing them
        with open(row["path"], "rb") as file:  # noqa: PTH123 - a Path costs as much as to read a short file
            file.seek(row["offset"])
            data = file.read(length)
            if b"\n" not in data:
                data += file.read(MAX_EVENT_BYTES + 1)
        shipped = self._shipped_before(row)
        if shipped > 0:
            # Logs has these lines, but the server died before it could note that: only the observers have to see them.
            data = data[:shipped]
        at_end = len(data) >= size
        take_partial = shipped > 0 or (bool(row["finished"]) and at_end)
        take_partial = take_partial or self._is_stale(row["seq"], data, at_end=at_end)
        caller = Caller(**json.loads(row["caller"])) if row["caller"] else None
        parts: list[_Part] = []
        position = 0
        while position < len(data):
            lines, count, taken = cut_lines(data[position:], take_partial=take_partial)
            if not count:
                break
            position += taken
            offset = row["offset"] + position
            output = OutputLines(row["task_id"], caller, row["log_group"], row["log_stream"], lines, count, offset)
            parts.append(_Part(row, output, has_more=True))
        has_more = position < size and (not at_end or take_partial or b"\n" in data[position:])
        return [*parts[:-1], replace(parts[-1], has_more=has_more)] if parts else []

    def _shipped_before(self, row: Row) -> int:
        """How many bytes behind the row's offset an earlier run had brought to Logs. Of what was followed since this
        server started there is nothing to ask: `_unsure` is the last row that was there then."""
        if row["seq"] > (self._unsure or 0):
            return 0
        if row["seq"] not in self._had:
            caller = Caller(**json.loads(row["caller"])) if row["caller"] else None
            self._had[row["seq"]] = self.logs.output_offset(caller, row["log_group"], row["log_stream"])
        return self._had[row["seq"]] - int(row["offset"])

    def _observed(self, part: _Part) -> list[Callable[[Connection], None]]:
        """What the observers found; a task that took the server down three times is not looked at again."""
        writes: list[Callable[[Connection], None]] = []
        task_id = part.output.task_id
        for prefix, observer in self._observers:
            if not task_id.startswith(prefix):
                continue
            with self._in_hand.hold(task_id) as may:
                write = observer(task_id, part.output.lines.split(b"\n"), int(self._clock() * 1000)) if may else None
            if not may:
                self._say_skipped(part)
            if write is not None:
                writes.append(write)
        return writes

    def _say_skipped(self, part: _Part) -> None:
        """Say once in the task's own log that nobody looks at its lines any more."""
        if part.output.task_id in self._told:
            return
        self._told.add(part.output.task_id)
        text = "trainworks: no metrics are read from this log any more: the server ended three times while it did"
        _LOG.error("%s: %s", part.output.task_id, text)
        where = (part.output.log_group, part.output.log_stream)
        self.logs.put_log_events(part.output.caller, *where, [(int(self._clock() * 1000), text)])

    def _is_stale(self, seq: int, data: bytes, *, at_end: bool) -> bool:
        """Whether an unfinished line (a prompt, a progress bar) has waited long enough to be shown as it is."""
        if not at_end or not data or b"\n" in data:
            self._partial_since.pop(seq, None)
            return False
        return self._clock() - self._partial_since.setdefault(seq, self._clock()) >= _PARTIAL_LINE_SECONDS


def cut_lines(data: bytes, *, take_partial: bool) -> tuple[bytes, int, int]:
    """Lines out of what was read: their bytes (UTF-8, one line feed between them), their number, and what was taken.

    At most 10,000; a line beyond the size limit becomes several. Bytes that are not UTF-8 are replaced. An unfinished
    last line stays for later unless `take_partial`, or unless it is longer than one event.
    """
    end = len(data) if take_partial else data.rfind(b"\n") + 1
    if not end and len(data) > MAX_EVENT_BYTES:
        end = _character_start(data, MAX_EVENT_BYTES)
    pieces: list[bytes] = []
    count = start = 0
    # One hop per 256 KiB: to the last line end within the size of one event.
    while start < end and count < _MAX_LINES:
        stop = data.rfind(b"\n", start, min(start + MAX_EVENT_BYTES + 1, end)) + 1
        if stop:
            piece = data[start : stop - 1]
        else:
            stop = end if end - start <= MAX_EVENT_BYTES else _character_start(data, start + MAX_EVENT_BYTES)
            piece = data[start:stop]
        lines = piece.count(b"\n") + 1
        if count + lines > _MAX_LINES:
            lines = _MAX_LINES - count
            piece = b"\n".join(piece.split(b"\n", lines)[:lines])
            stop = start + len(piece) + 1
        pieces.append(piece)
        count += lines
        start = stop
    return _clean(b"\n".join(pieces)), count, start


def _clean(lines: bytes) -> bytes:
    """Without carriage returns before the line ends, and in UTF-8."""
    if b"\r\n" in lines:
        lines = lines.replace(b"\r\n", b"\n")
    lines = lines.removesuffix(b"\r")
    try:
        lines.decode()
    except UnicodeDecodeError:
        return lines.decode("utf-8", "replace").encode()
    return lines


def _character_start(data: bytes, place: int) -> int:
    """The place, or up to three bytes before it where it lies within a character."""
    for back in range(4):
        if data[place - back] & 0xC0 != 0x80:
            return place - back
    return place


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - asked of each followed file in each round
    except OSError:
        return 0


def _parameters(source: LogSource) -> tuple[str, str, str, str, str | None]:
    caller = json.dumps(asdict(source.caller)) if source.caller else None
    return source.task_id, str(source.path), source.log_group, source.log_stream, caller

"""Events as they are stored: a row of many, either lines of one time or events with a time each.

Blocks of one stream do not overlap: ordered by `(first_ms, seq)` they hold all events ordered by `(time, number)`; the
number counts what was ever put into the stream. A batch that comes late is merged into the blocks it falls in.

Chosen by measurement: rows of 1 MiB commit at 330 MB/s, as fast as a synced append to a file, and one index finds both
a stream's events and a group's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from sqlite3 import Connection, Row
from typing import NamedTuple

from trainworks.twin.store.queries import load_queries

SQL = load_queries("trainworks.twin.services.logs")

MAX_LINES = 10_000
"""Events of one block: as many as one page of GetLogEvents has."""
EVENT_OVERHEAD_BYTES = 26
"""What CloudWatch Logs counts for each event besides its message."""
_MAX_BLOCK_BYTES = 256 * 1024


class Event(NamedTuple):
    """One log event. Times are milliseconds since the epoch; `number` is its place among all that its stream got."""

    timestamp: int
    number: int
    ingested: int
    message: str


class Appended(NamedTuple):
    """What an append wrote: enough to read it again."""

    first_ms: int
    last_ms: int
    first_number: int
    last_number: int


def append_lines(  # noqa: PLR0917 - the parts of one append
    tx: Connection, stream: Row, body: bytes, count: int, at_ms: int, source_offset: int
) -> Appended:
    """Store `count` lines (UTF-8, separated by one line feed) that came at one time.

    A clock that went backwards does not bring lines out of order: they are as late as the last one.
    """
    at_ms = max(at_ms, stream["last_ms"])
    first = stream["next_number"]
    appended = Appended(at_ms, at_ms, first, first + count - 1)
    size = len(body) - count + 1
    _insert(tx, stream, appended, at_ms, 1, size, body)
    _grow(tx, stream, appended, at_ms, size, source_offset)
    return appended


def append_events(tx: Connection, stream: Row, events: Sequence[tuple[int, str]], at_ms: int) -> Appended:
    """Store events of `(timestamp, message)` that are in order of time; they may lie before what is there."""
    first = stream["next_number"]
    numbered = [Event(timestamp, first + place, at_ms, message) for place, (timestamp, message) in enumerate(events)]
    appended = Appended(numbered[0].timestamp, numbered[-1].timestamp, first, first + len(numbered) - 1)
    late = 0
    while late < len(numbered) and numbered[late].timestamp < stream["last_ms"]:
        late += 1
    rest: Sequence[Event] = numbered[:late]
    while rest:
        rest = _insert_late(tx, stream, rest)
    _insert_events(tx, stream, numbered[late:])
    _grow(tx, stream, appended, at_ms, sum(len(event.message.encode("utf-8", "replace")) for event in numbered), 0)
    return appended


def events_of(block: Row, body: bytes) -> list[Event]:
    """The events of one block, in order. An empty line is a blank, as Logs knows no empty message."""
    if block["is_lines"]:
        at, ingested, first = block["first_ms"], block["ingested_ms"], block["first_number"]
        lines = body.decode("utf-8", "replace").split("\n")
        return [Event(at, first + place, ingested, line or " ") for place, line in enumerate(lines)]
    return [Event(*event) for event in json.loads(body)]


def _insert_late(tx: Connection, stream: Row, events: Sequence[Event]) -> Sequence[Event]:
    """Store the first of these events, and all that belong next to it; returns what is left."""
    at = events[0].timestamp
    around = tx.execute(SQL["block_around"], (stream["stream_id"], at)).fetchone()
    if around is not None and at < around["last_ms"]:
        count = _count_before(events, around["last_ms"])
        body = tx.execute(SQL["block_body"], (around["seq"],)).fetchone()["body"]
        tx.execute(SQL["delete_block"], (around["seq"],))
        _insert_events(tx, stream, sorted([*events_of(around, body), *events[:count]]))
        return events[count:]
    following = tx.execute(SQL["first_block_behind"], (stream["stream_id"], at)).fetchone()["first_ms"]
    count = len(events) if following is None else _count_before(events, following)
    _insert_events(tx, stream, events[:count])
    return events[count:]


def _count_before(events: Sequence[Event], limit_ms: int) -> int:
    return next((place for place, event in enumerate(events) if event.timestamp >= limit_ms), len(events))


def _insert_events(tx: Connection, stream: Row, events: Sequence[Event]) -> None:
    for part, size in _parts(events):
        numbers = [event.number for event in part]
        span = Appended(part[0].timestamp, part[-1].timestamp, min(numbers), max(numbers))
        _insert(tx, stream, span, part[-1].ingested, 0, size, json.dumps(part).encode())


def _parts(events: Sequence[Event]) -> Iterator[tuple[Sequence[Event], int]]:
    """Events in parts that one block holds, each with the bytes of its messages."""
    start, size = 0, 0
    for place, event in enumerate(events):
        length = len(event.message.encode("utf-8", "replace"))
        if place > start and (size + length > _MAX_BLOCK_BYTES or place - start >= MAX_LINES):
            yield events[start:place], size
            start, size = place, 0
        size += length
    if start < len(events):
        yield events[start:], size


def _insert(tx: Connection, stream: Row, span: Appended, at_ms: int, is_lines: int, size: int, body: bytes) -> None:  # noqa: PLR0917 - a row
    tx.execute(
        SQL["insert_block"], (stream["stream_id"], stream["group_id"], *span, at_ms, is_lines, size, body)
    )  # fmt: skip


def _grow(tx: Connection, stream: Row, appended: Appended, at_ms: int, size: int, source_offset: int) -> None:  # noqa: PLR0917 - a row
    tx.execute(
        SQL["grow_stream"],
        {
            "stream_id": stream["stream_id"],
            "first_ms": appended.first_ms,
            "last_ms": appended.last_ms,
            "ingested_ms": at_ms,
            "next_number": appended.last_number + 1,
            "stored_bytes": size,
            "source_offset": source_offset,
        },
    )
    tx.execute(SQL["grow_group"], (size, appended.last_ms - appended.first_ms, stream["group_id"]))

"""Events read page by page from disk: of one stream in both directions, of many streams in order of time.

Never more than a few blocks are in memory, whatever the log holds.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from sqlite3 import Row
from typing import NamedTuple

from trainworks.twin.services.logs.blocks import EVENT_OVERHEAD_BYTES, SQL, Event, events_of
from trainworks.twin.store import Database

MAX_EVENTS = 10_000
MAX_BYTES = 1024 * 1024
"""What one page holds at most."""
END_OF_TIME = 2**62
_FIRST_ROWS, _MORE_ROWS = 4, 64


class EventPosition(NamedTuple):
    """A place between the events of a stream: behind or before the event of this time and number."""

    timestamp: int
    number: int


class LocatedEvent(NamedTuple):
    """An event among those of many streams, in their common order."""

    timestamp: int
    stream_id: int
    event: Event


class BlockReader:
    """Reads blocks of `logs.db`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def forward(
        self, stream_id: int, after: EventPosition, start: int, end: int, limit: int = MAX_EVENTS
    ) -> list[Event]:
        """The next events behind `after` with `start <= time < end`, oldest first, as many as a page holds."""
        page: list[Event] = []
        size = 0
        for event in self.events(stream_id, after, start, end):
            size += len(event.message) + EVENT_OVERHEAD_BYTES
            if page and size > MAX_BYTES:
                break
            page.append(event)
            if len(page) >= limit:
                break
        return page

    def backward(
        self, stream_id: int, before: EventPosition, start: int, end: int, limit: int = MAX_EVENTS
    ) -> list[Event]:
        """The last events before `before` with `start <= time < end`, oldest first, as many as a page holds."""
        before = min(before, EventPosition(end, -1))
        page: list[Event] = []
        size = 0
        for block in self._blocks("blocks_of_stream_descending", stream_id, before.timestamp, END_OF_TIME, END_OF_TIME):
            for event in reversed(self._events(block)):
                if (event.timestamp, event.number) >= before:
                    continue
                size += len(event.message) + EVENT_OVERHEAD_BYTES
                if event.timestamp < start or len(page) >= limit or (page and size > MAX_BYTES):
                    return page[::-1]
                page.append(event)
        return page[::-1]

    def events(self, stream_id: int, after: EventPosition, start: int, end: int) -> Iterator[Event]:
        """All events of a stream behind `after` with `start <= time < end`, in order."""
        low = max(start, after.timestamp)
        for block in self._blocks_from(stream_id, low, end - 1):
            if block["last_ms"] < low:
                continue
            if block["last_ms"] == after.timestamp and block["last_number"] <= after.number:
                continue
            for event in self._events(block):
                if event.timestamp >= end:
                    return
                if event.timestamp >= start and (event.timestamp, event.number) > after:
                    yield event

    def of_streams(self, stream_ids: Iterable[int], start: int, last: int) -> Iterator[LocatedEvent]:
        """The events of a few streams with `start <= time <= last`, in order of time."""
        sources = [self._blocks_from(each, start, last) for each in stream_ids]
        merged = heapq.merge(*sources, key=lambda block: (block["first_ms"], block["seq"]))
        return self._merged(merged, start, last)

    def of_group(
        self, group: Row, start: int, last: int, *, only: frozenset[int] | None = None
    ) -> Iterator[LocatedEvent]:
        """The events of all streams of a group (or of those in `only`) with `start <= time <= last`, in order."""
        blocks = self._blocks("blocks_of_group", group["group_id"], start - group["longest_ms"], -1, last)
        return self._merged((each for each in blocks if only is None or each["stream_id"] in only), start, last)

    def one(self, stream_id: int, at: EventPosition) -> Event | None:
        """The event with this time and number, or None."""
        before = EventPosition(at.timestamp, at.number - 1)
        for event in self.events(stream_id, before, at.timestamp, at.timestamp + 1):
            return event if event.number == at.number else None
        return None

    def _merged(self, blocks: Iterator[Row], start: int, last: int) -> Iterator[LocatedEvent]:
        """Events in order of time, out of blocks in order of their first one: a block is opened when its time comes."""
        heap: list[tuple[int, int, int, Event, Iterator[Event]]] = []

        def push(stream_id: int, rest: Iterator[Event]) -> None:
            event = next(rest, None)
            if event is not None:
                heapq.heappush(heap, (event.timestamp, stream_id, event.number, event, rest))

        def until(limit: int) -> Iterator[LocatedEvent]:
            while heap and heap[0][0] < limit:
                timestamp, stream_id, _, event, rest = heapq.heappop(heap)
                push(stream_id, rest)
                if start <= timestamp <= last:
                    yield LocatedEvent(timestamp, stream_id, event)

        for block in blocks:
            if block["last_ms"] < start:
                continue
            yield from until(block["first_ms"])
            push(block["stream_id"], iter(self._events(block)))
        yield from until(last + 1)

    def _blocks_from(self, stream_id: int, low: int, last: int) -> Iterator[Row]:
        """The blocks of a stream that may hold events with `low <= time <= last`."""
        row = self._database.read_one(SQL["first_block_from"], (stream_id, low))
        first = row["first_ms"] if row is not None and row["first_ms"] is not None else -1
        return self._blocks("blocks_of_stream", stream_id, first, -1, last)

    def _blocks(self, query: str, owner: int, time: int, seq: int, end: int) -> Iterator[Row]:
        limit = _FIRST_ROWS
        while True:
            values = {"owner": owner, "time": time, "seq": seq, "end": end, "limit": limit}
            rows = self._database.read(SQL[query], values)
            yield from rows
            if len(rows) < limit:
                return
            time, seq, limit = rows[-1]["first_ms"], rows[-1]["seq"], _MORE_ROWS

    def _events(self, block: Row) -> list[Event]:
        row = self._database.read_one(SQL["block_body"], (block["seq"],))
        return events_of(block, row["body"]) if row is not None else []

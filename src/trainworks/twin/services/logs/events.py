"""Log events: put, read in both directions, filtered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from sqlite3 import Row
from typing import Any

from trainworks.twin.services.logs.blocks import EVENT_OVERHEAD_BYTES, SQL, Event
from trainworks.twin.services.logs.patterns import compile_pattern
from trainworks.twin.services.logs.reading import END_OF_TIME, MAX_BYTES, MAX_EVENTS, EventPosition, LocatedEvent
from trainworks.twin.services.logs.request import (
    MOST_INTEGER,
    Requests,
    behind,
    decode_token,
    encode_token,
    invalid,
    missing,
    scope_of,
)
from trainworks.twin.wire import Call, Operation, executed

MAX_BATCH_BYTES = 1_048_576
_HOUR_MS = 3_600_000
DAY_MS = 24 * _HOUR_MS
_MOST_AHEAD_MS, _MOST_BEHIND_MS = 2 * _HOUR_MS, 14 * DAY_MS
_FEW_STREAMS, _TOKEN_DIGITS = 100, 20
_MOST_SCANNED_BYTES = 32 * 1024 * 1024
"""How much FilterLogEvents reads for one page before it answers with what it found."""
_FIELDS_WINDOW_MS, _FIELDS_SAMPLE = 8 * 60_000, 1000


class Events:
    """The operations on events."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._store = requests.store

    def operations(self) -> Mapping[str, Operation]:
        return {
            "PutLogEvents": executed(self.put_log_events, refused_members=("entity",)),
            "GetLogEvents": executed(self.get_log_events, refused_members=("unmask",)),
            "FilterLogEvents": executed(
                self.filter_log_events, "Oldest events come first only.", refused_members=("unmask",)
            ),
            "GetLogRecord": executed(self.get_log_record, refused_members=("unmask",)),
            "GetLogGroupFields": executed(self.get_log_group_fields, "From the first 1,000 events of the window."),
        }

    def put_log_events(self, call: Call) -> dict[str, Any]:
        """Raises `InvalidParameterException` for a batch that is too large, too long in time, or not in order."""
        group, stream = self._requests.stream(call)
        events = [(event["timestamp"], event["message"]) for event in call.params["logEvents"]]
        size = sum(len(message.encode("utf-8", "replace")) + EVENT_OVERHEAD_BYTES for _, message in events)
        if size > MAX_BATCH_BYTES:
            raise invalid(f"Upload too large: {size} bytes exceeds limit of {MAX_BATCH_BYTES}")
        times = [timestamp for timestamp, _ in events]
        if any(later < earlier for earlier, later in pairwise(times)):
            raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
        accepted, rejected = self._accepted(group, events)
        if accepted and accepted[-1][0] - accepted[0][0] > DAY_MS:
            raise invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
        if accepted:
            self._store.put_events(group, stream, accepted)
        token = str(stream["next_number"] + len(accepted) + 1)
        return {"nextSequenceToken": token} | ({"rejectedLogEventsInfo": rejected} if rejected else {})

    def get_log_events(self, call: Call) -> dict[str, Any]:
        group, stream = self._requests.stream(call)
        start = self._oldest(group, min(call.params.get("startTime", 0), END_OF_TIME))
        end = min(call.params.get("endTime", END_OF_TIME), END_OF_TIME)
        limit, reader = call.params.get("limit", MAX_EVENTS), self._store.reader
        is_forward, place = _place_of(call.params.get("nextToken"))
        if place is None:
            is_forward = call.params.get("startFromHead", False)
            place = EventPosition(start, -1) if is_forward else EventPosition(end, -1)
        read = reader.forward if is_forward else reader.backward
        page = read(stream["stream_id"], place, start, end, limit)
        if page:
            first, last = (EventPosition(each.timestamp, each.number) for each in (page[0], page[-1]))
        elif is_forward:
            first, last = EventPosition(place.timestamp, place.number + 1), place
        else:
            first, last = place, EventPosition(place.timestamp, place.number - 1)
        return {
            "events": [_shown(event) for event in page],
            "nextForwardToken": f"f/{last.timestamp}/{last.number}",
            "nextBackwardToken": f"b/{first.timestamp}/{first.number}",
        }

    def filter_log_events(self, call: Call) -> dict[str, Any]:
        group = self._requests.group(call)
        names, prefix = call.params.get("logStreamNames"), call.params.get("logStreamNamePrefix")
        if names and prefix:
            raise invalid("logStreamNames and logStreamNamePrefix exclude each other.")
        if call.params.get("startFromHead") is False:
            raise invalid("trainworks does not implement startFromHead=false of logs:FilterLogEvents; leave it out")
        matches = compile_pattern(call.params.get("filterPattern", "")).match
        after = tuple(decode_token(call, int, int, int) or (-1, -1, -1))
        start = max(self._oldest(group, call.params.get("startTime", 0)), after[0])
        start, last = min(start, END_OF_TIME), min(call.params.get("endTime", END_OF_TIME), END_OF_TIME - 1)
        streams = self._streams(group, names, prefix)
        limit = call.params.get("limit", MAX_EVENTS)
        page: list[dict[str, Any]] = []
        size = scanned = 0
        place: tuple[int, ...] = ()
        known: dict[int, str] = {} if streams is None else {row["stream_id"]: row["name"] for row in streams}
        for found in self._found(group, streams, start, last):
            this = (found.timestamp, found.stream_id, found.event.number)
            if this <= after:
                continue
            length = len(found.event.message) + EVENT_OVERHEAD_BYTES
            if scanned + length > _MOST_SCANNED_BYTES or len(page) == limit:
                return {"events": page, "searchedLogStreams": [], "nextToken": encode_token(place, call)}
            scanned += length
            name = self._name_of(found.stream_id, known)
            if name is not None and matches(found.event.message) is not None:
                if page and size + length > MAX_BYTES:
                    return {"events": page, "searchedLogStreams": [], "nextToken": encode_token(place, call)}
                size += length
                page.append({**_shown(found.event), "logStreamName": name, "eventId": event_id(found)})
            place = this
        return {"events": page, "searchedLogStreams": []}

    def get_log_record(self, call: Call) -> dict[str, Any]:
        """The event behind an `@ptr`."""
        stream_id, place = place_of_id(call.params["logRecordPointer"])
        stream = self._store.database.read_one(SQL["stream_by_id"], (stream_id,))
        group = self._store.database.read_one(SQL["group_by_id"], (stream["group_id"],)) if stream is not None else None
        if stream is None or group is None or (group["account"], group["region"]) != scope_of(call.caller):
            raise missing("log record")
        self._requests.authorize(call, group["name"], stream["name"])
        event = self._store.reader.one(stream_id, place)
        if event is None:
            raise missing("log record")
        return {
            "logRecord": {
                "@timestamp": str(event.timestamp),
                "@ingestionTime": str(event.ingested),
                "@message": event.message,
                "@logStream": stream["name"],
                "@log": f"{call.caller.account_id}:{group['name']}",
                "@ptr": call.params["logRecordPointer"],
            }
        }

    def get_log_group_fields(self, call: Call) -> dict[str, Any]:
        """Which fields the events around a time have, and in how many per cent of them."""
        group = self._requests.group(call)
        if "time" in call.params:
            start = min(call.params["time"], MOST_INTEGER // 4000) * 1000 - _FIELDS_WINDOW_MS
            last = start + 2 * _FIELDS_WINDOW_MS
        else:
            last = self._store.now_ms()
            start = last - 15 * 60_000
        counts: Counter[str] = Counter()
        total = 0
        for found in islice(self._store.reader.of_group(group, start, last), _FIELDS_SAMPLE):
            total += 1
            counts.update(json_fields(found.event.message))
        counts |= dict.fromkeys(("@ingestionTime", "@log", "@logStream", "@message", "@timestamp"), total)
        shares = {name: round(100 * count / total) for name, count in counts.items()} if total else {}
        return {"logGroupFields": [{"name": name, "percent": share} for name, share in sorted(shares.items())]}

    def _accepted(
        self, group: Row, events: Sequence[tuple[int, str]]
    ) -> tuple[Sequence[tuple[int, str]], dict[str, int]]:
        """The events that are neither too old nor too new, and which ends of the batch were rejected."""
        now = self._store.now_ms()
        expired_before = now - group["retention_days"] * DAY_MS if group["retention_days"] else 0
        expired = sum(timestamp < expired_before for timestamp, _ in events)
        too_old = sum(timestamp < now - _MOST_BEHIND_MS for timestamp, _ in events)
        too_new = sum(timestamp > now + _MOST_AHEAD_MS for timestamp, _ in events)
        rejected = {}
        if too_new:
            rejected["tooNewLogEventStartIndex"] = len(events) - too_new
        if too_old:
            rejected["tooOldLogEventEndIndex"] = too_old
        if expired:
            rejected["expiredLogEventEndIndex"] = expired
        return events[max(expired, too_old) : len(events) - too_new], rejected

    def _oldest(self, group: Row, start: int) -> int:
        """The oldest time that is shown: what is beyond the retention is gone, whether it was removed yet or not."""
        days = group["retention_days"]
        return max(start, self._store.now_ms() - days * DAY_MS) if days else start

    def _streams(self, group: Row, names: Sequence[str] | None, prefix: str | None) -> list[Row] | None:
        """The streams that are searched; None for all of them."""
        if names:
            rows = [self._store.stream(group, name) for name in dict.fromkeys(names)]
            if None in rows:
                raise missing("log stream")
            return [row for row in rows if row is not None]
        if not prefix:
            return None
        values = {"group_id": group["group_id"], "first": prefix, "behind": behind(prefix), "after": "", "limit": -1}
        return self._store.database.read(SQL["streams_by_name"], values)

    def _found(self, group: Row, streams: list[Row] | None, start: int, last: int) -> Iterator[LocatedEvent]:
        reader = self._store.reader
        if streams is None:
            return reader.of_group(group, start, last)
        ids = [row["stream_id"] for row in streams]
        if len(ids) <= _FEW_STREAMS:
            return reader.of_streams(ids, start, last)
        return reader.of_group(group, start, last, only=frozenset(ids))

    def _name_of(self, stream_id: int, known: dict[int, str]) -> str | None:
        """A stream's name; None if it was deleted and its events are not gone yet."""
        if stream_id not in known:
            row = self._store.database.read_one(SQL["stream_by_id"], (stream_id,))
            if row is None:
                return None
            known[stream_id] = row["name"]
        return known[stream_id]


def event_id(found: LocatedEvent) -> str:
    """56 digits, as AWS's: time, stream, number."""
    return f"{found.timestamp:020d}{found.stream_id:018d}{found.event.number:018d}"


def place_of_id(text: str) -> tuple[int, EventPosition]:
    """Stream and place that an event id names. Raises `InvalidParameterException`."""
    if len(text) != 56 or not text.isdecimal():
        raise invalid(f"'{text}' is not the pointer of a log record")
    return int(text[20:38]), EventPosition(int(text[:20]), int(text[38:]))


def json_fields(message: str) -> dict[str, Any]:
    """The top-level fields of a JSON message; empty for any other."""
    if not message.lstrip().startswith("{"):
        return {}
    try:
        document = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _shown(event: Event) -> dict[str, Any]:
    return {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.ingested}


def _place_of(token: str | None) -> tuple[bool, EventPosition | None]:
    """Direction and place of a GetLogEvents token."""
    if token is None:
        return True, None
    try:
        direction, *place = token.split("/")
        timestamp, number = (int(each) for each in place if len(each) <= _TOKEN_DIGITS)
        if direction in ("f", "b") and max(abs(timestamp), abs(number)) <= MOST_INTEGER:
            return direction == "f", EventPosition(timestamp, number)
    except ValueError:
        pass
    raise invalid("The specified nextToken is invalid.")

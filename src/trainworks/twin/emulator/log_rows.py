"""CloudWatch Logs on disk: a row per group, a row per stream, a row per event, each written once.

Stock keeps a group with all its streams and events as one value; writing that for every new line would cost the square
of a log's length. Here a group's `streams` are a store of their own and a stream's events are appended.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any
from uuid import uuid4

from trainworks.twin.emulator.journal import EVERY_ROW, Journal, Row, TouchedDict
from trainworks.twin.emulator.writing import Snapshot, Statement, UnstorableError, pickled, unpickled
from trainworks.twin.store.database import Database

GROUPS = "cloudwatch_logs._log_groups"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log_streams (
    log_group TEXT NOT NULL, stream TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (log_group, stream)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_events (
    log_group TEXT NOT NULL, stream TEXT NOT NULL, position INTEGER NOT NULL, timestamp INTEGER NOT NULL,
    ingestion_time INTEGER NOT NULL, event_id TEXT NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (log_group, stream, position)) WITHOUT ROWID;
"""
_PUT_GROUP = "INSERT OR REPLACE INTO emulator_rows VALUES (?, ?, ?)"
_DROP_GROUP = "DELETE FROM emulator_rows WHERE store = ? AND key = ?"
_PUT_STREAM = "INSERT OR REPLACE INTO log_streams VALUES (?, ?, ?)"
_DROP_STREAM = "DELETE FROM log_streams WHERE log_group = ? AND stream = ?"
_DROP_STREAMS = "DELETE FROM log_streams WHERE log_group = ?"
_PUT_EVENT = "INSERT INTO log_events VALUES (?, ?, ?, ?, ?, ?, ?)"
_DROP_STREAM_EVENTS = "DELETE FROM log_events WHERE log_group = ? AND stream = ?"
_DROP_GROUP_EVENTS = "DELETE FROM log_events WHERE log_group = ?"
_ONE_GROUP_STREAMS = "SELECT stream, value FROM log_streams WHERE log_group = ?"
_ONE_GROUP_EVENTS = (
    "SELECT stream, timestamp, ingestion_time, event_id, message FROM log_events WHERE log_group = ? "
    "ORDER BY stream, position"
)


class StreamStore(TouchedDict):
    """The streams of one group. `appended` has the list of events of each stream and how many are on disk."""

    __slots__ = ("appended", "group")

    def __init__(self, journal: Journal, group: str) -> None:
        super().__init__(journal, "cloudwatch_logs.streams")
        self.group = group
        self.appended: dict[str, tuple[list[Any], int]] = {}


class LogRows:
    """Turns touched groups and streams into SQL, and SQL back into groups and streams."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.apply(_SCHEMA)
        self._groups: TouchedDict | None = None

    def adopt(self, module: ModuleType, journal: Journal) -> None:
        """Give the groups that were read from disk their streams."""
        self._groups = groups = module._log_groups._data
        for key, group in dict.items(groups):
            group["streams"] = self._load(repr(key), journal)
            for name, stream in dict.items(group["streams"]):
                for event in stream["events"]:
                    record = module._build_log_record(
                        ptr=event["eventId"],
                        timestamp_ms=event["timestamp"],
                        message=event["message"],
                        log_group=key[-1],
                        log_stream=name,
                    )
                    dict.__setitem__(module._log_records._data, (*key[:2], event["eventId"]), record)

    def owns(self, store: TouchedDict) -> bool:
        """Whether a store is one of Logs, whose rows are written here."""
        return isinstance(store, StreamStore) or store.name == GROUPS

    def takes(self, row: Row, snapshot: Snapshot) -> bool:
        """Add what has to be written for a row when it is one of Logs; whether it was. Raises `UnstorableError`."""
        store, key = row
        out: list[Statement] = []
        if isinstance(store, StreamStore):
            self._stream(store, key, out)
        elif store.name == GROUPS:
            self._group(store, key, out)
        else:
            return False
        snapshot.statements += [(row, statement) for statement in out]
        return True

    def forget(self) -> None:
        """Nothing that was thought to be on disk is: write all streams anew."""
        for group in dict.values(self._groups or {}):
            streams = group["streams"]
            if isinstance(streams, StreamStore):
                streams.appended.clear()
                streams.written.clear()
                streams._touch(EVERY_ROW)

    def _group(self, store: TouchedDict, key: Any, out: list[Statement]) -> None:
        name = repr(key)
        if not dict.__contains__(store, key):
            store.written.pop(key, None)
            out += [(_DROP_GROUP, (GROUPS, name)), (_DROP_STREAMS, (name,)), (_DROP_GROUP_EVENTS, (name,))]
            return
        group = dict.__getitem__(store, key)
        streams = group["streams"]
        if not isinstance(streams, StreamStore):
            # A group that was just made, perhaps again under the name of one that was deleted.
            group["streams"] = StreamStore(store.journal, name)
            dict.update(group["streams"], streams)
            out += [(_DROP_STREAMS, (name,)), (_DROP_GROUP_EVENTS, (name,))]
            for stream in streams:
                self._stream(group["streams"], stream, out)
        value = pickled((key, {**group, "streams": {}}), (store, key))
        if store.written.get(key) != hash(value):
            store.written[key] = hash(value)
            out.append((_PUT_GROUP, (GROUPS, name, value)))

    def _stream(self, store: StreamStore, name: str, out: list[Statement]) -> None:
        if not dict.__contains__(store, name):
            store.written.pop(name, None)
            store.appended.pop(name, None)
            out += [(_DROP_STREAM, (store.group, name)), (_DROP_STREAM_EVENTS, (store.group, name))]
            return
        stream = dict.__getitem__(store, name)
        events = stream["events"]
        known, written = store.appended.get(name, (None, 0))
        refused = _drop_unstorable(events, written if known is events else 0)
        if refused:
            raise UnstorableError(f"The log stream {name} cannot hold {refused}")
        if known is not events:
            # A late batch was merged in, or nothing is known to be on disk: the whole stream again.
            out.append((_DROP_STREAM_EVENTS, (store.group, name)))
            written = 0
        for position in range(written, len(events)):
            event = events[position]
            row = (event["timestamp"], event["ingestionTime"], event["eventId"], event["message"])
            out.append((_PUT_EVENT, (store.group, name, position, *row)))
        store.appended[name] = (events, len(events))
        value = pickled({**stream, "events": []}, (store, name))
        if store.written.get(name) != hash(value):
            store.written[name] = hash(value)
            out.append((_PUT_STREAM, (store.group, name, value)))

    def _load(self, group: str, journal: Journal) -> StreamStore:
        store = StreamStore(journal, group)
        for row in self._database.read(_ONE_GROUP_STREAMS, (group,)):
            dict.__setitem__(store, row["stream"], unpickled(row["value"]))
            store.written[row["stream"]] = hash(row["value"])
        for row in self._database.read(_ONE_GROUP_EVENTS, (group,)):
            dict.__getitem__(store, row["stream"])["events"].append(
                {
                    "timestamp": row["timestamp"],
                    "message": row["message"],
                    "ingestionTime": row["ingestion_time"],
                    "eventId": row["event_id"],
                }
            )
        for name, stream in dict.items(store):
            store.appended[name] = (stream["events"], len(stream["events"]))
        return store


def _drop_unstorable(events: list[Any], first: int) -> str:
    """Complete the events from `first` on, and take out those that no database holds; what they are, in words.

    ministack itself appends events without an id and an ingestion time.
    """
    refused = []
    for event in events[first:]:
        event.setdefault("eventId", uuid4().hex)
        event.setdefault("ingestionTime", event.get("timestamp"))
        problem = _problem(event)
        if problem:
            refused.append(problem)
            events.remove(event)
    return "; ".join(refused[:3])


def _problem(event: dict[str, Any]) -> str:
    message, timestamp = event.get("message"), event.get("timestamp")
    if not isinstance(message, str):
        return f"an event whose message is {message!r}"[:200]
    try:
        message.encode()
    except UnicodeEncodeError:
        return f"the message {message!r}, which is no valid text"[:200]
    times = (timestamp, event["ingestionTime"])
    if not all(isinstance(each, int) and -(2**63) <= each < 2**63 for each in times):
        return f"the timestamp {timestamp!r}"[:200]
    return ""

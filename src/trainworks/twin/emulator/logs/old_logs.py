"""Log groups as earlier versions kept them in `emulator.db`: read once, handed over, dropped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.twin.emulator.durable.writing import unpickled
from trainworks.twin.store.database import Database

EARLIER_SCHEMA = """
CREATE TABLE IF NOT EXISTS log_streams (
    log_group TEXT NOT NULL, stream TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (log_group, stream)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_events (
    log_group TEXT NOT NULL, stream TEXT NOT NULL, position INTEGER NOT NULL, timestamp INTEGER NOT NULL,
    ingestion_time INTEGER NOT NULL, event_id TEXT NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (log_group, stream, position)) WITHOUT ROWID;
"""
"""What such a database has, besides the rows of `cloudwatch_logs` in `emulator_rows`."""
_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'log_events'"
_ROWS = "SELECT key, value FROM emulator_rows WHERE store = ?"
_STREAMS = "SELECT stream, value FROM log_streams WHERE log_group = ?"
_EVENTS = (
    "SELECT timestamp, message FROM log_events WHERE log_group = ? AND stream = ? AND position >= ? "
    "ORDER BY position LIMIT ?"
)
_PAGE = 5000


@dataclass(frozen=True, slots=True)
class OldGroup:
    """A group with what ministack recorded of it; `events` reads a stream page by page."""

    account: str
    region: str
    name: str
    record: Mapping[str, Any]
    metric_filters: tuple[Mapping[str, Any], ...]
    streams: tuple[str, ...]
    database: Database
    key: str

    def events(self, stream: str) -> Iterator[list[tuple[int, str]]]:
        position = 0
        while page := self.database.read(_EVENTS, (self.key, stream, position, _PAGE)):
            yield [(row["timestamp"], row["message"]) for row in page]
            position += len(page)


def groups(database: Database) -> Iterator[OldGroup]:
    """All groups; none where this version made the database, or took them over already."""
    if database.read_one(_TABLE) is None:
        return
    filters = [unpickled(row["value"]) for row in database.read(_ROWS, ("cloudwatch_logs._metric_filters",))]
    for row in database.read(_ROWS, ("cloudwatch_logs._log_groups",)):
        key, record = unpickled(row["value"])
        account, region, name = key
        own = tuple(value for owner, value in filters if owner[:2] == key[:2] and value["logGroupName"] == name)
        streams = tuple(found["stream"] for found in database.read(_STREAMS, (row["key"],)))
        yield OldGroup(account, region, name, record, own, streams, database, row["key"])


def policies(database: Database) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Account, region, name and record of each resource policy."""
    if database.read_one(_TABLE) is None:
        return
    for row in database.read(_ROWS, ("cloudwatch_logs._resource_policies",)):
        (account, region, name), record = unpickled(row["value"])
        yield account, region, name, record


def forget(database: Database) -> None:
    """They are elsewhere now."""
    if database.read_one(_TABLE) is None:
        return
    with database.transaction() as tx:
        tx.execute("DELETE FROM emulator_rows WHERE store >= 'cloudwatch_logs.' AND store < 'cloudwatch_logs/'")
        tx.execute("DROP TABLE log_events")
        tx.execute("DROP TABLE log_streams")

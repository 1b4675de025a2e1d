"""EventBridge events that belong to a state change: written in its transaction, published after the commit.

A service calls `put` with its open transaction; a thread publishes what is committed in order and deletes it. An event
whose publication was interrupted is published again at the next start: at least once, as EventBridge itself delivers.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sqlite3 import Connection, Row

from trainworks.twin.ports import ControlPlane
from trainworks.twin.services.background import Background
from trainworks.twin.store import Database

_LOG = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox_event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    detail_type TEXT NOT NULL,
    detail TEXT NOT NULL,
    resources TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0
);
"""
_INSERT = "INSERT INTO outbox_event (source, detail_type, detail, resources) VALUES (?, ?, ?, ?)"
_NEXT = "SELECT * FROM outbox_event ORDER BY seq LIMIT ?"
_DELETE = "DELETE FROM outbox_event WHERE seq = ?"
_FAIL = "UPDATE outbox_event SET failures = failures + 1 WHERE seq = ?"

_BATCH = 20
MAX_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the default bus, as `events:PutEvents` takes it; `resources` are ARNs."""

    source: str
    detail_type: str
    detail: Mapping[str, object]
    resources: Sequence[str] = ()


class Outbox:
    """Owns the table `outbox_event` and the thread that empties it."""

    def __init__(self, database: Database, control_plane: ControlPlane, retry_seconds: float = 0.5) -> None:
        self._retry_seconds = retry_seconds
        self._database = database
        self._control_plane = control_plane
        self._background = Background("event-outbox", self._pass)
        database.apply(_SCHEMA)

    def is_heard(self, source: str, detail_type: str) -> bool:
        """Whether a rule or an archive may take such events now. One that nobody hears need not be made."""
        return bool(self.patterns(source, detail_type))

    def patterns(self, source: str, detail_type: str) -> Sequence[Mapping[str, object]]:
        """What those that may take such events now ask for."""
        return self._control_plane.event_patterns(source, detail_type)

    def put(self, tx: Connection, events: Sequence[Event]) -> None:
        """Record events inside the caller's transaction."""
        if not events:
            return
        tx.executemany(
            _INSERT,
            [
                (event.source, event.detail_type, json.dumps(event.detail), json.dumps(list(event.resources)))
                for event in events
            ],
        )
        self._background.wake()

    def start(self) -> None:
        """Publish what an earlier run left behind, and from now on what is put."""
        self._background.start()

    def stop(self) -> None:
        """Finish the current batch; the rest stays in the table for the next start."""
        self._background.stop()

    def drain(self) -> int:
        """Publish until nothing is left or the outbox stops; the number of events published."""
        published = 0
        while not self._background.stopping:
            # Under the write lock: `put` woke us before its transaction was committed.
            with self._database.transaction() as tx:
                rows = tx.execute(_NEXT, (_BATCH,)).fetchall()
            if not rows:
                break
            done = self._publish(rows)
            published += done
            if done < len(rows) and self._background.pause(self._retry_seconds):
                break
        return published

    def _publish(self, rows: Sequence[Row]) -> int:
        """Publish in order up to the first failure; how many were published and deleted."""
        done: list[tuple[int]] = []
        for row in rows:
            try:
                self._control_plane.put_event(
                    row["source"], row["detail_type"], json.loads(row["detail"]), json.loads(row["resources"])
                )
            except Exception:  # noqa: BLE001 - recorded with its traceback; a rule's target may raise anything
                self._failed(row["seq"], row["failures"], row["detail_type"])
                break
            done.append((row["seq"],))
        with self._database.transaction() as tx:
            tx.executemany(_DELETE, done)
        return len(done)

    def _failed(self, seq: int, failures: int, detail_type: str) -> None:
        """Keep the event for another try; after several, give it up so that those behind it are published."""
        given_up = failures + 1 >= MAX_FAILURES
        _LOG.exception("event %s (%s) could not be published%s", seq, detail_type, "; given up" if given_up else "")
        with self._database.transaction() as tx:
            tx.execute(_DELETE if given_up else _FAIL, (seq,))

    def _pass(self) -> None:
        self.drain()

"""Task events, as they are written into the rows of training jobs' and endpoints' tasks."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection

from trainworks.twin.ports import TaskEvent


def write_events(tx: Connection, statement: str, events: Sequence[TaskEvent]) -> set[str]:
    """Run `statement` for each event, and tell whose tasks it changed.

    It takes the event's members by name (`:at`, `:exit_code`, ...) and returns the owner of each row that it changes.
    """
    owners: set[str] = set()
    for event in events:
        named = {
            "task_id": event.task_id,
            "state": event.state.value,
            "at": event.at,
            "exit_code": event.exit_code,
            "reason": event.reason,
            "instance_id": event.instance_id,
        }
        owners.update(str(row[0]) for row in tx.execute(statement, named).fetchall())
    return owners

"""What has ended and AWS forgets after 90 days: executions, map runs, replays, and stacks that are deleted.

Events leave an archive after its `RetentionDays`; stock keeps them for ever, and replays them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from trainworks.twin.emulator.durable.journal import TouchedDict

_KEPT = timedelta(days=90)
_DAY_SECONDS = 86_400

Ended = Callable[[Mapping[str, Any]], Any]


def _run(record: Mapping[str, Any]) -> Any:
    return record.get("stopDate") if record.get("status") != "RUNNING" else None


def _stack(record: Mapping[str, Any]) -> Any:
    gone = record.get("StackStatus") == "DELETE_COMPLETE"
    return record.get("DeletionTime") or record.get("LastUpdatedTime") if gone else None


def _replay(record: Mapping[str, Any]) -> Any:
    return record.get("ReplayEndTime")


_STORES: tuple[tuple[str, str, Ended], ...] = (
    ("stepfunctions", "_executions", _run),
    ("stepfunctions", "_map_runs", _run),
    ("cloudformation", "_stacks", _stack),
    ("eventbridge", "_replays", _replay),
)


def forget_ended() -> None:
    """Let go of it, of those services that are loaded; on the thread that owns the state."""
    now = datetime.now(UTC)
    for name, attribute, ended in _STORES:
        if (store := _loaded(name, attribute)) is not None:
            forget(store, ended, now)
    if (archives := _loaded("eventbridge", "_archives")) is not None:
        forget_archived(archives, now.timestamp())


def _loaded(name: str, attribute: str) -> TouchedDict | None:
    store = getattr(getattr(sys.modules.get(f"ministack.services.{name}"), attribute, None), "_data", None)
    return store if isinstance(store, TouchedDict) and store.name is not None else None


def forget(store: TouchedDict, ended: Ended, now: datetime) -> None:
    """Take out the records that ended longer than 90 days before `now`; `ended` says when, or None.

    A moment is in ISO 8601, or in seconds.
    """
    for key, record in list(dict.items(store)):
        at = ended(record)
        if isinstance(at, int | float):
            at = datetime.fromtimestamp(at, UTC).isoformat()
        if isinstance(at, str) and datetime.fromisoformat(at) < now - _KEPT:
            store.pop(key)


def forget_archived(archives: TouchedDict, now: float) -> None:
    """Take the events out of archives that are older than these keep them; 0 days are for ever.

    `now` is in seconds. Events are in the order in which they came, which is what their `Time` says.
    """
    for key, archive in list(dict.items(archives)):
        oldest = now - int(archive.get("RetentionDays") or 0) * _DAY_SECONDS
        events = archive.get("Events") or []
        if oldest == now or not events or events[0]["Time"] >= oldest:
            continue
        gone = next((place for place, event in enumerate(events) if event["Time"] >= oldest), len(events))
        del events[:gone]
        archives[key]["EventCount"] = len(events)

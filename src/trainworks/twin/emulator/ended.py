"""What has ended and AWS forgets after 90 days: executions, map runs, replays, and stacks that are deleted.

Events leave an archive after its `RetentionDays` (`events/archives.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from trainworks.twin.emulator.durable.change_tracking import TouchedDict
from trainworks.twin.emulator.events.archives import forget_archived

_KEPT = timedelta(days=90)

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
    """Let go of it, of those services that are loaded. On the thread that owns the state."""
    now = datetime.now(UTC)
    for name, attribute, ended in _STORES:
        store = _loaded(name, attribute)
        if store is not None:
            forget(store, ended, now)


def forget_events() -> bool:
    """Let go of a part of what archives keep no longer; whether there may be more. On the thread of the state."""
    archives = _loaded("eventbridge", "_archives")
    return archives is not None and forget_archived(archives, datetime.now(UTC))


def _loaded(name: str, attribute: str) -> TouchedDict | None:
    module = sys.modules.get(f"ministack.services.{name}")
    store = getattr(getattr(module, attribute, None), "_data", None)
    return store if isinstance(store, TouchedDict) and store.name is not None else None


def forget(store: TouchedDict, ended: Ended, now: datetime) -> None:
    """Take out the records that ended longer than 90 days before `now`; `ended` says when, or None.

    A time is in ISO 8601, or in seconds.
    """
    for key, record in list(dict.items(store)):
        at = ended(record)
        if isinstance(at, int | float):
            at = datetime.fromtimestamp(at, UTC).isoformat()
        if isinstance(at, str) and datetime.fromisoformat(at) < now - _KEPT:
            store.pop(key)

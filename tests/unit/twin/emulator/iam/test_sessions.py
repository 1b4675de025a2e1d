"""Sessions that have ended are gone, and making one costs the same however many there are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from trainworks.twin.emulator.durable.change_tracking import EVERY_ROW, ChangeTracker, TouchedDict
from trainworks.twin.emulator.iam import sessions


def sts_with(stored: dict[str, float]) -> tuple[Any, ChangeTracker]:
    tracker = ChangeTracker()
    store = TouchedDict(tracker, "sts._sessions")
    for key, end in stored.items():
        dict.__setitem__(store, key, {"Expiration": end})
    return SimpleNamespace(_sessions=store), tracker


def test_sessions_end_also_those_that_came_back_from_disk() -> None:
    sts, _ = sts_with({"old": 100.0, "long": 900.0})
    now = 50.0
    sessions.install(sts, lambda: now)
    sts.register_session("new", {"Expiration": 150.0})
    sts.register_session("kept", {})
    assert set(sts._sessions) == {"old", "long", "new", "kept"}
    now = 200.0
    sts.register_session("last", {"Expiration": 300.0})
    assert set(sts._sessions) == {"long", "kept", "last"}


def test_a_session_that_was_prolonged_is_kept() -> None:
    sts, _ = sts_with({})
    now = 0.0
    sessions.install(sts, lambda: now)
    sts.register_session("key", {"Expiration": 10.0})
    sts.register_session("key", {"Expiration": 100.0})
    now = 50.0
    sts.register_session("other", {"Expiration": 60.0})
    assert set(sts._sessions) == {"key", "other"}


def test_a_new_session_touches_its_own_row_alone() -> None:
    sts, tracker = sts_with({f"key-{number}": 1e9 for number in range(1000)})
    sessions.install(sts, lambda: 0.0)
    sts.register_session("new", {"Expiration": 10.0})
    touched = tracker.due()
    assert touched == {(sts._sessions, "new")}
    assert (sts._sessions, EVERY_ROW) not in touched

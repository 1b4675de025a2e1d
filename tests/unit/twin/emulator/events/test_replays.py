"""The end of a replay, whatever happens in it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from trainworks.twin.emulator.events.archives import Replays

SCOPE = ("000000000000", "us-east-1")
EVENTS = [(1, {"Time": 5.0}), (2, {"Time": 6.0}), (3, {"Time": 99.0})]
ARCHIVE = {"Events": SimpleNamespace(numbered=lambda: iter(EVENTS))}


def replay(dispatch: Any) -> dict[str, Any]:
    begun = {"ReplayName": "r", "State": "STARTING", "EventStartTime": 0.0, "EventEndTime": 10.0}
    events = SimpleNamespace(_replays={"r": begun}, _dispatch_event=lambda event: dispatch(begun, event))
    Replays(events)._run(ARCHIVE, begun, "default", SCOPE)
    return begun


def test_a_replay_that_delivered_all_is_completed() -> None:
    delivered: list[float] = []
    ended = replay(lambda _, event: delivered.append(event["Time"]))
    assert (ended["State"], delivered) == ("COMPLETED", [5.0, 6.0])


def test_a_replay_that_an_event_fails_has_failed_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    def dispatch(_: Any, __: Any) -> None:
        raise OSError("no space left on device")

    ended = replay(dispatch)
    assert (ended["State"], ended["StateReason"]) == ("FAILED", "no space left on device")
    assert ended["ReplayEndTime"]
    assert "the replay r failed" in caplog.text


def test_a_replay_that_is_cancelled_stops() -> None:
    delivered: list[float] = []

    def dispatch(begun: dict[str, Any], event: dict[str, Any]) -> None:
        delivered.append(event["Time"])
        begun["State"] = "CANCELLED"

    assert (replay(dispatch)["State"], delivered) == ("CANCELLED", [5.0])

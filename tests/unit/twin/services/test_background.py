"""Threads that work when they are woken, or when their last pass asked for another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tests.patience import PATIENCE_SECONDS
from trainworks.twin.services.background import Background


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_it_begins_with_a_pass_and_then_waits_to_be_woken() -> None:
    passes: list[int] = []
    background = Background("test", lambda: passes.append(1))
    background.start()
    eventually(lambda: len(passes) == 1)
    background.wake()
    eventually(lambda: len(passes) == 2)
    background.stop()
    background.wake()
    assert len(passes) == 2


def test_a_pass_that_asks_for_another_gets_it() -> None:
    passes: list[int] = []

    def work() -> float | None:
        passes.append(1)
        return 0.001 if len(passes) < 5 else None

    background = Background("test", work)
    background.start()
    eventually(lambda: len(passes) == 5)
    background.stop()


def test_a_pass_that_raises_is_recorded_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    faults = iter([OSError("disk full")])

    def work() -> None:
        for fault in faults:
            raise fault
        done.set()

    background = Background("test", work, retry_seconds=0.001)
    background.start()
    assert done.wait(PATIENCE_SECONDS)
    background.stop()
    assert "disk full" in caplog.text


def test_a_stop_ends_a_pause_and_a_second_start_works() -> None:
    background: Background

    def work() -> None:
        background.pause(60)

    background = Background("test", work)
    for _ in range(2):
        background.start()
        assert not background.stopping
        background.stop()
        assert background.stopping

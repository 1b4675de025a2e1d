"""What becomes of a job whose work raises: it is tried again, given up after three times in a row, never forgotten."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.patience import PATIENCE_SECONDS
from trainworks.twin.services.sagemaker.schedule import LONG, Long, Schedule


class Jobs:
    """One job whose work goes as `script` says: None is a fault, a number is when it is due again."""

    def __init__(self, *script: float | None, unable: int = 0, takes_long: bool = False) -> None:
        self.script = iter(script)
        self.given_up: list[str] = []
        self.unable = unable
        self.takes_long = takes_long
        self.is_over = threading.Event()

    def work(self, job_id: str, may_take_long: bool) -> float | Long | None:
        if self.takes_long and not may_take_long:
            return LONG
        for step in self.script:
            if step is None:
                raise LookupError("lost")
            return step
        self.is_over.set()
        return None

    def give_up(self, job_id: str, reason: str) -> None:
        if self.unable:
            self.unable -= 1
            raise OSError("no space left on device")
        self.given_up.append(reason)


@contextmanager
def running(jobs: Jobs) -> Iterator[None]:
    """The script played to its end by a schedule whose clock leaves no pause."""
    ticks = itertools.count(step=1000)
    schedule = Schedule("job", jobs.work, jobs.give_up, lambda: float(next(ticks)))
    schedule.start()
    try:
        schedule.wake("a")
        assert jobs.is_over.wait(PATIENCE_SECONDS)
        yield
    finally:
        schedule.stop()


def test_a_job_is_given_up_after_three_faults_in_a_row_and_once() -> None:
    jobs = Jobs(None, None, None, None, None)
    with running(jobs):
        assert jobs.given_up == ["InternalServerError: LookupError: lost"]


def test_faults_that_pass_are_forgotten() -> None:
    jobs = Jobs(None, None, 0.0, None, None, 0.0, None, None)
    with running(jobs):
        assert not jobs.given_up


def test_faults_of_what_takes_long_are_in_a_row_too() -> None:
    jobs = Jobs(None, None, None, takes_long=True)
    with running(jobs):
        assert len(jobs.given_up) == 1


def test_a_job_that_cannot_be_given_up_is_given_up_at_its_next_fault() -> None:
    jobs = Jobs(None, None, None, None, None, unable=2)
    with running(jobs):
        assert len(jobs.given_up) == 1

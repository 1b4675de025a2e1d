"""Following a job: everything is shown once, in order, and it always ends."""

import time
from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.errors import JobError
from trainworks.jobs.batch import BatchJob
from trainworks.jobs.job import Follow, Job, JobSnapshot, Transition, Waiting, wait
from trainworks.jobs.logs import LogLine, LogStream
from trainworks.testing import FakeClock

STREAM = LogStream("group", "job/algo-1-1")


class Script:
    """A job that goes through given steps: at each look the next status, and the lines written since."""

    def __init__(
        self, steps: Sequence[tuple[str, list[str]]], *, late: list[str] | None = None, lag: float = 0.0
    ) -> None:
        self._steps = list(steps)
        self._late = late or []
        self._looked = 0
        self._pending: list[str] = []
        self._way: list[Transition] = []
        self.log_lag_seconds = lag
        self.name, self.kind = "job", "training"

    def snapshot(self) -> JobSnapshot:
        if self._looked < len(self._steps):
            status, lines = self._steps[self._looked]
            self._pending += lines
            self._way.append(Transition(status))
        elif self._looked == len(self._steps) + 1:
            self._pending += self._late
        self._looked += 1
        status = self._way[-1].status
        ended = status in ("Completed", "Failed")
        reason = "AlgorithmError: it broke" if status == "Failed" else ""
        return JobSnapshot(status, ended, status == "Completed", reason, tuple(self._way), (STREAM,))

    def log_reader(self) -> Any:
        return self

    def new_lines(self, streams: Sequence[LogStream]) -> list[LogLine]:
        lines, self._pending = self._pending, []
        return [LogLine(0.0, line) for line in lines]

    def facts(self) -> dict[str, object]:
        return {}

    def stop(self) -> None:
        raise AssertionError("a follow stops nothing")


def shown(job: Script, clock: FakeClock | None = None) -> tuple[list[str], list[str]]:
    follow = Follow(job, clock or FakeClock())
    items = list(follow)
    return (
        [each.status for each in items if isinstance(each, Transition)],
        [each.message for each in items if isinstance(each, LogLine)],
    )


def test_statuses_and_lines_come_once_and_in_order() -> None:
    job = Script([("Starting", []), ("Training", ["a", "b"]), ("Training2", ["c"]), ("Completed", ["d"])])
    assert shown(job) == (["Starting", "Training", "Training2", "Completed"], ["a", "b", "c", "d"])


def test_lines_that_arrive_after_the_end_are_waited_for() -> None:
    clock = FakeClock()
    assert shown(Script([("Completed", ["a"])], late=["b"], lag=5.0), clock)[1] == ["a", "b"]
    assert 5.0 <= clock.slept < 7.0


def test_without_lag_the_end_costs_no_time() -> None:
    clock = FakeClock()
    shown(Script([("Completed", [])]), clock)
    assert clock.slept == 0.0


def test_silence_slows_the_polls_and_news_quickens_them() -> None:
    clock = FakeClock()
    moments = []
    job = Script([(f"S{n}", []) for n in range(3)] + [("Completed", [])])
    for _ in Follow(job, clock):
        moments.append(clock.now())
    assert [round(b - a, 6) for a, b in pairwise(moments)] == [0.2, 0.2, 0.2]


def test_a_failure_has_its_reason_and_last_lines() -> None:
    with pytest.raises(JobError) as caught:
        wait(Script([("Training", [f"line {n}" for n in range(30)]), ("Failed", ["boom"])]), FakeClock())
    assert "ended Failed: AlgorithmError: it broke" in caught.value.message
    assert caught.value.message.endswith("| boom")
    assert "| line 0\n" not in caught.value.message
    assert caught.value.exit_code == 1


class Queued(Script):
    """A job that is RUNNABLE for so many looks, and of which AWS says something from one of them on."""

    def __init__(self, looks: int, says_at: int) -> None:
        super().__init__([("SUBMITTED", [])])
        self._looks, self._says_at = looks, says_at

    def snapshot(self) -> JobSnapshot:
        seen = super().snapshot()
        if self._looked > self._looks:
            return JobSnapshot("SUCCEEDED", True, True, "", (*seen.transitions, Transition("SUCCEEDED")))
        reason = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT" if self._looked >= self._says_at else ""
        current = Transition("RUNNABLE", reason)
        return JobSnapshot(
            "RUNNABLE", False, False, reason, seen.transitions, current=current, waits=True, is_blocked=bool(reason)
        )


def test_a_status_is_shown_as_it_comes_and_again_when_aws_says_why_it_lasts() -> None:
    assert list(Follow(Queued(looks=5, says_at=3), FakeClock())) == [
        Transition("SUBMITTED"),
        Transition("RUNNABLE"),
        Transition("RUNNABLE", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"),
        Waiting("RUNNABLE", 0.0),
        Transition("SUCCEEDED"),
    ]


def test_a_long_wait_is_said_after_a_minute_and_then_ever_more_rarely() -> None:
    clock = FakeClock()
    waits = [each for each in Follow(Queued(looks=300, says_at=999), clock) if isinstance(each, Waiting)]
    assert 500 < clock.slept < 600
    assert [each.status for each in waits] == ["RUNNABLE"] * 4
    assert all(wanted <= each.seconds < wanted + 3 for each, wanted in zip(waits, (60, 120, 240, 480), strict=True))


@given(
    st.lists(
        st.tuples(st.sampled_from(["Starting", "Training"]), st.lists(st.text(max_size=5), max_size=3)), max_size=8
    )
)
def test_any_job_that_ends_is_followed_to_its_end(steps: list[tuple[str, list[str]]]) -> None:
    job = Script([*steps, ("Completed", ["last"])])
    statuses, lines = shown(job)
    assert statuses == [*(status for status, _ in steps), "Completed"]
    assert lines == [*(line for _, written in steps for line in written), "last"]


def test_an_array_that_waits_for_its_children_was_never_running() -> None:
    """Batch gives an array the time at which its first child started, and leaves it PENDING."""
    array = {"jobId": "a", "status": "PENDING", "createdAt": 1000, "startedAt": 2000, "arrayProperties": {"size": 2}}
    child = {"jobId": "a:0", "status": "RUNNING", "createdAt": 1000, "startedAt": 2000}
    client = SimpleNamespace(describe_jobs=lambda jobs: {"jobs": [array] if jobs == ["a"] else [child]})
    outputs = SimpleNamespace(batch_log_group="/logs")
    platform: Any = SimpleNamespace(client=lambda _: client, outputs=outputs)
    snapshot = BatchJob("a", "array", platform).snapshot()
    assert [each.status for each in snapshot.transitions] == ["SUBMITTED"]
    assert snapshot.current is not None
    assert snapshot.current.status == "PENDING"


def test_a_log_is_read_to_now_by_a_clock_that_may_be_behind() -> None:
    """What is there is read whatever its time; a job that writes on does not hold who reads it for ever."""
    ahead = time.time() + 3600
    parts = [[LogLine(ahead, "a"), LogLine(ahead, "b")], [LogLine(ahead + 1, "later")], [LogLine(ahead + 2, "latest")]]
    reader = SimpleNamespace(new_lines=lambda _: parts.pop(0))
    job: Any = SimpleNamespace(log_reader=lambda *_: reader, snapshot=lambda: SimpleNamespace(streams=()))
    assert [line.message for line in Job.read_log(job)] == ["a", "b"]

"""Single decisions of the state machine that a random walk seldom meets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.twin.services.sagemaker.training.records import job
from trainworks.states.training_job import SecondaryStatus as S
from trainworks.twin.ports import TaskState
from trainworks.twin.services.sagemaker.training import decide as steps
from trainworks.twin.services.sagemaker.training.decide import decide
from trainworks.twin.services.sagemaker.training.records import Task

SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 10, "MaxWaitTimeInSeconds": 100},
}
RUNNING: dict[str, Any] = {"secondary_status": S.TRAINING, "submitted_at": 1000.0, "training_start_time": 1001.0}


def task(host: str = "algo-1", state: TaskState = TaskState.RUNNING, **fields: Any) -> Task:
    ended = {"ended_at": 1010.0} if state in (TaskState.EXITED, TaskState.LOST) else {}
    return Task(f"t-{host}", "abc", 0, host, state, **{"placed_at": 1001.0, "started_at": 1002.0, **ended, **fields})


def test_a_queued_job_says_that_it_waits() -> None:
    queued = task(state=TaskState.QUEUED, placed_at=None, started_at=None)
    waiting = job(submitted_at=1000.0)
    assert decide(waiting, [queued], 1000.5) == steps.Wait(1002.0)
    assert decide(waiting, [queued], 1002.0) == steps.EnterState(S.PENDING, 1002.0)


def test_an_interruption_of_a_spot_job() -> None:
    lost = task(state=TaskState.LOST, reason="spot interruption")
    action = decide(job(SPOT, **RUNNING), [lost], 1011.0)
    assert action == steps.EnterState(S.INTERRUPTED, 1010.0, {"idle_since": 1010.0})


def test_an_instance_lost_before_the_others_were_placed_was_had_all_the_same() -> None:
    lost, queued = task(state=TaskState.LOST, started_at=None), task("algo-2", TaskState.QUEUED, placed_at=None)
    action = decide(job(submitted_at=1000.0), [lost, queued], 1011.0)
    assert action == steps.EnterState(S.DOWNLOADING, 1001.0, {"training_start_time": 1001.0})


def test_the_rest_of_a_gang_is_stopped_before_the_restart() -> None:
    interrupted = job(SPOT, **{**RUNNING, "secondary_status": S.INTERRUPTED})
    lost, other = task(state=TaskState.LOST, reason="spot interruption"), task("algo-2")
    assert decide(interrupted, [lost, other], 1011.0) == steps.StopTasks()
    assert decide(interrupted, [lost, task("algo-2", TaskState.EXITED, exit_code=143)], 1011.0) == steps.Restart()


def test_a_lost_instance_without_a_retry_strategy_fails_the_job() -> None:
    action = decide(job(**RUNNING), [task(state=TaskState.LOST, reason="instance failed")], 1011.0)
    assert isinstance(action, steps.PlanEnding)
    assert action.ending is S.FAILED
    assert action.failure_reason.startswith("InternalServerError: ")


def test_a_lost_instance_is_retried_as_often_as_was_asked() -> None:
    strategy = {"RetryStrategy": {"MaximumRetryAttempts": 1}}
    lost = task(state=TaskState.LOST, reason="instance failed")
    action = decide(job(strategy, **RUNNING), [lost], 1011.0)
    assert action == steps.EnterState(S.INTERRUPTED, 1010.0, {"idle_since": 1010.0, "retries": 1})
    assert isinstance(decide(job(strategy, retries=1, **RUNNING), [lost], 1011.0), steps.PlanEnding)


def test_a_job_beyond_its_run_time_is_not_restarted_when_an_instance_goes() -> None:
    ending = job(SPOT, ending=S.MAX_RUNTIME_EXCEEDED, **RUNNING)
    tasks = [task(state=TaskState.EXITED, exit_code=143, reason="timeout"), task("algo-2", TaskState.LOST)]
    assert decide(ending, tasks, 1011.0) == steps.EnterState(S.STOPPING, 1010.0)


@pytest.mark.parametrize("status", [S.STARTING, S.PENDING, S.DOWNLOADING])
def test_one_ran_too_long_while_others_of_its_gang_had_not_begun(status: S) -> None:
    ending = job(**{**RUNNING, "secondary_status": status}, ending=S.MAX_RUNTIME_EXCEEDED)
    other = task("algo-2", TaskState.CANCELLED, placed_at=None, started_at=None, ended_at=1011.0)
    tasks = [task(state=TaskState.EXITED, exit_code=143, reason="timeout"), other]
    assert decide(ending, tasks, 1012.0) == steps.EnterState(S.STOPPING, 1011.0)
    stopping = job(**{**RUNNING, "secondary_status": S.STOPPING}, ending=S.MAX_RUNTIME_EXCEEDED)
    action = decide(stopping, tasks, 1012.0)
    assert isinstance(action, steps.SaveCheckpoints)
    assert action.then.following is S.MAX_RUNTIME_EXCEEDED


def test_the_wait_time_ends_a_job_that_waits() -> None:
    waiting = job(SPOT, secondary_status=S.PENDING, submitted_at=1000.0)
    queued = task(state=TaskState.QUEUED, placed_at=None, started_at=None)
    assert decide(waiting, [queued], 1099.9) == steps.Wait(1100.0)
    assert decide(waiting, [queued], 1100.0) == steps.PlanEnding(S.MAX_WAIT_TIME_EXCEEDED)


def test_a_finished_upload_is_not_undone_by_the_wait_time() -> None:
    uploading = job(SPOT, **{**RUNNING, "secondary_status": S.UPLOADING})
    assert decide(uploading, [], 2000.0) == steps.Upload(S.COMPLETED)


def test_time_between_attempts_is_not_billed() -> None:
    ended = job(training_start_time=1000.0, training_end_time=1030.0, idle_seconds=20.0)
    assert ended.training_time_in_seconds() == 30
    assert ended.billable_time_in_seconds() == 10

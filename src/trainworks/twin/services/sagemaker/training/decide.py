"""What a training job needs next, from its record, the tasks of its attempt and the time: a pure function.

   Starting --submit--> (queued) --placed--> Downloading --running--> Training --all exited 0--> Uploading --> Completed
      ^                  | longer than PENDING_AFTER_SECONDS: Pending     | a task failed: stop the others, then Failed
      |                                                                   | StopTrainingJob, MaxWait: Stopping
      +--- Restarting <--- Interrupted <--- the instance was lost --------+ MaxRuntime: Uploading, then its own end

`worker.py` carries an action out and asks again, until there is nothing but to wait. Since everything asked is in the
database, a server that was killed asks the same question again and goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from trainworks.states.training_job import SecondaryStatus
from trainworks.twin.ports import TaskState
from trainworks.twin.services.sagemaker.training.records import Task, TrainingJob

PENDING_AFTER_SECONDS = 2.0
"""How long tasks may be queued before the job says that it waits for capacity."""

FAILURE_GRACE_SECONDS = 5.0
"""What the other instances get to end in, when one of a job's instances failed."""

_S = SecondaryStatus
SPOT_INTERRUPTION = "spot interruption"


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until a task event, a request, or this time."""

    until: float | None = None


@dataclass(frozen=True, slots=True)
class Prepare:
    """Build the attempt's folder and queue its tasks."""


@dataclass(frozen=True, slots=True)
class EnterState:
    """Enter a state at a time, with other changed fields."""

    following: SecondaryStatus
    at: float
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanEnding:
    """Note how the job will end, once its tasks have ended."""

    ending: SecondaryStatus
    failed_task: Task | None = None
    failure_reason: str = ""


@dataclass(frozen=True, slots=True)
class StopTasks:
    """SIGTERM to all tasks that still run, SIGKILL after the grace."""

    grace_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class SaveCheckpoints:
    """Sync the checkpoints of the ended attempt a last time, then go on with `then`."""

    then: EnterState


@dataclass(frozen=True, slots=True)
class Restart:
    """Begin the next attempt. `retry` counts against RetryStrategy."""

    retry: bool = False


@dataclass(frozen=True, slots=True)
class Upload:
    """Upload model and output, then end the job."""

    ending: SecondaryStatus


@dataclass(frozen=True, slots=True)
class CleanUp:
    """End the instances and remove the job's folder."""


Action = Wait | Prepare | EnterState | PlanEnding | StopTasks | SaveCheckpoints | Restart | Upload | CleanUp


def decide(job: TrainingJob, tasks: Sequence[Task], now: float) -> Action:  # noqa: PLR0911 - one line a case
    """The next action for `job`; `tasks` are those of its current attempt (none before it was submitted)."""
    if job.is_terminal:
        return Wait() if job.cleaned else CleanUp()
    if job.secondary_status is _S.UPLOADING:
        return Upload(job.ending or _S.COMPLETED)
    deadline = job.max_wait_until
    if deadline is not None and now >= deadline and job.ending is None:
        return PlanEnding(_S.MAX_WAIT_TIME_EXCEEDED)
    if job.ending is _S.FAILED:
        return _failing(job, tasks, now)
    if job.ending in (_S.STOPPED, _S.MAX_WAIT_TIME_EXCEEDED) or job.secondary_status is _S.STOPPING:
        return _stopping(job, tasks, now)
    if job.secondary_status is _S.INTERRUPTED:
        return _after_interruption(job, tasks)
    if job.submitted_at is None:
        return Prepare() if job.secondary_status is _S.STARTING else EnterState(_S.STARTING, now)
    return _progress(job, tasks, now, deadline)


def _progress(job: TrainingJob, tasks: Sequence[Task], now: float, deadline: float | None) -> Action:
    """Follow the tasks' own progress: placed, running, ended."""
    status = job.secondary_status
    if status in (_S.STARTING, _S.PENDING):
        return _starting(job, tasks, now, deadline)
    if status is _S.DOWNLOADING and all(task.started_at is not None for task in tasks):
        return EnterState(_S.TRAINING, max(task.started_at or now for task in tasks))
    if any(task.has_ended for task in tasks):
        return _ended(job, tasks, now)
    return Wait(deadline)


def _starting(job: TrainingJob, tasks: Sequence[Task], now: float, deadline: float | None) -> Action:
    if all(task.placed_at is not None for task in tasks):
        return _placed(job, max(task.placed_at or now for task in tasks))
    lost = [task for task in tasks if task.state is TaskState.LOST]
    if lost:  # it had an instance, while others of its gang had none yet
        return _placed(job, max(task.placed_at or task.ended_at or now for task in lost))
    if any(task.has_ended for task in tasks):
        return _ended(job, tasks, now)
    return _queued(job, now, deadline)


def _queued(job: TrainingJob, now: float, deadline: float | None) -> Action:
    pending_from = (job.submitted_at or now) + PENDING_AFTER_SECONDS
    if job.secondary_status is _S.PENDING:
        return Wait(deadline)
    if now >= pending_from:
        return EnterState(_S.PENDING, now)
    return Wait(min(pending_from, deadline) if deadline is not None else pending_from)


def _placed(job: TrainingJob, at: float) -> Action:
    changes: dict[str, Any] = {}
    if job.training_start_time is None:
        changes["training_start_time"] = at
    if job.idle_since is not None:
        changes["idle_seconds"] = job.idle_seconds + max(0.0, at - job.idle_since)
        changes["idle_since"] = None
    return EnterState(_S.DOWNLOADING, at, changes)


def _ended(job: TrainingJob, tasks: Sequence[Task], now: float) -> Action:
    """At least one task has ended; what that means for the job, the first one's cause deciding."""
    ended = sorted((task for task in tasks if task.has_ended), key=lambda task: task.ended_at or now)
    lost = next((task for task in ended if task.state is TaskState.LOST), None)
    if lost is not None:
        return _lost(job, lost, now)
    timed_out = next((task for task in ended if task.reason == "timeout"), None)
    if timed_out is not None and job.ending is None:
        return PlanEnding(_S.MAX_RUNTIME_EXCEEDED)
    failed = next((task for task in ended if task.exit_code != 0 or task.reason), None)
    if failed is not None and job.ending is None:
        return PlanEnding(_S.FAILED, failed)
    if len(ended) < len(tasks):
        return StopTasks() if job.ending is not None and not job.stop_sent else Wait(job.max_wait_until)
    at = ended[-1].ended_at or now
    if job.secondary_status is not _S.TRAINING:  # one ran too long while others of its gang had not begun
        return EnterState(_S.STOPPING, at)
    return SaveCheckpoints(EnterState(_S.UPLOADING, at))


def _lost(job: TrainingJob, task: Task, now: float) -> Action:
    at = task.ended_at or now
    if job.ending is _S.MAX_RUNTIME_EXCEEDED:
        return EnterState(_S.STOPPING, at)
    if job.is_spot and task.reason == SPOT_INTERRUPTION:
        return EnterState(_S.INTERRUPTED, at, {"idle_since": at})
    if job.retries < job.max_retries:
        return EnterState(_S.INTERRUPTED, at, {"idle_since": at, "retries": job.retries + 1})
    return PlanEnding(
        _S.FAILED, failure_reason=f"InternalServerError: the instance of {task.host} was lost ({task.reason})"
    )


def _after_interruption(job: TrainingJob, tasks: Sequence[Task]) -> Action:
    if not all(task.has_ended for task in tasks):
        return Wait(job.max_wait_until) if job.stop_sent else StopTasks()
    return Restart()


def _stopping(job: TrainingJob, tasks: Sequence[Task], now: float) -> Action:
    if job.secondary_status is not _S.STOPPING:
        return EnterState(_S.STOPPING, now)
    if not all(task.has_ended for task in tasks):
        return Wait() if job.stop_sent else StopTasks()
    at = max((task.ended_at or now for task in tasks), default=now)
    if tasks and all(task.state is TaskState.EXITED and task.started_at is not None for task in tasks):
        return SaveCheckpoints(EnterState(_S.UPLOADING, at))
    return SaveCheckpoints(EnterState(job.ending or _S.STOPPED, at))


def _failing(job: TrainingJob, tasks: Sequence[Task], now: float) -> Action:
    if not all(task.has_ended for task in tasks):
        return Wait() if job.stop_sent else StopTasks(grace_seconds=FAILURE_GRACE_SECONDS)
    if job.submitted_at is None and job.secondary_status in (_S.STARTING, _S.RESTARTING):
        return EnterState(_S.DOWNLOADING, now)
    return SaveCheckpoints(EnterState(_S.FAILED, max((task.ended_at or now for task in tasks), default=now)))

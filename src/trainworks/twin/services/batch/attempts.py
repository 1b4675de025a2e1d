"""What a task's event makes of its job: the state machine of one attempt, and what follows its end.

Pure: a job, an event and the retry strategy in; the changed job out. Source: "Job states" and "Automated job retries"
in the AWS Batch user guide; the reasons are those of Amazon ECS ("Stopped tasks error codes").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainworks.states.batch_job import JobStatus
from trainworks.twin.ports import TaskEvent, TaskState
from trainworks.twin.services.batch.records import Job
from trainworks.twin.services.batch.retry import AttemptEnd, should_retry

EXITED_REASON = "Essential container in task exited"
TIMEOUT_REASON = "Job attempt duration exceeded timeout"
OUT_OF_MEMORY_REASON = "OutOfMemoryError: Container killed due to memory usage"
NOT_STARTED_REASON = "Task failed to start"
_NOT_BEGUN = (JobStatus.RUNNABLE, JobStatus.STARTING)
"""STARTING as well: it had a host, which was lost before it began, and waited for another one."""
DEPENDENCY_REASON = "Dependent Job failed"
ARRAY_REASON = "Array Child Job failed"


def apply_event(job: Job, event: TaskEvent, strategy: Mapping[str, Any]) -> Job:
    """`job` after `event` of its present attempt."""
    at_ms = int(event.at * 1000)
    if event.state is TaskState.PLACED:
        return _starting(job, event)
    if event.state is TaskState.RUNNING:
        return _starting(job, event).evolve(status=JobStatus.RUNNING, started_at=at_ms)
    if event.state is TaskState.CANCELLED and job.status in _NOT_BEGUN and job.ended_by is None:
        # It had no host, and its compute environment was deleted: it moves to another, and this does not count as an
        # attempt.
        return job.evolve(
            status=JobStatus.RUNNABLE,
            attempt=job.attempt - 1,
            dispatched=0,
            compute_environment_arn=None,
            instance_id=None,
        )
    if event.state.is_end:
        # An end may arrive without what came before it: the job still goes through every state.
        begun = job if event.state is TaskState.CANCELLED else _starting(job, event)
        never_ran = event.reason.startswith("cannot start") or event.state is not TaskState.EXITED
        if begun.status == JobStatus.STARTING and not never_ran:
            begun = begun.evolve(status=JobStatus.RUNNING, started_at=at_ms)
        return end_attempt(begun, end_of(event), strategy, at_ms, timed_out=event.reason == "timeout")
    return job


def end_of(event: TaskEvent) -> AttemptEnd:
    """How an attempt ended, in Batch's words."""
    if event.state is TaskState.LOST:
        return AttemptEnd(None, "", f"Host EC2 (instance {event.instance_id}) terminated.")
    if event.state is TaskState.CANCELLED:
        return AttemptEnd(None, "", event.reason or "Job was cancelled before it started")
    if event.reason.startswith("cannot start"):
        detail = event.reason.partition(":")[2].strip()
        return AttemptEnd(None, f"CannotStartContainerError: {detail}", NOT_STARTED_REASON)
    if event.reason == "timeout":
        return AttemptEnd(event.exit_code, "", TIMEOUT_REASON)
    if event.reason == "out of memory":
        return AttemptEnd(event.exit_code, OUT_OF_MEMORY_REASON, EXITED_REASON)
    reason = "" if event.reason == "stopped" else event.reason
    return AttemptEnd(event.exit_code, reason, EXITED_REASON)


def end_attempt(job: Job, end: AttemptEnd, strategy: Mapping[str, Any], at_ms: int, *, timed_out: bool = False) -> Job:
    """`job` after its attempt ended: SUCCEEDED, FAILED, or RUNNABLE again for the next attempt.

    A job that was cancelled, terminated or ran into its timeout is not retried.
    """
    ended = job.evolve(stopped_at=at_ms, exit_code=end.exit_code, reason=end.reason or None)
    if job.ended_by is not None:
        return ended.evolve(status=JobStatus.FAILED, status_reason=job.end_reason)
    if end.exit_code == 0 and not end.reason and not timed_out:
        return ended.evolve(status=JobStatus.SUCCEEDED, status_reason=end.status_reason)
    if timed_out or not should_retry(strategy, job.attempt, end):
        return ended.evolve(status=JobStatus.FAILED, status_reason=end.status_reason)
    previous = [*json.loads(job.previous_attempts or "[]"), attempt_record(ended, end.status_reason)]
    return ended.evolve(
        status=JobStatus.RUNNABLE,
        status_reason=None,
        dispatched=0,
        compute_environment_arn=None,
        started_at=None,
        stopped_at=None,
        instance_id=None,
        exit_code=None,
        reason=None,
        previous_attempts=json.dumps(previous),
    )


def attempt_record(job: Job, status_reason: str | None) -> dict[str, Any]:
    """What is kept of an attempt when another follows; `describe` makes an `AttemptDetail` of it."""
    return {
        "attempt": job.attempt,
        "compute_environment_arn": job.compute_environment_arn,
        "instance_id": job.instance_id,
        "started_at": job.started_at,
        "stopped_at": job.stopped_at,
        "exit_code": job.exit_code,
        "reason": job.reason,
        "status_reason": status_reason,
    }


def _starting(job: Job, event: TaskEvent) -> Job:
    if job.status == JobStatus.STARTING and event.instance_id != job.instance_id:
        return job.evolve(instance_id=event.instance_id)  # the first one was lost before it began
    if job.status != JobStatus.RUNNABLE:
        return job
    return job.evolve(status=JobStatus.STARTING, status_reason=None, instance_id=event.instance_id)

"""The rows of training jobs, and the one owner of their state changes.

A change of state, its transition entry, the rows that go with it and its EventBridge event are one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from sqlite3 import Connection
from typing import Any

from trainworks.states.training_job import SecondaryStatus, may_follow
from trainworks.twin.ports import TaskEvent
from trainworks.twin.recorded.statements import SCHEMA as RECORDED_SCHEMA
from trainworks.twin.recorded.tags import forget_tags, put_tags, tags_of
from trainworks.twin.services.outbox import Outbox
from trainworks.twin.services.sagemaker.task_events import write_events
from trainworks.twin.services.sagemaker.training.events import DETAIL_TYPE, SOURCE, state_change_event
from trainworks.twin.services.sagemaker.training.records import (
    Metric,
    Task,
    TrainingJob,
    Transition,
    job_of_row,
    task_of_row,
)
from trainworks.twin.store.database import Database
from trainworks.twin.store.queries import load_queries, load_sql

_PACKAGE = "trainworks.twin.services.sagemaker.training"
SQL = load_queries(_PACKAGE)

MESSAGES: Mapping[SecondaryStatus, str] = {
    SecondaryStatus.STARTING: "Preparing the instances for training",
    SecondaryStatus.PENDING: "Training job waiting for capacity",
    SecondaryStatus.DOWNLOADING: "Downloading input data",
    SecondaryStatus.TRAINING: "Training image download completed. Training in progress.",
    SecondaryStatus.INTERRUPTED: "Managed spot training instances were interrupted",
    SecondaryStatus.RESTARTING: "Restarting the training job",
    SecondaryStatus.UPLOADING: "Uploading generated training model",
    SecondaryStatus.STOPPING: "Stopping the training job",
    SecondaryStatus.STOPPED: "Training job stopped",
    SecondaryStatus.MAX_RUNTIME_EXCEEDED: "Training job runtime exceeded MaxRuntimeInSeconds provided",
    SecondaryStatus.MAX_WAIT_TIME_EXCEEDED: "Training job wait time exceeded MaxWaitTimeInSeconds provided",
    SecondaryStatus.COMPLETED: "Training job completed",
    SecondaryStatus.FAILED: "Training job failed",
}


class IllegalTransitionError(RuntimeError):
    """A state was to follow that may not: a fault of this package, never of a user."""


class TrainingJobs:
    """Owns the tables of this package in `twin.db`."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self.database = database
        self._outbox = outbox
        database.apply(RECORDED_SCHEMA)  # tags are there
        database.apply(load_sql(_PACKAGE, "schema.sql"))

    # -- jobs -------------------------------------------------------------------------------------------------

    def insert(self, tx: Connection, job: TrainingJob, tags: Mapping[str, str]) -> None:
        """A new job in its first state."""
        tx.execute(SQL["insert_job"], job.row())
        put_tags(tx, job.arn, tags)
        self._enter(tx, job, job.creation_time, MESSAGES[job.secondary_status])

    def transition(
        self, tx: Connection, job: TrainingJob, following: SecondaryStatus, at: float, message: str = "", **changes: Any
    ) -> TrainingJob:
        """Put `job` into its next state at time `at`, with other changed fields; the changed record.

        Raises `IllegalTransitionError` if `following` may not follow.
        """
        if not may_follow(job.secondary_status, following):
            raise IllegalTransitionError(f"{job.name}: {following} may not follow {job.secondary_status}")
        moment = max(at, job.last_modified_time)
        changed = replace(job, secondary_status=following, last_modified_time=moment, **changes)
        if changed.is_terminal:
            changed = replace(changed, training_end_time=moment if changed.training_start_time else None)
        tx.execute(SQL["update_job"], changed.row())
        tx.execute(SQL["end_transition"], (moment, job.job_id))
        self._enter(tx, changed, moment, message or MESSAGES[following])
        return changed

    def tell(self, tx: Connection, job: TrainingJob, message: str) -> None:
        """Say more of the state that the job is in."""
        tx.execute(SQL["tell_transition"], (message, job.job_id, message))

    def update(self, tx: Connection, job: TrainingJob, **changes: Any) -> TrainingJob:
        """Change fields other than the state."""
        changed = replace(job, **changes)
        tx.execute(SQL["update_job"], changed.row())
        return changed

    def delete(self, tx: Connection, job: TrainingJob) -> None:
        forget_tags(tx, job.arn)
        tx.execute(SQL["delete_job"], (job.job_id,))

    def by_arn(self, arn: str, tx: Connection | None = None) -> TrainingJob | None:
        row = tx.execute(SQL["job_by_arn"], (arn,)).fetchone() if tx else self._read_one("job_by_arn", (arn,))
        return job_of_row(row) if row else None

    def by_id(self, tx: Connection, job_id: str) -> TrainingJob | None:
        row = tx.execute(SQL["job_by_id"], (job_id,)).fetchone()
        return job_of_row(row) if row else None

    def open_jobs(self) -> list[tuple[str, bool]]:
        """Jobs for which something is left to do, and whether tasks of theirs were submitted."""
        return [(row["job_id"], row["submitted_at"] is not None) for row in self.database.read(SQL["open_jobs"])]

    def ended_before(self, moment: float, after: int, limit: int) -> list[str]:
        """Jobs for which nothing is left to do since a moment, oldest first, without the first `after`."""
        named = {"before": moment, "after": after, "limit": limit}
        return [row["job_id"] for row in self.database.read(SQL["ended_jobs"], named)]

    def transitions(self, job_id: str, tx: Connection | None = None) -> list[Transition]:
        rows = tx.execute(SQL["transitions"], (job_id,)).fetchall() if tx else self._read("transitions", (job_id,))
        return [
            Transition(SecondaryStatus(row["status"]), row["start_time"], row["end_time"], row["message"])
            for row in rows
        ]

    # -- tasks ------------------------------------------------------------------------------------------------

    def insert_tasks(self, tx: Connection, job: TrainingJob, tasks: Iterable[tuple[str, str]]) -> None:
        """`(task_id, host)` of the current attempt."""
        tx.executemany(SQL["insert_task"], [(task_id, job.job_id, job.attempt, host) for task_id, host in tasks])

    def tasks(self, tx: Connection, job: TrainingJob) -> list[Task]:
        """The tasks of the current attempt, by host."""
        return [task_of_row(row) for row in tx.execute(SQL["tasks_of_attempt"], (job.job_id, job.attempt)).fetchall()]

    def task(self, task_id: str) -> Task | None:
        row = self._read_one("task", (task_id,))
        return task_of_row(row) if row else None

    def apply_events(self, tx: Connection, events: Sequence[TaskEvent]) -> set[str]:
        """Write task events into their rows; the ids of the jobs concerned. An event told twice changes nothing."""
        return write_events(tx, SQL["update_task"], events)

    def jobs_of_tasks(self, tx: Connection, task_ids: Iterable[str]) -> set[str]:
        """The ids of the jobs that have these tasks."""
        rows = [tx.execute(SQL["job_of_task"], (task_id,)).fetchone() for task_id in task_ids]
        return {str(row["job_id"]) for row in rows if row is not None}

    # -- tags and metrics -------------------------------------------------------------------------------------

    def tags(self, arn: str) -> dict[str, str]:
        with self.database.snapshot() as tx:
            return tags_of(tx, arn)

    def final_metrics(self, job_id: str) -> list[Metric]:
        return [Metric(row["name"], row["value"], row["timestamp"]) for row in self._read("final_metrics", (job_id,))]

    # -- internals --------------------------------------------------------------------------------------------

    def _enter(self, tx: Connection, job: TrainingJob, at: float, message: str) -> None:
        parameters = {
            "job_id": job.job_id,
            "status": job.secondary_status.value,
            "start_time": at,
            "message": message,
        }
        tx.execute(SQL["insert_transition"], parameters)
        if self._outbox.is_heard(SOURCE, DETAIL_TYPE):
            event = state_change_event(job, self.transitions(job.job_id, tx), tags_of(tx, job.arn))
            self._outbox.put(tx, [event])

    def _read(self, name: str, parameters: Sequence[object]) -> Any:
        return self.database.read(SQL[name], parameters)

    def _read_one(self, name: str, parameters: Sequence[object]) -> Any:
        return self.database.read_one(SQL[name], parameters)

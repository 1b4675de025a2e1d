"""RUNNABLE jobs handed to Compute: where they fit, as what, in one transaction with their state.

One thread, woken by whatever makes a job RUNNABLE. A job that fits nowhere stays RUNNABLE with the reason that Batch
gives, is announced as "Batch Job Queue Blocked", and is tried again when its queue or compute environment changes.
"""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection, Row
from typing import Any

from trainworks.spec.batch_job import JobStatus
from trainworks.twin.ports import Compute
from trainworks.twin.services.background import Background
from trainworks.twin.services.batch.arns import job_arn
from trainworks.twin.services.batch.attempts import NOT_STARTED_REASON, end_attempt
from trainworks.twin.services.batch.environments import pool_of
from trainworks.twin.services.batch.launch import Launch, LaunchError, LaunchPorts, make_launch, task_of
from trainworks.twin.services.batch.progress import Progress
from trainworks.twin.services.batch.queues import environments_of, queue_row
from trainworks.twin.services.batch.records import SQL, Job, JobSpec, job_of, load_job
from trainworks.twin.services.batch.retry import AttemptEnd
from trainworks.twin.services.outbox import Event, Outbox
from trainworks.twin.store import Database

_log = logging.getLogger(__name__)

TOO_FEW_VCPUS = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU "
    "requirement of the job."
)
TOO_BIG = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that "
    "can be met by the CE(s) attached to the job queue."
)
ALL_INVALID = "ACTION_REQUIRED - CE(s) associated with the job queue are invalid."
_CHUNK = 2_000
_FIRST_SLICE, _SLICE = 32, 128
_TURN_SECONDS = 0.0005
_TIME_LIMIT_CHECK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DispatchPorts:
    """What the dispatcher needs of the others. `describe` is the `JobDetail` of a job, for events."""

    launch: LaunchPorts
    compute: Compute
    outbox: Outbox
    jobs_dir: Path
    open_progress: Callable[[Connection], Progress]
    commit: Callable[[Progress], None]
    describe: Callable[[Connection, Job], Mapping[str, Any]]
    spec_of: Callable[[Connection, str], JobSpec]
    remember_log_caller: Callable[[Connection, str, Launch], None]
    now_ms: Callable[[], int]


class Dispatcher:
    """`wake` it when jobs may have become RUNNABLE; `dispatch` is one round, for tests and for the thread."""

    def __init__(self, database: Database, ports: DispatchPorts) -> None:
        self._database = database
        self._ports = ports
        self._background = Background("batch-dispatcher", self._pass)

    def wake(self) -> None:
        self._background.wake()

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        """End after the round in hand."""
        self._background.stop()

    def dispatch(self) -> None:
        """Hand over all jobs that are RUNNABLE now, by the priority of their queues and in the order they came."""
        while not self._background.stopping:
            # Under the write lock: we are woken before the transaction that made the jobs is committed.
            with self._database.transaction() as tx:
                rows = tx.execute(SQL["jobs_to_dispatch"], (_CHUNK,)).fetchall()
            groups: dict[str, list[Row]] = defaultdict(list)
            for row in rows:
                groups[row["spec_id"]].append(row)
            for group in groups.values():
                self._dispatch_group([job_of(row[:-1]) for row in group], group[0]["priority"])
            if len(rows) < _CHUNK:
                return

    def apply_time_limits(self) -> bool:
        """Cancel jobs that were blocked for longer than their queue allows; whether any job is still blocked."""
        with self._database.transaction() as tx:
            blocked = [job_of(row) for row in tx.execute(SQL["blocked_jobs"])]
            progress = self._ports.open_progress(tx)
            for job in blocked:
                reason = self._expired_reason(tx, job)
                current = progress.get(job.job_id)
                if reason and current is not None:
                    text = f"Canceled by JobStateTimeLimit action due to reason: {reason}"
                    progress.put(current.evolve(ended_by="cancel", end_reason=text))
                    progress.fail(progress.get(job.job_id) or current, text)
            self._ports.commit(progress)
        return bool(blocked)

    def _expired_reason(self, tx: Connection, job: Job) -> str:
        queue = tx.execute(SQL["queue_by_arn"], (job.queue_arn,)).fetchone()
        if queue is None or job.blocked_at is None:
            return ""
        blocked_seconds = (self._ports.now_ms() - job.blocked_at) / 1000
        for action in json.loads(queue["spec"]).get("jobStateTimeLimitActions", []):
            reason: str = action["reason"]
            if (job.status_reason or "").startswith(reason) and blocked_seconds >= action["maxTimeSeconds"]:
                return reason
        return ""

    def _pass(self) -> float | None:
        self.dispatch()
        return _TIME_LIMIT_CHECK_SECONDS if self.apply_time_limits() else None

    def _dispatch_group(self, jobs: Sequence[Job], priority: int) -> None:
        """Jobs of one spec, all RUNNABLE: on the first compute environment that has room."""
        with self._database.transaction() as tx:
            spec = self._ports.spec_of(tx, jobs[0].spec_id)
            queue = queue_row(tx, jobs[0].queue_arn)
            shares, blocked_reason = self._shares(tx, environments_of(tx, queue), spec, len(jobs))
        if not shares:
            self._block(jobs, blocked_reason)
            return
        position = 0
        for environment, count in shares:
            self._launch(jobs[position : position + count], spec, environment, priority)
            position += count

    def _shares(
        self, tx: Connection, environments: Sequence[Row], spec: JobSpec, count: int
    ) -> tuple[list[tuple[Row, int]], str]:
        """How many of `count` jobs each compute environment takes; without any, the reason.

        In the queue's order each takes what fits below its `maxvCpus`; what is left waits in the first.
        """
        if all(row["status"] != "VALID" for row in environments):
            return [], ALL_INVALID
        usable = [row for row in environments if row["state"] == "ENABLED" and row["status"] == "VALID"]
        pools = [(row, pool_of(row)) for row in usable]
        wide = [(row, pool) for row, pool in pools if pool.max_vcpus is None or pool.max_vcpus >= spec.vcpus]
        fitting = [
            (row, pool) for row, pool in wide if self._ports.compute.fits(pool, spec.vcpus, spec.memory_mib, spec.gpus)
        ]
        if not fitting:
            return [], TOO_BIG if wide else TOO_FEW_VCPUS if pools else ""
        shares: list[tuple[Row, int]] = []
        left = count
        for row, pool in fitting if len(fitting) > 1 else []:
            used = tx.execute(SQL["vcpus_in_environment"], (row["arn"],)).fetchone()[0]
            room = left if pool.max_vcpus is None else max(0, int((pool.max_vcpus - used) / spec.vcpus))
            shares.append((row, min(left, room)))
            left -= min(left, room)
        first = fitting[0][0]
        return [(first, left), *shares] if left else shares, ""

    def _block(self, jobs: Sequence[Job], reason: str) -> None:
        with self._database.transaction() as tx:
            progress = self._ports.open_progress(tx)
            first: Job | None = None
            for job in _still_runnable(progress, jobs):
                blocked = job.evolve(blocked_at=self._ports.now_ms(), status_reason=reason or None)
                progress.put(blocked)
                first = first or blocked
            self._ports.commit(progress)
            if first is not None and reason:
                resources = (job_arn(first.queue_arn, first.job_id), first.queue_arn)
                detail = self._ports.describe(tx, first)
                self._ports.outbox.put(tx, [Event("aws.batch", "Batch Job Queue Blocked", detail, resources)])

    def _launch(self, jobs: Sequence[Job], spec: JobSpec, environment: Row, priority: int) -> None:
        ports = self._ports
        if not jobs:
            return
        try:
            launch = make_launch(jobs[0], spec, environment, ports.launch, priority=priority)
        except LaunchError as error:
            self._fail_to_start(jobs, spec, environment["arn"], error.reason)
            return
        log_folder(ports.jobs_dir, jobs[0]).mkdir(parents=True, exist_ok=True, mode=0o700)
        for part in _slices(jobs):
            self._submit(part, launch, environment["arn"])
            time.sleep(_TURN_SECONDS)  # a lock is not fair: whoever waits for the database gets it now

    def _submit(self, jobs: Sequence[Job], launch: Launch, environment_arn: str) -> None:
        """Hand over a part of the jobs; while the next part is made ready, these are started."""
        ports = self._ports
        folder = log_folder(ports.jobs_dir, jobs[0])
        with self._database.transaction() as tx:
            parent = load_job(tx, jobs[0].parent_id) if jobs[0].parent_id else None
            progress = ports.open_progress(tx)
            tasks = []
            for job in _still_runnable(progress, jobs):
                started = job.evolve(
                    attempt=job.attempt + 1, dispatched=1, compute_environment_arn=environment_arn, blocked_at=None
                )
                progress.put(started)
                tasks.append(task_of(launch, started, log_path(folder, started), parent.array_size if parent else None))
            if launch.note and tasks:
                tasks[0].log_path.write_text(f"trainworks: {launch.note}\n")
            ports.remember_log_caller(tx, jobs[0].spec_id, launch)
            ports.commit(progress)
            ports.compute.submit(tx, tasks)

    def _fail_to_start(self, jobs: Sequence[Job], spec: JobSpec, environment_arn: str, reason: str) -> None:
        """An attempt that ends before its container is made: it counts, and may be retried."""
        with self._database.transaction() as tx:
            progress = self._ports.open_progress(tx)
            for job in _still_runnable(progress, jobs):
                starting = job.evolve(
                    status=JobStatus.STARTING, attempt=job.attempt + 1, compute_environment_arn=environment_arn
                )
                progress.put(starting)
                end = AttemptEnd(None, reason, NOT_STARTED_REASON)
                progress.put(end_attempt(starting, end, spec.retry_strategy, self._ports.now_ms()))
            self._ports.commit(progress)
        self.wake()


def _still_runnable(progress: Progress, jobs: Sequence[Job]) -> list[Job]:
    """The jobs as they are now; those cancelled in the meantime are left out."""
    progress.load(job.job_id for job in jobs)
    current = [progress.get(job.job_id) for job in jobs]
    return [job for job in current if job is not None and job.status == JobStatus.RUNNABLE and not job.dispatched]


def _slices(jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
    """Parts of `jobs`, the first a small one, so that the first tasks of a large array start at once."""
    yield jobs[:_FIRST_SLICE]
    for start in range(_FIRST_SLICE, len(jobs), _SLICE):
        yield jobs[start : start + _SLICE]


def log_folder(jobs_dir: Path, job: Job) -> Path:
    """Where the log files of a job, or of all children of an array, are."""
    return jobs_dir / "batch" / job.spec_id


def log_path(folder: Path, job: Job) -> Path:
    index = "job" if job.array_index is None else str(job.array_index)
    return folder / f"{index}.{job.attempt}.log"

"""RUNNABLE jobs handed to Compute: where they fit, as what, in one transaction with their state.

One thread, woken by whatever makes a job RUNNABLE. A job that fits nowhere stays RUNNABLE with the reason that Batch
gives, is announced as "Batch Job Queue Blocked", and is tried again when its queue or compute environment changes.
"""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from sqlite3 import Connection, Row
from typing import Any

from trainworks.spec.batch_job import JobStatus
from trainworks.twin.ports import IMAGE_BEING_MADE, Compute, ImageBeingMadeError, TaskSpec
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
"""Of the twin alone: AWS pulls images, and says nothing of that before a job is STARTING."""
_BLOCKED_EVENT = ("aws.batch", "Batch Job Queue Blocked")
_CHUNK = 2_000
_FIRST_SLICE, _SLICE = 32, 128
_LAUNCHERS = 4
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


@dataclass(frozen=True, slots=True)
class Group:
    """RUNNABLE jobs of one spec, and the priority of their queue."""

    jobs: Sequence[Job]
    priority: int


@dataclass(frozen=True, slots=True)
class Ready:
    """Jobs whose container is known, and the compute environment that they go on."""

    jobs: Sequence[Job]
    launch: Launch
    environment_arn: str


class Dispatcher:
    """`wake` it when jobs may have become RUNNABLE; `dispatch` is one round, for tests and for the thread."""

    def __init__(self, database: Database, ports: DispatchPorts) -> None:
        self._database = database
        self._ports = ports
        self._background = Background("batch-dispatcher", self._pass)
        self._launchers = ThreadPoolExecutor(_LAUNCHERS, thread_name_prefix="batch-launch")
        self._next_check = 0.0

    def wake(self) -> None:
        self._background.wake()

    def start(self) -> None:
        self.on_image_made(())  # whatever was being made for an earlier run
        self._background.start()

    def stop(self) -> None:
        """End after the round in hand."""
        self._background.stop()
        self._launchers.shutdown()

    def dispatch(self) -> None:
        """Hand over all jobs that are RUNNABLE now, by the priority of their queues and in the order they came."""
        while not self._background.stopping:
            # Under the write lock: we are woken before the transaction that made the jobs is committed.
            with self._database.transaction() as tx:
                rows = tx.execute(SQL["jobs_to_dispatch"], (_CHUNK,)).fetchall()
            groups: dict[str, list[Row]] = defaultdict(list)
            for row in rows:
                groups[row["spec_id"]].append(row)
            for part in _parts([Group([job_of(row[:-1]) for row in group], group[0][-1]) for group in groups.values()]):
                self._dispatch_groups(part)
            if len(rows) < _CHUNK:
                return

    def apply_time_limits(self) -> bool:
        """Cancel jobs that were blocked for longer than their queue allows; whether any may have to be later."""
        with self._database.transaction() as tx:
            limited = [
                (row["arn"], action)
                for row in tx.execute(SQL["blocked_queues"]).fetchall()
                for action in json.loads(row["spec"]).get("jobStateTimeLimitActions", [])
            ]
            progress = self._ports.open_progress(tx)
            for queue_arn, action in limited:
                before_ms = self._ports.now_ms() - action["maxTimeSeconds"] * 1000
                named = {"queue": queue_arn, "reason": action["reason"], "before": before_ms}
                text = f"Canceled by JobStateTimeLimit action due to reason: {action['reason']}"
                for row in tx.execute(SQL["blocked_too_long"], named).fetchall():
                    current = progress.get(row["job_id"])
                    if current is not None and not current.is_terminal:
                        progress.put(current.evolve(ended_by="cancel", end_reason=text))
                        progress.fail(progress.get(current.job_id) or current, text)
            self._ports.commit(progress)
        return bool(limited)

    def _pass(self) -> float | None:
        self.dispatch()
        now = time.monotonic()
        if now < self._next_check:
            return self._next_check - now
        self._next_check = now + _TIME_LIMIT_CHECK_SECONDS
        return _TIME_LIMIT_CHECK_SECONDS if self.apply_time_limits() else None

    def _dispatch_groups(self, groups: Sequence[Group]) -> None:
        """Each group's jobs, all RUNNABLE, go on the first compute environment that has room."""
        with self._database.transaction() as tx:
            taken: dict[str, float] = defaultdict(float)
            planned = [(group, *self._plan(tx, group, taken)) for group in groups]
        blocked = [(group.jobs, reason) for group, _, shares, reason in planned if not shares]
        if blocked:
            self._block(blocked)
        wanted = [
            (Group(jobs, group.priority), spec, environment)
            for group, spec, shares, _ in planned
            for jobs, environment in shares
        ]
        # Each launch asks for credentials, which are durable before they are used: those that wait share a commit.
        launches = self._launchers.map(self._launch, wanted) if len(wanted) > 1 else map(self._launch, wanted)
        ready = [each for each in launches if each is not None]
        for part in _slices(ready):
            self._submit(part)

    def _plan(
        self, tx: Connection, group: Group, taken: dict[str, float]
    ) -> tuple[JobSpec, list[tuple[Sequence[Job], Row]], str]:
        """The spec of a group and which of its jobs go where; where none can, why. `taken` are vCPUs given away."""
        spec = self._ports.spec_of(tx, group.jobs[0].spec_id)
        queue = queue_row(tx, group.jobs[0].queue_arn)
        shares, reason = self._shares(tx, environments_of(tx, queue), spec, len(group.jobs), taken)
        position, parts = 0, []
        for environment, count in shares:
            if count:
                parts.append((group.jobs[position : position + count], environment))
            position += count
            taken[environment["arn"]] += count * spec.vcpus
        return spec, parts, reason

    def _shares(
        self, tx: Connection, environments: Sequence[Row], spec: JobSpec, count: int, taken: Mapping[str, float]
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
            used = tx.execute(SQL["vcpus_in_environment"], (row["arn"],)).fetchone()[0] + taken.get(row["arn"], 0)
            room = left if pool.max_vcpus is None else max(0, int((pool.max_vcpus - used) / spec.vcpus))
            shares.append((row, min(left, room)))
            left -= min(left, room)
        first = fitting[0][0]
        return [(first, left), *shares] if left else shares, ""

    def _block(self, groups: Sequence[tuple[Sequence[Job], str]], *, announce: bool = True) -> None:
        """Jobs that fit nowhere, with the reason ("" where their queue has no environment that takes jobs now)."""
        with self._database.transaction() as tx:
            progress = self._ports.open_progress(tx)
            announced: list[Job] = []
            for jobs, reason in groups:
                for number, job in enumerate(_still_runnable(progress, jobs)):
                    blocked = job.evolve(blocked_at=self._ports.now_ms(), status_reason=reason or None)
                    progress.put(blocked)
                    if number == 0 and reason and announce:
                        announced.append(blocked)
            self._ports.commit(progress)
            if not self._ports.outbox.is_heard(*_BLOCKED_EVENT):
                return
            events = [
                Event(
                    *_BLOCKED_EVENT,
                    self._ports.describe(tx, job),
                    (job_arn(job.queue_arn, job.job_id), job.queue_arn),
                )
                for job in announced
            ]
            self._ports.outbox.put(tx, events)

    def _launch(self, wanted: tuple[Group, JobSpec, Row]) -> Ready | None:
        """What jobs of one spec are on this machine; None where they cannot start, which then is their end."""
        group, spec, environment = wanted
        try:
            launch = make_launch(group.jobs[0], spec, environment, self._ports.launch, priority=group.priority)
        except LaunchError as error:
            self._fail_to_start(group.jobs, spec, environment["arn"], error.reason)
            return None
        except ImageBeingMadeError as making:
            self._wait_for_image(group.jobs, spec, making)
            return None
        log_folder(self._ports.jobs_dir, group.jobs[0]).mkdir(parents=True, exist_ok=True, mode=0o700)
        return Ready(group.jobs, launch, environment["arn"])

    def _wait_for_image(self, jobs: Sequence[Job], spec: JobSpec, making: ImageBeingMadeError) -> None:
        """The jobs stay RUNNABLE until their image is made, and hold up no others."""
        reason = f"{IMAGE_BEING_MADE}: {spec.container['image']} is made once, and used offline afterwards"
        self._block([(jobs, reason)], announce=False)
        if making.has_ended():  # it may have ended before they were blocked, and then nobody tells of it again
            self.on_image_made(())

    def on_image_made(self, _: Collection[str]) -> None:
        """Try all jobs again that waited for an image."""
        with self._database.transaction() as tx:
            tx.execute(SQL["unblock_image"], {"beginning": f"{IMAGE_BEING_MADE}:"})
        self.wake()

    def _submit(self, parts: Sequence[Ready]) -> None:
        """Hand over a part of the jobs; while the next part is made ready, these are started."""
        ports = self._ports
        with self._database.transaction() as tx:
            progress = ports.open_progress(tx)
            progress.load(job.job_id for part in parts for job in part.jobs)
            tasks = [task for part in parts for task in self._tasks(progress, part)]
            ports.commit(progress)
            ports.compute.submit(tx, tasks)

    def _tasks(self, progress: Progress, part: Ready) -> list[TaskSpec]:
        """The attempts that begin, as tasks; their jobs are changed in `progress`."""
        ports, launch = self._ports, part.launch
        folder = log_folder(ports.jobs_dir, part.jobs[0])
        parent = load_job(progress.tx, part.jobs[0].parent_id) if part.jobs[0].parent_id else None
        tasks = []
        for job in _still_runnable(progress, part.jobs):
            started = job.evolve(
                attempt=job.attempt + 1,
                dispatched=1,
                compute_environment_arn=part.environment_arn,
                blocked_at=None,
            )
            progress.put(started)
            tasks.append(task_of(launch, started, log_path(folder, started), parent.array_size if parent else None))
        notes = [launch.note, ports.compute.gpu_note("the job asks for", launch.spec.gpus)]
        if any(notes) and tasks and not part.jobs[0].array_index:  # of an array the first child's log says it
            tasks[0].log_path.write_text("".join(f"trainworks: {note}\n" for note in notes if note))
        ports.remember_log_caller(progress.tx, part.jobs[0].spec_id, launch)
        return tasks

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


def _parts(groups: Sequence[Group]) -> Iterator[Sequence[Group]]:
    """Groups to plan together: small ones until they are a slice, a large one alone."""
    part: list[Group] = []
    count = 0
    for group in groups:
        if part and count + len(group.jobs) > _SLICE:
            yield part
            part, count = [], 0
        part.append(group)
        count += len(group.jobs)
    if part:
        yield part


def _slices(ready: Sequence[Ready]) -> Iterator[Sequence[Ready]]:
    """What is submitted together: a large array in parts, the first a small one, so that its first tasks start at
    once."""
    if sum(len(each.jobs) for each in ready) <= _SLICE:
        yield ready
        return
    for each in ready:
        yield [replace(each, jobs=each.jobs[:_FIRST_SLICE])]
        for start in range(_FIRST_SLICE, len(each.jobs), _SLICE):
            yield [replace(each, jobs=each.jobs[start : start + _SLICE])]


def log_folder(jobs_dir: Path, job: Job) -> Path:
    """Where the log files of a job, or of all children of an array, are."""
    return jobs_dir / "batch" / job.spec_id


def log_path(folder: Path, job: Job) -> Path:
    index = "job" if job.array_index is None else str(job.array_index)
    return folder / f"{index}.{job.attempt}.log"

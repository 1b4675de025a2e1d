"""RUNNABLE jobs handed to Compute: where they fit, as what, in one transaction with their state.

One thread, woken by whatever makes a job RUNNABLE. A job that fits nowhere stays RUNNABLE with the reason that Batch
gives, is announced as "Batch Job Queue Blocked", and is tried again when its queue or compute environment changes.
"""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from sqlite3 import Connection, Row

from trainworks.states.batch_job import JobStatus
from trainworks.twin.ports import IMAGE_BEING_MADE, Compute, ImageBeingMadeError, TaskSpec
from trainworks.twin.services.background import Background
from trainworks.twin.services.batch.attempts import NOT_STARTED_REASON, end_attempt
from trainworks.twin.services.batch.launch import (
    LaunchError,
    LaunchPorts,
    TaskTemplate,
    make_template,
    start_of,
    task_of,
)
from trainworks.twin.services.batch.ledger import Entry, Ledger
from trainworks.twin.services.batch.output import Output
from trainworks.twin.services.batch.records import SQL, Job, JobSpec, job_of
from trainworks.twin.services.batch.resources import environments_of, pool_of
from trainworks.twin.services.batch.retry import AttemptEnd
from trainworks.twin.store import Database

TOO_FEW_VCPUS = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU "
    "requirement of the job."
)
TOO_BIG = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that "
    "can be met by the CE(s) attached to the job queue."
)
ALL_INVALID = "ACTION_REQUIRED - CE(s) associated with the job queue are invalid."
_LOG = logging.getLogger(__name__)
_LONGEST_REASON = 256
NOT_PREPARED = "The twin cannot prepare this job now, and tries it again"
_LAST_TRIED = "The job could not start, and is tried again behind all others"
_CHUNK = 1_000
_FIRST_PART, _PART = 32, 128
_LAUNCHERS = 4
_TIME_LIMIT_CHECK_SECONDS = 5.0
_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 1.0, 60.0

Waiting = tuple[Job, int]
"""A RUNNABLE job, and the priority of its queue."""


@dataclass(frozen=True, slots=True)
class JobGroup:
    """RUNNABLE jobs that start alike, on one compute environment: what is made for the first serves all of them."""

    jobs: Sequence[Job]
    spec: JobSpec
    start: Hashable
    priority: int
    environment: Row


@dataclass(frozen=True, slots=True)
class Ready:
    """Jobs whose container is known, the compute environment that they go on, and what their logs begin with."""

    jobs: Sequence[Job]
    template: TaskTemplate
    environment_arn: str
    log_head: str


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Jobs whose container cannot be made: an attempt that counts, and may be retried."""

    jobs: Sequence[Job]
    environment_arn: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotPrepared:
    """Jobs that another fault than their own holds up."""

    jobs: Sequence[Job]
    error: Exception


@dataclass(slots=True)
class Round:
    """What one round has made and met so far: templates of the current chunk, jobs to look at again at its end, faults
    that are no job's own."""

    templates: dict[Hashable, TaskTemplate] = field(default_factory=dict)
    has_last_ones: bool = False
    faults: list[Exception] = field(default_factory=list)


class Dispatcher:
    """The ledger wakes it; `dispatch` is one round, for tests and for the thread."""

    def __init__(
        self, database: Database, ledger: Ledger, compute: Compute, launch_ports: LaunchPorts, output: Output
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._compute = compute
        self._launch_ports = launch_ports
        self._output = output
        self._background = Background("batch-dispatcher", self._pass, woken=ledger.runnable)
        self._launchers = ThreadPoolExecutor(_LAUNCHERS, thread_name_prefix="batch-launch")
        self._next_check = 0.0
        self._retry_at: float | None = None
        self._retry_seconds = _FIRST_RETRY_SECONDS
        launch_ports.images.on_made(self.on_image_made)

    def start(self) -> None:
        self._try_again(f"{IMAGE_BEING_MADE}:", NOT_PREPARED, _LAST_TRIED)  # whatever an earlier run waited for
        self._background.start()

    def stop(self) -> None:
        """End after the current round."""
        self._background.stop()
        self._launchers.shutdown()

    def dispatch(self) -> None:
        """Hand over all jobs that are RUNNABLE now, by the priority of their queues and in the order they came.

        A job that does not start delays none behind it: it is blocked, and tried again when there is no other left,
        or, where the fault is not its own, in another round. Raises the first such fault once all others are handed
        over.
        """
        self._try_again(NOT_PREPARED)
        if faults := self._round().faults:
            raise faults[0]

    def _round(self) -> Round:
        this = Round()
        while not self._background.stopping:
            # Under the write lock: we are woken before the transaction that made the jobs is committed.
            with self._database.transaction() as tx:
                rows = tx.execute(SQL["jobs_to_dispatch"], (_CHUNK,)).fetchall()
            this.templates.clear()
            for part in _parts([(job_of(row[:-1]), row["priority"]) for row in rows]):
                self._dispatch_part(part, this)
            if len(rows) < _CHUNK:
                if not this.has_last_ones:
                    break
                this.has_last_ones = False
                self._try_again(_LAST_TRIED)
        return this

    def apply_time_limits(self) -> bool:
        """Cancel jobs that were blocked for longer than their queue allows; whether any may have to be later."""
        with self._ledger.entry() as entry:
            limited = [
                (row["arn"], action)
                for row in entry.tx.execute(SQL["blocked_queues"]).fetchall()
                for action in json.loads(row["spec"]).get("jobStateTimeLimitActions", [])
            ]
            for queue_arn, action in limited:
                before_ms = entry.now_ms - action["maxTimeSeconds"] * 1000
                named = {"queue": queue_arn, "reason": action["reason"], "before": before_ms}
                text = f"Canceled by JobStateTimeLimit action due to reason: {action['reason']}"
                for row in entry.tx.execute(SQL["blocked_too_long"], named).fetchall():
                    job = entry.get(row["job_id"])
                    if job is not None:
                        entry.end(job, "cancel", text)
        return bool(limited)

    def _try_again(self, *reasons: str) -> None:
        """Look at all jobs again that are blocked for a reason that begins with one of these."""
        with self._ledger.entry() as entry:
            for reason in reasons:
                entry.unblock_reason(reason)

    def _pass(self) -> float | None:
        if self._retry_at is not None and time.monotonic() >= self._retry_at:
            self._retry_at = None
            self._try_again(NOT_PREPARED)
        if faults := self._round().faults:
            _LOG.error("batch jobs could not be prepared; they are tried again", exc_info=faults[0])
            self._retry_at = time.monotonic() + self._retry_seconds
            self._retry_seconds = min(2 * self._retry_seconds, _LONGEST_RETRY_SECONDS)
        elif self._retry_at is None:
            self._retry_seconds = _FIRST_RETRY_SECONDS
        now = time.monotonic()
        waits = [self._check_time_limits(now), None if self._retry_at is None else max(0.0, self._retry_at - now)]
        return min((wait for wait in waits if wait is not None), default=None)

    def _check_time_limits(self, now: float) -> float | None:
        if now < self._next_check:
            return self._next_check - now
        self._next_check = now + _TIME_LIMIT_CHECK_SECONDS
        return _TIME_LIMIT_CHECK_SECONDS if self.apply_time_limits() else None

    def _dispatch_part(self, part: Sequence[Waiting], this: Round) -> None:
        """RUNNABLE jobs go on the first compute environment that has room; those that cannot start wait or end."""
        with self._database.snapshot() as tx:
            groups, blocked = self._plan(tx, part)
        if blocked:
            self._block(blocked)
        launch = partial(self._launch, templates=this.templates)
        # Each launch asks for credentials, which are durable before they are used: those that wait share a commit.
        launched = list(self._launchers.map(launch, groups) if len(groups) > 1 else map(launch, groups))
        if not_started := [each for each in launched if isinstance(each, NotStarted)]:
            this.has_last_ones |= self._fail_to_start(not_started)
        if not_prepared := [each for each in launched if isinstance(each, NotPrepared)]:
            this.faults += [each.error for each in not_prepared]
            self._block([(each.jobs, _not_prepared(each.error)) for each in not_prepared], is_told=False)
        if ready := [each for each in launched if isinstance(each, Ready)]:
            self._submit(ready)

    def _plan(self, tx: Connection, part: Sequence[Waiting]) -> tuple[list[JobGroup], list[tuple[Sequence[Job], str]]]:
        """Which jobs start alike, and where; which go nowhere now, and why."""
        alike: dict[Hashable, list[Job]] = defaultdict(list)
        priorities: dict[Hashable, int] = {}
        for job, priority in part:
            start = start_of(job, self._ledger.specs.of(tx, job.spec_id))
            alike[start].append(job)
            priorities[start] = priority
        taken: dict[str, float] = defaultdict(float)  # vCPUs given away
        groups: list[JobGroup] = []
        blocked: list[tuple[Sequence[Job], str]] = []
        for start, jobs in alike.items():
            queue = tx.execute(SQL["queue_by_arn"], (jobs[0].queue_arn,)).fetchone()
            if queue is None:
                continue  # deleted since these jobs were looked for, and they have ended with it
            spec = self._ledger.specs.of(tx, jobs[0].spec_id)
            shares, reason = self._shares(tx, environments_of(tx, queue), spec, len(jobs), taken)
            if not shares:
                blocked.append((jobs, reason))
            left = iter(jobs)
            for environment, count in shares:
                if mine := list(islice(left, count)):
                    groups.append(JobGroup(mine, spec, start, priorities[start], environment))
                taken[environment["arn"]] += count * spec.vcpus
        return groups, blocked

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
            (row, pool) for row, pool in wide if self._compute.fits(pool, spec.vcpus, spec.memory_mib, spec.gpus)
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

    def _block(self, groups: Sequence[tuple[Sequence[Job], str]], *, is_told: bool = True) -> None:
        """Jobs that fit nowhere, with the reason ("" where their queue has no environment that takes jobs now)."""
        with self._ledger.entry() as entry:
            for jobs, reason in groups:
                for number, job in enumerate(_still_runnable(entry, jobs)):
                    entry.block(job, reason, is_told=is_told and number == 0 and bool(reason))

    def _launch(
        self, group: JobGroup, templates: dict[Hashable, TaskTemplate]
    ) -> Ready | NotStarted | NotPrepared | None:
        """What a group's jobs are on this machine, or why they are not; None where their image is being made."""
        environment_arn = group.environment["arn"]
        try:
            return self._made_ready(group, templates)
        except LaunchError as error:
            return NotStarted(group.jobs, environment_arn, error.reason)
        except ImageBeingMadeError as making:
            self._wait_for_image(group.jobs, group.spec, making)
            return None
        except Exception as error:  # noqa: BLE001 - told of by the round, when all others are handed over
            return NotPrepared(group.jobs, error)

    def _made_ready(self, group: JobGroup, templates: dict[Hashable, TaskTemplate]) -> Ready:
        """Raises `LaunchError`, `ImageBeingMadeError`, and whatever is a fault of the twin's."""
        environment_arn = group.environment["arn"]
        key = (group.start, environment_arn)
        if key not in templates:
            templates[key] = make_template(
                group.jobs[0], group.spec, group.environment, self._launch_ports, priority=group.priority
            )
        template = templates[key]
        gpu_note = self._compute.gpu_note("the job asks for", group.spec.gpus)
        notes = [template.network.note, template.note, gpu_note]
        head = "".join(f"trainworks: {note}\n" for note in notes if note)
        return Ready(group.jobs, template, environment_arn, head)

    def _wait_for_image(self, jobs: Sequence[Job], spec: JobSpec, making: ImageBeingMadeError) -> None:
        """The jobs stay RUNNABLE until their image is made, and hold up no others."""
        reason = f"{IMAGE_BEING_MADE}: {spec.container['image']}, once for all jobs"
        self._block([(jobs, reason)], is_told=False)
        if making.has_ended():  # it may have ended before they were blocked, and then nobody tells of it again
            self.on_image_made(())

    def on_image_made(self, _: Collection[str]) -> None:
        """Try all jobs again that waited for an image."""
        self._try_again(f"{IMAGE_BEING_MADE}:")

    def _submit(self, parts: Sequence[Ready]) -> None:
        """Hand over a part of the jobs, in the order in which they came; while the next part is made ready, these are
        started."""
        with self._ledger.entry() as entry:
            entry.load(job.job_id for part in parts for job in part.jobs)
            there = _existing(entry, {part.environment_arn for part in parts})
            here = [part for part in parts if part.environment_arn in there]
            runnable = [(job, part) for part in here for job in _still_runnable(entry, part.jobs)]
            runnable.sort(key=lambda each: (-each[1].template.priority, each[0].seq))
            tasks = [self._task(entry, job, part) for job, part in runnable]
            for part in here:
                if part.template.log_caller is not None:
                    self._output.write_as(entry.tx, part.jobs[0].spec_id, part.template.log_caller)
            self._compute.submit(entry.tx, tasks)
            if len(here) < len(parts):
                self._ledger.runnable.set()  # their queue has others now

    def _task(self, entry: Entry, job: Job, part: Ready) -> TaskSpec:
        """The attempt that begins, as a task; its job is changed in `entry`."""
        started = job.evolve(
            attempt=job.attempt + 1, dispatched=1, compute_environment_arn=part.environment_arn, blocked_at=None
        )
        entry.put(started)
        parent = entry.get(job.parent_id) if job.parent_id else None
        return task_of(
            part.template,
            started,
            log_path=self._output.file(started),
            log_head="" if job.array_index else part.log_head,  # of an array the first child's log says it
            array_size=parent.array_size if parent else None,
        )

    def _fail_to_start(self, parts: Sequence[NotStarted]) -> bool:
        """Attempts that end before their container is made: they count; whether any job may be retried.

        One that may is blocked until all others were looked at: an attempt of it takes no time of its own.
        """
        has_last_ones = False
        with self._ledger.entry() as entry:
            entry.load(job.job_id for part in parts for job in part.jobs)
            for part in parts:
                for job in _still_runnable(entry, part.jobs):
                    starting = job.evolve(
                        status=JobStatus.STARTING,
                        attempt=job.attempt + 1,
                        compute_environment_arn=part.environment_arn,
                    )
                    entry.put(starting)
                    end = AttemptEnd(None, part.reason, NOT_STARTED_REASON)
                    ended = end_attempt(starting, end, entry.spec(job).retry_strategy, entry.now_ms)
                    entry.put(ended)
                    if ended.status == JobStatus.RUNNABLE:
                        entry.block(ended, _LAST_TRIED, is_told=False)
                        has_last_ones = True
        return has_last_ones


def _not_prepared(error: Exception) -> str:
    return f"{NOT_PREPARED}: {type(error).__name__}: {error}"[:_LONGEST_REASON]


def _existing(entry: Entry, environment_arns: Set[str]) -> Set[str]:
    """Those that were not deleted while jobs were made ready for them: in a pool that is gone they would never run."""
    return {arn for arn in environment_arns if entry.tx.execute(SQL["environment_by_arn"], (arn,)).fetchone()}


def _still_runnable(entry: Entry, jobs: Sequence[Job]) -> list[Job]:
    """The jobs as they are now; those cancelled in the meantime are left out."""
    entry.load(job.job_id for job in jobs)
    current = [entry.get(job.job_id) for job in jobs]
    return [job for job in current if job is not None and job.status == JobStatus.RUNNABLE and not job.dispatched]


def _parts(waiting: Sequence[Waiting]) -> Iterator[Sequence[Waiting]]:
    """What is handed over together. Of a crowd the first part is a small one, so that its jobs start at once."""
    first = _FIRST_PART if len(waiting) > _PART else _PART
    yield waiting[:first]
    for start in range(first, len(waiting), _PART):
        yield waiting[start : start + _PART]

"""The one place where job rows change: a transaction is opened, jobs change, what follows is worked out, written, told.

    with ledger.entry() as entry: ...        in a transaction of its own
    with ledger.join(tx) as entry: ...       in one of the compute plane's, or of the log shipper's
    ledger.together(lambda entry: ...)       in one that is shared with all who ask meanwhile

    entry     jobs are loaded once, changed in memory, written together: an array of thousands costs a few statements
    settle    what follows from jobs that finished: array parents, sequences, dependents; then one UPDATE for all
    announce  events go to the outbox, and `runnable` is set where something may have become RUNNABLE
    COMMIT    jobs and their events are on disk, or neither is

A job waits for each id of its `dependsOn`; an array's children wait for these too, and besides `SEQUENTIAL` for the
child before it, `N_TO_N` for the child of the same index of the other array. A job whose dependency failed fails with
it.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from sqlite3 import Connection
from typing import Any, TypeVar

from trainworks.states.batch_job import JobStatus
from trainworks.twin.recorded.tags import forget_tags
from trainworks.twin.services.batch.arns import job_arn, task_id
from trainworks.twin.services.batch.attempts import ARRAY_REASON, DEPENDENCY_REASON
from trainworks.twin.services.batch.describe import job_detail
from trainworks.twin.services.batch.events import (
    QUEUE_BLOCKED,
    STATE_CHANGE,
    queue_blocked,
    state_change,
    wanted_statuses,
)
from trainworks.twin.services.batch.records import SQL, Job, JobSpec, Specs, job_of, load_jobs
from trainworks.twin.services.outbox import Event, Outbox
from trainworks.twin.store import Database

T = TypeVar("T")

_DISPATCHABLE = (JobStatus.SUBMITTED, JobStatus.RUNNABLE)
"""After these there may be jobs to hand over. An array's children are RUNNABLE from its submission on."""
_NOT_STARTED = (JobStatus.SUBMITTED, JobStatus.PENDING, JobStatus.RUNNABLE)


class Ledger:
    """Opens entries, closes them and announces them. `clock` gives seconds since the epoch.

    `runnable` is set when jobs may be there to hand over. That is before the commit: look under the write lock.
    """

    def __init__(self, database: Database, outbox: Outbox, clock: Callable[[], float]) -> None:
        self.specs = Specs()
        self.runnable = threading.Event()
        self._database = database
        self._outbox = outbox
        self._clock = clock

    @contextmanager
    def entry(self) -> Iterator[Entry]:
        """Changes that are on disk when the block is left, and undone by an error in it."""
        with self._database.transaction() as tx, self.join(tx) as entry:
            yield entry

    @contextmanager
    def join(self, tx: Connection) -> Iterator[Entry]:
        """Changes that become durable together with the rest of somebody's transaction."""
        entry = Entry(tx, int(self._clock() * 1000), self.specs)
        yield entry
        entry.settle()
        self._announce(entry)

    def together(self, work: Callable[[Entry], T]) -> T:
        """`work` in a transaction that it shares with all who ask meanwhile; undone alone where it raises."""

        def joined(tx: Connection) -> T:
            with self.join(tx) as entry:
                return work(entry)

        return self._database.together(joined)

    def _announce(self, entry: Entry) -> None:
        """Sends events for the statuses that any rule listens to, and wakes the dispatcher if it may have work."""
        tx = entry.tx
        events: list[Event] = []
        if entry.transitions:
            wanted = wanted_statuses(self._outbox.patterns(*STATE_CHANGE))
            events += [state_change(job, self._detail(tx, job)) for job in entry.transitions if job.status in wanted]
        if entry.blocked and self._outbox.is_heard(*QUEUE_BLOCKED):
            events += [queue_blocked(job, self._detail(tx, job)) for job in entry.blocked]
        self._outbox.put(tx, events)
        if entry.has_unblocked or any(job.status in _DISPATCHABLE for job in entry.transitions):
            self.runnable.set()

    def _detail(self, tx: Connection, job: Job) -> Mapping[str, Any]:
        return job_detail(tx, job, self.specs.of(tx, job.spec_id))


class Entry:
    """The changes of one transaction. `transitions` has each job as it was after each change of status."""

    def __init__(self, tx: Connection, now_ms: int, specs: Specs) -> None:
        self.tx = tx
        self.now_ms = now_ms
        self.transitions: list[Job] = []
        self.blocked: list[Job] = []
        self.has_unblocked = False
        self._specs = specs
        self._jobs: dict[str, Job] = {}
        self._changed: set[str] = set()
        self._finished: list[Job] = []

    def load(self, job_ids: Iterable[str]) -> None:
        """Fetch jobs that `get` will be asked for, in one statement."""
        missing = [job_id for job_id in job_ids if job_id not in self._jobs]
        if missing:
            self._jobs.update(load_jobs(self.tx, missing))

    def get(self, job_id: str) -> Job | None:
        if job_id not in self._jobs:
            self.load([job_id])
        return self._jobs.get(job_id)

    def spec(self, job: Job) -> JobSpec:
        return self._specs.of(self.tx, job.spec_id)

    def put(self, job: Job) -> None:
        """Take over a changed job."""
        before = self._jobs[job.job_id]
        self._jobs[job.job_id] = job
        self._changed.add(job.job_id)
        if before.dispatched and not job.dispatched and not job.is_terminal:
            self.has_unblocked = True
        if job.status != before.status:
            self.transitions.append(job)
            if job.is_terminal:
                self._finished.append(job)

    def insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """A new job, or an array's parent and its children, as `job_insert` names their columns.

        Each is SUBMITTED first; this is announced for the job or the parent, and for no child.
        """
        self.tx.executemany(SQL["job_insert"], rows)
        job = self.get(rows[0]["job_id"])
        if job is not None:
            self.transitions += [job._replace(status=JobStatus.SUBMITTED), job]

    def depend(self, job_id: str, upstream_id: str, *, n_to_n: bool = False) -> None:
        """`job_id` hears of the end of `upstream_id`; of two arrays, each child of the child of the same index."""
        self.tx.execute(SQL["dependency_insert"], (upstream_id, job_id, int(n_to_n)))

    def fail(self, job: Job, reason: str) -> None:
        """End a job that never starts; of an array, all its children that did not start."""
        if job.is_terminal:
            return
        if job.is_array_parent:
            self.put(job.evolve(status_reason=reason))
            for child in self._open_children(job.job_id):
                if child.status == JobStatus.PENDING:
                    self.fail(child, reason)
            return
        self.put(job.evolve(status=JobStatus.FAILED, status_reason=reason, stopped_at=self.now_ms))

    def end(self, job: Job, by: str, reason: str) -> list[str]:
        """End a job, or an array with its children, and remember by what: `cancel` leaves alone what has started.

        Gives the tasks that `Compute` is to stop after the commit; their jobs end with them.
        """
        tasks: list[str] = []
        for each in [job, *self._open_children(job.job_id)] if job.is_array_parent else [job]:
            if each.is_terminal or (by == "cancel" and each.status not in _NOT_STARTED):
                continue
            marked = each.evolve(ended_by=by, end_reason=reason)
            self.put(marked)
            if marked.dispatched:
                tasks.append(task_id(marked.job_id, marked.attempt))
            elif not marked.is_array_parent:
                self.fail(marked, reason)
        return tasks

    def end_queue(self, queue_arn: str, reason: str) -> list[str]:
        """`end` for all jobs of a queue."""
        rows = self.tx.execute(SQL["open_jobs_of_queue"], (queue_arn,)).fetchall()
        jobs = [self._jobs.setdefault(row["job_id"], job_of(row)) for row in rows]
        return [task for job in jobs for task in self.end(job, "terminate", reason)]

    def block(self, job: Job, reason: str, *, is_told: bool) -> None:
        """A job that fits nowhere now waits until its queue changes, or its image is made. `is_told`: by an event."""
        blocked = job.evolve(blocked_at=self.now_ms, status_reason=reason or None)
        self.put(blocked)
        if is_told:
            self.blocked.append(blocked)

    def unblock_queue(self, queue_arn: str) -> None:
        """What was blocked may fit now."""
        self._unblock("unblock_queue", (queue_arn,))

    def unblock_environment(self, environment_arn: str) -> None:
        for row in self.tx.execute(SQL["queues_of_environment"], (environment_arn,)).fetchall():
            self.unblock_queue(row["arn"])

    def unblock_reason(self, beginning: str) -> None:
        """Try all jobs again that are blocked by a reason that begins so."""
        self._unblock("unblock_reason", (beginning,))

    def forget(self, job: Job) -> None:
        """Delete all rows of a job that has ended; of an array, its children's too."""
        named = {"job_id": job.job_id}
        self.tx.execute(SQL["dependencies_delete"], named)
        self.tx.execute(SQL["job_delete"], named)
        self.tx.execute(SQL["spec_delete"], (job.spec_id,))
        forget_tags(self.tx, job_arn(job.queue_arn, job.job_id))

    def settle(self) -> None:
        """Let everything follow from what finished, until nothing more does, and write all changes."""
        while self._finished:
            finished, self._finished = self._finished, []
            self._count_children(finished)
            self._tell_siblings(finished)
            self._tell_dependents(finished)
        if self._changed:
            self.tx.executemany(SQL["job_update"], [self._jobs[job_id] for job_id in self._changed])
            self._changed.clear()

    def _unblock(self, statement: str, parameters: tuple[str, ...]) -> None:
        self.has_unblocked |= self.tx.execute(SQL[statement], parameters).rowcount > 0

    def _open_children(self, parent_id: str) -> list[Job]:
        """The children of an array that are not at their end, by index."""
        for row in self.tx.execute(SQL["open_children"], (parent_id,)):
            self._jobs.setdefault(row["job_id"], job_of(row))
        children = [job for job in self._jobs.values() if job.parent_id == parent_id and not job.is_terminal]
        return sorted(children, key=lambda job: job.array_index or 0)

    def _count_children(self, finished: list[Job]) -> None:
        """Array parents end with their last child."""
        by_parent: dict[str, list[Job]] = defaultdict(list)
        for job in finished:
            if job.parent_id is not None:
                by_parent[job.parent_id].append(job)
        self.load(by_parent)
        for parent_id, children in by_parent.items():
            parent = self._jobs[parent_id]
            failed = parent.failed + sum(child.status == JobStatus.FAILED for child in children)
            starts = [child.started_at for child in children if child.started_at is not None]
            parent = parent.evolve(
                unfinished=parent.unfinished - len(children),
                failed=failed,
                started_at=parent.started_at or min(starts, default=None),
            )
            if parent.unfinished == 0:
                parent = _ended_parent(parent, self.now_ms)
            self.put(parent)

    def _tell_siblings(self, finished: list[Job]) -> None:
        """`SEQUENTIAL`: the next child of the same array."""
        for job in finished:
            if job.parent_id is not None and job.array_index is not None and self.spec(job).sequential:
                self._tell(f"{job.parent_id}:{job.array_index + 1}", succeeded=job.status == JobStatus.SUCCEEDED)

    def _tell_dependents(self, finished: list[Job]) -> None:
        outcome = {job.job_id: job.status == JobStatus.SUCCEEDED for job in finished}
        sources = list(outcome) + list({job.parent_id for job in finished if job.parent_id is not None})
        rows = self.tx.execute(SQL["dependents"], (json.dumps(sources),)).fetchall()
        n_to_n: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            if row["n_to_n"]:
                n_to_n[row["on_job_id"]].append(row["waiting_job_id"])
            elif row["on_job_id"] in outcome:
                self._tell(row["waiting_job_id"], succeeded=outcome[row["on_job_id"]])
        for job in finished if n_to_n else []:
            for waiting_id in n_to_n.get(job.parent_id or "", []):
                self._tell(f"{waiting_id}:{job.array_index}", succeeded=outcome[job.job_id])

    def _tell(self, waiting_id: str, *, succeeded: bool) -> None:
        """One dependency of a waiting job was decided."""
        waiting = self.get(waiting_id)
        if waiting is None or waiting.is_terminal:
            return
        if not succeeded:
            self.fail(waiting, DEPENDENCY_REASON)
            return
        self._release(waiting)
        if waiting.is_array_parent:
            for child in self._open_children(waiting_id):
                self._release(child)

    def _release(self, job: Job) -> None:
        left = job.waiting_on - 1
        is_runnable = left == 0 and not job.is_array_parent
        self.put(job.evolve(waiting_on=left, status=JobStatus.RUNNABLE if is_runnable else job.status))


def _ended_parent(parent: Job, now_ms: int) -> Job:
    if parent.failed:
        reason = parent.end_reason or parent.status_reason or ARRAY_REASON
        return parent.evolve(status=JobStatus.FAILED, status_reason=reason, stopped_at=now_ms)
    return parent.evolve(status=JobStatus.SUCCEEDED, stopped_at=now_ms)

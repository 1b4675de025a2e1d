"""What follows from jobs that change: array parents, dependents, sequences. One `Progress` lives for one transaction.

Jobs are loaded once, changed in memory and written together, so that an array of thousands costs a few statements.

A job waits for each id of its `dependsOn`; an array's children wait for these too, and besides
`SEQUENTIAL` for the child before it, `N_TO_N` for the child of the same index of the other array.
A job whose dependency failed fails with it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from sqlite3 import Connection

from trainworks.states.batch_job import JobStatus
from trainworks.twin.services.batch.attempts import ARRAY_REASON, DEPENDENCY_REASON
from trainworks.twin.services.batch.records import SQL, Job, JobSpec, job_of, load_jobs, save_jobs


class Progress:
    """The changes of one transaction. `transitions` has each job as it was after each change of status."""

    def __init__(self, tx: Connection, now_ms: int, spec_of: Callable[[Connection, str], JobSpec]) -> None:
        self.tx = tx
        self.transitions: list[Job] = []
        self._now_ms = now_ms
        self._spec_of = spec_of
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

    def open_children(self, parent_id: str) -> list[Job]:
        """The children of an array that are not at their end, by index."""
        for row in self.tx.execute(SQL["open_children"], (parent_id,)):
            self._jobs.setdefault(row["job_id"], job_of(row))
        children = [job for job in self._jobs.values() if job.parent_id == parent_id and not job.is_terminal]
        return sorted(children, key=lambda job: job.array_index or 0)

    def spec(self, job: Job) -> JobSpec:
        return self._spec_of(self.tx, job.spec_id)

    def put(self, job: Job) -> None:
        """Take over a changed job."""
        before = self._jobs[job.job_id]
        self._jobs[job.job_id] = job
        self._changed.add(job.job_id)
        if job.status != before.status:
            self.transitions.append(job)
            if job.is_terminal:
                self._finished.append(job)

    def fail(self, job: Job, reason: str) -> None:
        """End a job that never starts; of an array, all its children that did not start."""
        if job.is_terminal:
            return
        if job.is_array_parent:
            self.put(job.evolve(status_reason=reason))
            for child in self.open_children(job.job_id):
                if child.status == JobStatus.PENDING:
                    self.fail(child, reason)
            return
        self.put(job.evolve(status=JobStatus.FAILED, status_reason=reason, stopped_at=self._now_ms))

    def settle(self) -> None:
        """Let everything follow from what finished, until nothing more does, and write all changes."""
        while self._finished:
            finished, self._finished = self._finished, []
            self._count_children(finished)
            self._tell_siblings(finished)
            self._tell_dependents(finished)
        save_jobs(self.tx, [self._jobs[job_id] for job_id in self._changed])
        self._changed.clear()

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
                parent = _ended_parent(parent, self._now_ms)
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
            for child in self.open_children(waiting_id):
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

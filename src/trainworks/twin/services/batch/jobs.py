"""DescribeJobs, ListJobs, CancelJob and TerminateJob."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from sqlite3 import Connection
from typing import Any

from trainworks.states.batch_job import JobStatus
from trainworks.twin.ports import ApiError, Compute, ControlPlane
from trainworks.twin.services.batch.arns import name_of, scope_of, task_id
from trainworks.twin.services.batch.describe import job_detail, job_summary
from trainworks.twin.services.batch.launch import STOP_GRACE_SECONDS
from trainworks.twin.services.batch.listing import list_jobs
from trainworks.twin.services.batch.progress import Progress
from trainworks.twin.services.batch.records import SQL, Job, JobSpec, job_of, load_job, load_jobs
from trainworks.twin.store import Database
from trainworks.twin.wire import Call

_MAX_DESCRIBED = 100
_NOT_STARTED = (JobStatus.SUBMITTED, JobStatus.PENDING, JobStatus.RUNNABLE)


class Jobs:
    """What is asked about jobs, and their ends."""

    def __init__(
        self,
        database: Database,
        control_plane: ControlPlane,
        compute: Compute,
        *,
        spec_of: Callable[[Connection, str], JobSpec],
        open_progress: Callable[[Connection], Progress],
        commit: Callable[[Progress], None],
    ) -> None:
        self._database = database
        self._control_plane = control_plane
        self._compute = compute
        self._spec_of = spec_of
        self._open_progress = open_progress
        self._commit = commit

    def describe_jobs(self, call: Call) -> Mapping[str, Any]:
        """Jobs that do not exist are left out, as Batch does."""
        self._control_plane.authorize(call.caller, "batch:DescribeJobs", "*")
        job_ids: Sequence[str] = call.params["jobs"]
        if len(job_ids) > _MAX_DESCRIBED:
            raise ApiError("ClientException", f"DescribeJobs takes at most {_MAX_DESCRIBED} jobs, not {len(job_ids)}")
        names = [name_of(job_id) for job_id in job_ids]
        with self._database.snapshot() as tx:
            found = load_jobs(tx, names)
            jobs = [found[name] for name in dict.fromkeys(names) if name in found]
            own = [job for job in jobs if job.queue_arn.startswith(f"{scope_of(call.caller)}:")]
            return {"jobs": [job_detail(tx, job, self._spec_of(tx, job.spec_id)) for job in own]}

    def list_jobs(self, call: Call) -> Mapping[str, Any]:
        self._control_plane.authorize(call.caller, "batch:ListJobs", "*")
        with self._database.snapshot() as tx:
            chosen, token = list_jobs(tx, call, self._spec_of)
            summaries = [job_summary(tx, job, self._spec_of(tx, job.spec_id)) for job in chosen]
        return {"jobSummaryList": summaries, **({"nextToken": token} if token else {})}

    def cancel_job(self, call: Call) -> Mapping[str, Any]:
        """End jobs that did not start; those that did go on."""
        self._end(call, "cancel", "CancelJob")
        return {}

    def terminate_job(self, call: Call) -> Mapping[str, Any]:
        """End jobs wherever they are; a running container gets SIGTERM, and SIGKILL 30 seconds later."""
        self._end(call, "terminate", "TerminateJob")
        return {}

    def end_queue(self, queue_arn: str) -> None:
        """End all jobs of a queue that is deleted."""
        with self._database.transaction() as tx:
            jobs = [job_of(row) for row in tx.execute(SQL["open_jobs_of_queue"], (queue_arn,))]
            tasks = self._end_jobs(tx, jobs, "terminate", "JobQueue deleted")
        self._compute.stop(tasks, STOP_GRACE_SECONDS)

    def stop_again(self) -> None:
        """Repeat stops that a crash may have swallowed between their commit and the call."""
        with self._database.transaction() as tx:
            tasks = [task_id(row["job_id"], row["attempt"]) for row in tx.execute(SQL["jobs_to_stop"])]
        if tasks:
            self._compute.stop(tasks, STOP_GRACE_SECONDS)

    def _end(self, call: Call, kind: str, action: str) -> None:
        job_id, reason = name_of(call.params["jobId"]), call.params["reason"]
        self._control_plane.authorize(call.caller, f"batch:{action}", f"{scope_of(call.caller)}:job/{job_id}")
        with self._database.transaction() as tx:
            job = load_job(tx, job_id)
            if job is None or not job.queue_arn.startswith(f"{scope_of(call.caller)}:"):
                return  # Batch takes a job that it does not know, or has forgotten, for one that has ended
            tasks = self._end_jobs(tx, [job], kind, reason)
        if tasks:
            self._compute.stop(tasks, STOP_GRACE_SECONDS)

    def _end_jobs(self, tx: Connection, jobs: Sequence[Job], kind: str, reason: str) -> list[str]:
        """Mark and end; the ids of tasks that are to be stopped after the commit."""
        progress = self._open_progress(tx)
        progress.load(job.job_id for job in jobs)
        tasks: list[str] = []
        for job in jobs:
            for each in [job, *progress.open_children(job.job_id)] if job.is_array_parent else [job]:
                tasks += self._end_one(progress, progress.get(each.job_id) or each, kind, reason)
        self._commit(progress)
        return tasks

    @staticmethod
    def _end_one(progress: Progress, job: Job, kind: str, reason: str) -> Iterator[str]:
        if job.is_terminal or (kind == "cancel" and job.status not in _NOT_STARTED):
            return
        marked = job.evolve(ended_by=kind, end_reason=reason)
        progress.put(marked)
        if job.is_array_parent:
            return
        if job.dispatched:
            yield task_id(job.job_id, job.attempt)
        else:
            progress.fail(marked, reason)

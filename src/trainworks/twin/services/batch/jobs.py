"""DescribeJobs, ListJobs, CancelJob and TerminateJob."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainworks.twin.ports import ApiError, Caller, Compute, ControlPlane
from trainworks.twin.services.batch.arns import name_of, scope_of, task_id
from trainworks.twin.services.batch.describe import job_detail, job_summary
from trainworks.twin.services.batch.ledger import Ledger
from trainworks.twin.services.batch.listing import list_jobs
from trainworks.twin.services.batch.records import SQL, STOP_GRACE_SECONDS, load_jobs
from trainworks.twin.services.batch.tags import authorize_on
from trainworks.twin.store import Database
from trainworks.twin.wire import Call, Operation, executed

_MAX_DESCRIBED = 100


class Jobs:
    """What is asked about jobs, and their ends."""

    def __init__(self, database: Database, control_plane: ControlPlane, compute: Compute, ledger: Ledger) -> None:
        self._database = database
        self._control_plane = control_plane
        self._compute = compute
        self._ledger = ledger

    def operations(self) -> Mapping[str, Operation]:
        return {
            "DescribeJobs": executed(self.describe_jobs),
            "ListJobs": executed(self.list_jobs),
            "CancelJob": executed(self.cancel_job),
            "TerminateJob": executed(self.terminate_job),
        }

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
            return {"jobs": [job_detail(tx, job, self._ledger.specs.of(tx, job.spec_id)) for job in own]}

    def list_jobs(self, call: Call) -> Mapping[str, Any]:
        self._control_plane.authorize(call.caller, "batch:ListJobs", "*")
        with self._database.snapshot() as tx:
            chosen, token = list_jobs(tx, call, self._ledger.specs)
            summaries = [job_summary(tx, job, self._ledger.specs.of(tx, job.spec_id)) for job in chosen]
        return {"jobSummaryList": summaries, **({"nextToken": token} if token else {})}

    def cancel_job(self, call: Call) -> Mapping[str, Any]:
        """End jobs that did not start; those that did go on."""
        self._end(call, "cancel")
        return {}

    def terminate_job(self, call: Call) -> Mapping[str, Any]:
        """End jobs wherever they are; a running container gets SIGTERM, and SIGKILL 30 seconds later."""
        self._end(call, "terminate")
        return {}

    def instance_ids(self, job_id: str, caller: Caller) -> Sequence[str]:
        """The instances on which a job, or the children of an array, run now; empty if it runs on none."""
        rows = self._database.read(SQL["instances_of_job"], {"job_id": job_id, "scope": scope_of(caller)})
        return [row["instance_id"] for row in rows]

    def stop_again(self) -> None:
        """Repeat stops that a crash may have swallowed between their commit and the call."""
        with self._database.transaction() as tx:
            tasks = [task_id(row["job_id"], row["attempt"]) for row in tx.execute(SQL["jobs_to_stop"])]
        if tasks:
            self._compute.stop(tasks, STOP_GRACE_SECONDS)

    def _end(self, call: Call, by: str) -> None:
        job_id, reason = name_of(call.params["jobId"]), call.params["reason"]
        authorize_on(self._control_plane, self._database, call, f"{scope_of(call.caller)}:job/{job_id}")
        with self._ledger.entry() as entry:
            job = entry.get(job_id)
            if job is None or not job.queue_arn.startswith(f"{scope_of(call.caller)}:"):
                return  # Batch takes a job that it does not know, or has forgotten, for one that has ended
            tasks = entry.end(job, by, reason)
        if tasks:
            self._compute.stop(tasks, STOP_GRACE_SECONDS)

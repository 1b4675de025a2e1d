"""The Batch service: its parts put together, its endpoint, and what happens when tasks report."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from trainworks.aws.instance_types import FARGATE_FAMILY
from trainworks.states.batch_job import JobStatus
from trainworks.twin.in_hand import InHand
from trainworks.twin.job_files import remove_tree
from trainworks.twin.ports import (
    Caller,
    Compute,
    ControlPlane,
    Ended,
    ImageResolver,
    InstanceInfo,
    Market,
    TaskEvent,
    TaskState,
)
from trainworks.twin.service import Kept, Locator, Service
from trainworks.twin.services.batch.arns import TASK_PREFIX, job_arn, job_of_task, scope_of, task_id
from trainworks.twin.services.batch.attempts import apply_event
from trainworks.twin.services.batch.container import REFUSED_MEMBERS
from trainworks.twin.services.batch.definitions import JobDefinitions
from trainworks.twin.services.batch.describe import job_detail
from trainworks.twin.services.batch.dispatch import Dispatcher, DispatchPorts, log_folder, log_path
from trainworks.twin.services.batch.environments import ComputeEnvironments
from trainworks.twin.services.batch.hosts import interruption_warning
from trainworks.twin.services.batch.jobs import Jobs
from trainworks.twin.services.batch.launch import LaunchPorts, log_group_of, log_stream_of
from trainworks.twin.services.batch.progress import Progress
from trainworks.twin.services.batch.queues import JobQueues
from trainworks.twin.services.batch.records import SQL, Job, JobSpec, load_job, load_spec
from trainworks.twin.services.batch.submission import Submission
from trainworks.twin.services.batch.tags import Tags
from trainworks.twin.services.logship import LogShipper, LogSource
from trainworks.twin.services.networks import Networks
from trainworks.twin.services.outbox import Event, Outbox
from trainworks.twin.store import Database
from trainworks.twin.store.queries import load_sql
from trainworks.twin.wire import Endpoint, Operation, executed

_log = logging.getLogger(__name__)

KEPT_SECONDS = 7 * 24 * 3600
"""Batch keeps a job's record for seven days after its end; so are its log files kept."""

_PURGED_AT_ONCE = 20
_SPECS_IN_MEMORY = 4_000
_DISPATCHABLE = (JobStatus.SUBMITTED, JobStatus.RUNNABLE)
"""After these there may be jobs to hand over. An array's children are RUNNABLE from its submission on."""
_ENDS = (TaskState.EXITED, TaskState.LOST, TaskState.CANCELLED)


class BatchService(Service):
    """Built before `Compute.start`; `start` and `stop` frame its threads. `endpoint` answers the API."""

    def __init__(
        self,
        database: Database,
        control_plane: ControlPlane,
        compute: Compute,
        images: ImageResolver,
        *,
        outbox: Outbox,
        log_shipper: LogShipper,
        jobs_dir: Path,
        endpoint_url: str,
        in_hand: InHand | None = None,
        network: str = "host",
        clock: Callable[[], float] = time.time,
    ) -> None:
        database.apply(load_sql(__package__ or "", "schema.sql"))
        self._database = database
        self._control_plane = control_plane
        self._compute = compute
        self._outbox = outbox
        self._log_shipper = log_shipper
        self._jobs_dir = jobs_dir
        self._clock = clock
        self._specs: dict[str, JobSpec] = {}
        self._log_callers: dict[str, Caller | None] = {}
        self._closing = threading.Event()
        self._janitor = threading.Thread(target=self.purge, name="batch-janitor", daemon=True)
        launch_ports = LaunchPorts(
            control_plane,
            images,
            log_shipper.logs,
            Networks(control_plane, compute, endpoint_url, network),
            endpoint_url,
            in_hand or InHand.of_nothing(),
        )
        self.dispatcher = Dispatcher(
            database,
            DispatchPorts(
                launch=launch_ports,
                compute=compute,
                outbox=outbox,
                jobs_dir=jobs_dir,
                open_progress=self._open_progress,
                commit=self._commit,
                describe=self._describe,
                spec_of=self._spec_of,
                remember_log_caller=self._remember_log_caller,
                now_ms=self._now_ms,
            ),
        )
        images.on_made(self.dispatcher.on_image_made)
        self._jobs = Jobs(
            database,
            control_plane,
            compute,
            spec_of=self._spec_of,
            open_progress=self._open_progress,
            commit=self._commit,
        )
        self.endpoint = Endpoint("batch", self._operations(), validation_code="ClientException")
        compute.subscribe(TASK_PREFIX, self.on_task_events)
        log_shipper.on_arrival(TASK_PREFIX, self.on_arrival)

    def start(self) -> None:
        """Go on with what an earlier run left: stops, RUNNABLE jobs; and forget jobs that ended long ago."""
        self._jobs.stop_again()
        self.dispatcher.start()
        self._janitor.start()

    def stop(self) -> None:
        self._closing.set()
        self.dispatcher.stop()
        if self._janitor.is_alive():
            self._janitor.join()

    def locators(self) -> Mapping[str, Locator]:
        return {"job_id": self.instance_ids}

    def kept(self) -> Mapping[str, Kept]:
        return {"batch_jobs": self}

    def instance_ids(self, job_id: str, caller: Caller) -> Sequence[str]:
        """The instances on which a job, or the children of an array, run now; empty where it runs on none."""
        rows = self._database.read(SQL["instances_of_job"], {"job_id": job_id, "scope": scope_of(caller)})
        return [row["instance_id"] for row in rows]

    def on_interruption(self, tx: Connection, instance: InstanceInfo) -> None:
        """EC2's warning, where the instance is a spot host of a compute environment; Fargate's tasks have none."""
        row = tx.execute(SQL["environment_of_pool"], (instance.pool_id,)).fetchone()
        if row is not None and instance.market is Market.SPOT and not instance.instance_type.startswith(FARGATE_FAMILY):
            self._outbox.put(tx, [interruption_warning(instance.instance_id, row["arn"].split(":")[3])])

    def on_task_events(self, tx: Connection, events: Sequence[TaskEvent]) -> None:
        """`TaskListener`: the states of jobs follow their tasks, in the transaction of the events.

        The end of a task whose output is followed counts when all of that is in Logs, which then tells.
        """
        progress = self._open_progress(tx)
        progress.load({job_of_task(event.task_id)[0] for event in events})
        started = {
            event.task_id: job
            for event in events
            if event.state is TaskState.RUNNING and (job := _job_of(progress, event)) is not None
        }
        ends = {event.task_id: event for event in events if event.state in _ENDS}
        self._follow(progress, started, ends.keys())
        silent = self._log_shipper.finish(tx, ends, note=lambda task: json.dumps(asdict(ends[task])))
        at_once = {task: ends[task] for task in silent}
        self._apply(
            progress, [event for event in events if ends.get(event.task_id) is not event or event.task_id in at_once]
        )
        self._commit(progress)

    def on_arrival(self, tx: Connection, notes: Mapping[str, str]) -> None:
        """`Arrival`: these tasks have ended, and all that they printed is in Logs."""
        progress = self._open_progress(tx)
        events = [_event_of(note) for note in notes.values() if note]
        progress.load({job_of_task(event.task_id)[0] for event in events})
        self._apply(progress, events)
        self._commit(progress)

    @staticmethod
    def _apply(progress: Progress, events: Iterable[TaskEvent]) -> None:
        for event in events:
            job = _job_of(progress, event)
            if job is not None:
                progress.put(apply_event(job, event, progress.spec(job).retry_strategy))

    def _follow(self, progress: Progress, started: Mapping[str, Job], ended: Collection[str]) -> None:
        """Follow the output of what started; what also ended by now, without a byte of output, costs nothing."""
        sources = [
            self._log_source(progress.tx, job, progress.spec(job))
            for task, job in started.items()
            if task not in ended or _has_output(self._log_file(job))
        ]
        self._log_shipper.follow(progress.tx, sources)

    def purge(self) -> None:
        """Forget jobs, with their log files, seven days after their end."""
        before = self._clock() - KEPT_SECONDS
        while not self._closing.is_set() and (ended := self.ended_before(before, 0, _PURGED_AT_ONCE)):
            self.forget([each.name for each in ended])

    def ended_before(self, moment: float, after: int, limit: int) -> Sequence[Ended]:
        """Jobs and arrays that ended before a moment, oldest first, without the first `after`."""
        named = {"before": moment * 1000, "after": after, "limit": limit}
        rows = self._database.read(SQL["expired_jobs"], named)
        return [Ended(row["job_id"], (self._jobs_dir / "batch" / row["job_id"],)) for row in rows]

    def forget(self, job_ids: Sequence[str]) -> None:
        """Delete ended jobs: log files first, so that a crash in between leaves no file that nobody knows."""
        for job_id in job_ids:
            _delete_folder(self._jobs_dir / "batch" / job_id)
            with self._database.transaction() as tx:
                job = load_job(tx, job_id)
                if job is not None and job.is_terminal:
                    named = {"job_id": job.job_id}
                    tx.execute(SQL["dependencies_delete"], named)
                    tx.execute(SQL["job_delete"], named)
                    tx.execute(SQL["spec_delete"], (job.spec_id,))
                    tx.execute(SQL["tags_delete"], (job_arn(job.queue_arn, job.job_id),))

    def _operations(self) -> Mapping[str, Operation]:
        database, control_plane = self._database, self._control_plane
        environments = ComputeEnvironments(database, control_plane, self._compute, self._environment_changed)
        queues = JobQueues(database, control_plane, self._queue_changed, self._jobs.end_queue)
        definitions = JobDefinitions(database, control_plane)
        submission = Submission(database, control_plane, self._open_progress, self._commit, self._now_ms)
        tags = Tags(database, control_plane)
        return {
            "CreateComputeEnvironment": executed(
                environments.create_compute_environment,
                "MANAGED on EC2, Spot or Fargate; launch template, image id, key pair, placement group, bid percentage "
                "and allocation strategy are recorded, minvCpus starts no instances ahead of jobs.",
                refused_members=("eksConfiguration", "unmanagedvCpus", "computeResources.managedInstancesProvider"),
            ),
            "UpdateComputeEnvironment": executed(
                environments.update_compute_environment,
                refused_members=("eksConfiguration", "unmanagedvCpus", "computeResources.managedInstancesProvider"),
            ),
            "DeleteComputeEnvironment": executed(environments.delete_compute_environment),
            "DescribeComputeEnvironments": executed(environments.describe_compute_environments),
            "CreateJobQueue": executed(
                queues.create_job_queue, refused_members=("schedulingPolicyArn", "serviceEnvironmentOrder")
            ),
            "UpdateJobQueue": executed(
                queues.update_job_queue, refused_members=("schedulingPolicyArn", "serviceEnvironmentOrder")
            ),
            "DeleteJobQueue": executed(queues.delete_job_queue),
            "DescribeJobQueues": executed(queues.describe_job_queues),
            "RegisterJobDefinition": executed(
                definitions.register_job_definition,
                "Type container. A volume with a sourcePath is a folder on the empty disk of its instance, shared by "
                "the instance's jobs and gone with it, never a folder of this machine; a sourcePath of an operating "
                "system (/etc, /var/run/docker.sock) is refused. A volume without one is an empty folder of the job. "
                "tmpfs, shared memory and ulimits hold, as far as this machine's own limits go; every container has an "
                "init process. User, swap, network, platform version, ephemeral storage and runtime platform are "
                "recorded; EFS, secrets and privileged containers are refused. All of it: "
                "[batch-containers.md](batch-containers.md).",
                refused_members=(
                    "nodeProperties",
                    "eksProperties",
                    "ecsProperties",
                    "consumableResourceProperties",
                    *REFUSED_MEMBERS,
                ),
            ),
            "DeregisterJobDefinition": executed(definitions.deregister_job_definition),
            "DescribeJobDefinitions": executed(definitions.describe_job_definitions),
            "SubmitJob": executed(
                submission.submit_job,
                "shareIdentifier and scheduling priority are recorded; a log stream appears with the first output.",
                refused_members=(
                    "nodeOverrides",
                    "eksPropertiesOverride",
                    "ecsPropertiesOverride",
                    "consumableResourcePropertiesOverride",
                ),
            ),
            "DescribeJobs": executed(self._jobs.describe_jobs),
            "ListJobs": executed(self._jobs.list_jobs),
            "CancelJob": executed(self._jobs.cancel_job),
            "TerminateJob": executed(self._jobs.terminate_job),
            "TagResource": executed(tags.tag_resource),
            "UntagResource": executed(tags.untag_resource),
            "ListTagsForResource": executed(tags.list_tags_for_resource),
        }

    def _environment_changed(self, tx: Connection, environment_arn: str) -> None:
        for row in tx.execute(SQL["queues_of_environment"], (environment_arn,)).fetchall():
            self._queue_changed(tx, row["arn"])

    def _queue_changed(self, tx: Connection, queue_arn: str) -> None:
        """What was blocked may fit now."""
        tx.execute(SQL["unblock_queue"], (queue_arn,))
        self.dispatcher.wake()

    def _open_progress(self, tx: Connection) -> Progress:
        return Progress(tx, self._now_ms(), self._spec_of)

    def _commit(self, progress: Progress) -> None:
        """Settle, record events, and wake the dispatcher when something became RUNNABLE."""
        progress.settle()
        if not progress.transitions:
            return
        self._announce(progress)
        if any(job.status in _DISPATCHABLE for job in progress.transitions):
            self.dispatcher.wake()

    def _announce(self, progress: Progress) -> None:
        """ "Batch Job State Change" for those statuses that any rule listens to."""
        wanted = wanted_statuses(self._control_plane.event_patterns("aws.batch", "Batch Job State Change"))
        events = [
            Event(
                "aws.batch",
                "Batch Job State Change",
                self._describe(progress.tx, job),
                (job_arn(job.queue_arn, job.job_id),),
            )
            for job in progress.transitions
            if job.status in wanted
        ]
        self._outbox.put(progress.tx, events)

    def _describe(self, tx: Connection, job: Job) -> Mapping[str, Any]:
        return job_detail(tx, job, self._spec_of(tx, job.spec_id))

    def _spec_of(self, tx: Connection, spec_id: str) -> JobSpec:
        """Specs never change, so that they may be kept in memory."""
        spec = self._specs.get(spec_id)
        if spec is None:
            if len(self._specs) >= _SPECS_IN_MEMORY:
                for old in list(self._specs)[: _SPECS_IN_MEMORY // 2]:
                    self._specs.pop(old, None)
            spec = self._specs[spec_id] = load_spec(tx, spec_id)
        return spec

    def _log_source(self, tx: Connection, job: Job, spec: JobSpec) -> LogSource:
        return LogSource(
            task_id=task_id(job.job_id, job.attempt),
            path=self._log_file(job),
            log_group=log_group_of(spec),
            log_stream=log_stream_of(spec, job.job_id, job.attempt),
            caller=self._log_caller(tx, job.spec_id),
        )

    def _log_file(self, job: Job) -> Path:
        return log_path(log_folder(self._jobs_dir, job), job)

    def _remember_log_caller(self, tx: Connection, spec_id: str, caller: Caller) -> None:
        """The execution role's session that writes the logs of what was launched."""
        tx.execute(SQL["log_caller_put"], {"spec_id": spec_id, "caller": json.dumps(asdict(caller))})
        self._log_callers.pop(spec_id, None)

    def _log_caller(self, tx: Connection, spec_id: str) -> Caller | None:
        if spec_id not in self._log_callers:
            if len(self._log_callers) >= _SPECS_IN_MEMORY:
                self._log_callers.clear()
            row = tx.execute(SQL["log_caller"], (spec_id,)).fetchone()
            self._log_callers[spec_id] = Caller(**json.loads(row["caller"])) if row and row["caller"] else None
        return self._log_callers[spec_id]

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _delete_folder(folder: Path) -> None:
    if not remove_tree(folder):
        _log.error("the log files of a Batch job could not be deleted: %s", folder)


def _job_of(progress: Progress, event: TaskEvent) -> Job | None:
    """The job whose present attempt an event is about; None where that is over, or was never begun."""
    job_id, attempt = job_of_task(event.task_id)
    job = progress.get(job_id)
    return None if job is None or job.is_terminal or job.attempt != attempt or not job.dispatched else job


def _event_of(note: str) -> TaskEvent:
    told = json.loads(note)
    return TaskEvent(**{**told, "state": TaskState(told["state"])})


def _has_output(log_file: Path) -> bool:
    try:
        return log_file.stat().st_size > 0
    except FileNotFoundError:
        return False


def wanted_statuses(patterns: Sequence[Mapping[str, Any]]) -> frozenset[JobStatus]:
    """The statuses that event patterns can match; all of them where a pattern does not name statuses plainly."""
    wanted: set[JobStatus] = set()
    for pattern in patterns:
        statuses = pattern.get("detail", {}).get("status")
        if not isinstance(statuses, list) or not all(isinstance(status, str) for status in statuses):
            return frozenset(JobStatus)
        wanted |= {status for status in JobStatus if status in statuses}
    return frozenset(wanted)

"""Carries training jobs on: asks `decide` what a job needs, does it, asks again, until there is nothing but to wait.

Whatever changes a job (a request, a task event, a timer) wakes it. One job is never worked on by two threads at once.
Every action is either one transaction or can be done twice with the same result, so a killed server goes on from where
it stopped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import Connection

from trainworks.states.training_job import SecondaryStatus
from trainworks.twin.in_hand import MOST_DEATHS_OF_A_STEP, InHand
from trainworks.twin.job_files import remove_tree, remove_whole
from trainworks.twin.ports import Compute, ImageBeingMadeError, ObjectStore, TaskEvent
from trainworks.twin.services.logship import LogShipper, LogSource
from trainworks.twin.services.sagemaker.instances import gpu_note
from trainworks.twin.services.sagemaker.schedule import LONG, Long, Schedule
from trainworks.twin.services.sagemaker.training import decide as steps
from trainworks.twin.services.sagemaker.training.checkpoints import CheckpointSync, CheckpointSyncs
from trainworks.twin.services.sagemaker.training.failures import JobFailedError, task_failure
from trainworks.twin.services.sagemaker.training.folders import job_folder
from trainworks.twin.services.sagemaker.training.outputs import upload_outputs
from trainworks.twin.services.sagemaker.training.prepare import (
    TASK_PREFIX,
    PreparedAttempt,
    Preparer,
    task_id_of,
)
from trainworks.twin.services.sagemaker.training.records import Task, TrainingJob
from trainworks.twin.services.sagemaker.training.store import MESSAGES, TrainingJobs
from trainworks.twin.services.sagemaker.training.transfer import Cancelled, TransferCancelledError

_LOG = logging.getLogger(__name__)
_S = SecondaryStatus

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_METRICS_POLL_SECONDS = 0.02
_IMAGE_POLL_SECONDS = 3.0
_LONGEST_MESSAGE = 120
_MOVES_DATA = (steps.Prepare, steps.SaveCheckpoints, steps.Restart, steps.Upload, steps.CleanUp)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """`checkpoint_interval_seconds` between scans of checkpoints; `jobs_dir` holds the jobs' folders; `is_published`
    says whether a job's metrics are all in CloudWatch."""

    jobs_dir: Path
    checkpoint_interval_seconds: float = 1.0
    is_published: Callable[[TrainingJob], bool] = lambda job: True
    in_hand: InHand = field(default_factory=InHand.of_nothing)


class Worker:
    """Owns the life of training jobs between CreateTrainingJob and their end."""

    def __init__(
        self,
        *,
        jobs: TrainingJobs,
        compute: Compute,
        objects: ObjectStore,
        preparer: Preparer,
        shipper: LogShipper,
        settings: WorkerSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._jobs = jobs
        self._compute = compute
        self._objects = objects
        self._preparer = preparer
        self._shipper = shipper
        self._settings = settings
        self._jobs_dir = settings.jobs_dir
        self._clock = clock
        self._syncs = CheckpointSyncs(self.fail, settings.checkpoint_interval_seconds)
        self._schedule = Schedule("training-job", self._carry_on, self._give_up, clock)
        self._cancelled: set[str] = set()
        self._cleaned = threading.Condition()
        compute.subscribe(TASK_PREFIX, self._on_events)
        shipper.on_arrival(TASK_PREFIX, self._on_arrival)

    def start(self) -> None:
        """Take up every job that an earlier run left open, and what comes from now on."""
        self._syncs.start()
        self._schedule.start()
        for job_id, has_begun in self._jobs.open_jobs():
            (self.wake if has_begun else self.begin)(job_id)

    def stop(self) -> None:
        """Finish the actions in progress; jobs go on, and the next start finds them."""
        self._schedule.stop()
        self._syncs.stop()

    def begin(self, job_id: str) -> None:
        """Take up a new job, when it is its turn."""
        self._schedule.begin(job_id)

    def wake(self, job_id: str) -> None:
        """Look at this job now."""
        self._schedule.wake(job_id)

    def forget(self, job: TrainingJob) -> None:
        """Remove the folder of an ended job, its log files included. Raises `OSError` if files cannot be deleted."""
        remove_whole(job_folder(self._jobs_dir, job).path)

    def wait_until_cleaned(self, job: TrainingJob, seconds: float) -> None:
        """Return when nothing is left to do for an ended job, or after this long."""

        def is_cleaned() -> bool:
            now = self._jobs.by_arn(job.arn)
            return now is None or now.cleaned

        with self._cleaned:
            self._cleaned.wait_for(is_cleaned, seconds)

    def cancel_upload(self, job_id: str) -> None:
        """Give up the upload of a job that has ended by now; what was sent of it is nowhere."""
        self._cancelled.add(job_id)
        self.wake(job_id)

    def fail(self, job_id: str, reason: str) -> None:
        """Head for Failed with this reason, unless the job already heads for some end."""
        with self._jobs.database.transaction() as tx:
            job = self._jobs.by_id(tx, job_id)
            if job is not None and not job.is_terminal and job.ending is None:
                self._jobs.update(tx, job, ending=_S.FAILED, failure_reason=reason)
        self.wake(job_id)

    # -- one job ----------------------------------------------------------------------------------------------

    def _carry_on(self, job_id: str, may_take_long: bool) -> float | Long | None:
        """Do all that can be done now; when to look again, None to wait for a wake-up, LONG to go on with data."""
        try:
            return self._steps(job_id, may_take_long)
        except TransferCancelledError:
            return self._clock()

    def _steps(self, job_id: str, may_take_long: bool) -> float | Long | None:
        while True:
            # Under the write lock: a listener wakes the job before its transaction is committed.
            with self._jobs.database.transaction() as tx:
                job = self._jobs.by_id(tx, job_id)
                tasks = self._jobs.tasks(tx, job) if job is not None and job.submitted_at is not None else []
            if job is None:
                return None
            action = steps.decide(job, tasks, self._clock())
            try:
                if isinstance(action, steps.Wait):
                    self._keep_syncing(job)
                    return action.until
                if isinstance(action, steps.SaveCheckpoints) and not self._has_arrived(job, tasks):
                    # `_on_arrival` wakes it where tasks have output on the way.
                    return None if self._has_output(tasks) else self._clock() + _METRICS_POLL_SECONDS
                if isinstance(action, _MOVES_DATA) and not may_take_long:
                    return LONG
                with self._settings.in_hand.hold(f"{job_id} {type(action).__name__}") as may:
                    if may:
                        self._do(action, job, tasks)
                    else:
                        self._skip(action, job)
            except ImageBeingMadeError as error:
                self._tell_of_image(job, error)
                return self._clock() + _IMAGE_POLL_SECONDS
            except JobFailedError as error:
                self._failed(job, error.reason)

    def on_image_made(self, waiters: Collection[str]) -> None:
        """Look at the jobs that waited for an image."""
        for waiter in waiters:
            self.wake(waiter)

    def _tell_of_image(self, job: TrainingJob, making: ImageBeingMadeError) -> None:
        """What the making of its image does now, in the job's status; what it has said is in its log."""
        message = f"{making.what}, once: {making.state}"
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[: _LONGEST_MESSAGE - 3]}..."
        with self._jobs.database.transaction() as tx:
            current = self._jobs.by_id(tx, job.job_id)
            if current is not None and current.secondary_status is _S.STARTING and current.ending is None:
                self._jobs.tell(tx, current, message)
                self._shipper.follow(tx, [self._image_log(current)])

    def _has_output(self, tasks: Sequence[Task]) -> bool:
        return not all(self._shipper.is_shipped(task.task_id) for task in tasks)

    def _has_arrived(self, job: TrainingJob, tasks: Sequence[Task]) -> bool:
        """Whether all that a job has said, and its metrics, are where people look for them."""
        if self._has_output(tasks) or not self._settings.is_published(job):
            return False
        return job.submitted_at is not None or self._told_of_image(job)

    def _told_of_image(self, job: TrainingJob) -> bool:
        """Whether all reports on the image of a job without tasks are in Logs; no more will come."""
        task_id = task_id_of(job, job.hosts[0])
        with self._jobs.database.transaction() as tx:
            self._shipper.finish(tx, [task_id])
        return self._shipper.is_shipped(task_id)

    def _image_log(self, job: TrainingJob) -> LogSource:
        """The log of the first instance, which reports on its image before there are tasks."""
        host = job.hosts[0]
        log = job_folder(self._jobs_dir, job).log(job.attempt, host)
        return self._log_source(job, task_id_of(job, host), log, host, self._clock())

    def _do(self, action: steps.Action, job: TrainingJob, tasks: Sequence[Task]) -> None:
        if isinstance(action, steps.Prepare):
            self._submit(job, self._preparer.prepare(job, self._clock()))
        elif isinstance(action, steps.EnterState):
            self._move(job, action)
        elif isinstance(action, steps.PlanEnding):
            self._head_for(job, action)
        elif isinstance(action, steps.StopTasks):
            running = [task.task_id for task in tasks if not task.has_ended]
            self._compute.stop(running, action.grace_seconds)
            self._update(job, stop_sent=True)
        elif isinstance(action, steps.SaveCheckpoints):
            self._save_checkpoints(job)
            self._move(job, action.then)
        elif isinstance(action, steps.Restart):
            self._save_checkpoints(job)
            self._restart(job)
        elif isinstance(action, steps.Upload):
            self._upload(job, action.ending)
        elif isinstance(action, steps.CleanUp):
            self._clean_up(job)

    def _submit(self, job: TrainingJob, attempt: PreparedAttempt) -> None:
        now = self._clock()
        with self._jobs.database.transaction() as tx:
            current = self._jobs.by_id(tx, job.job_id)
            if current is None or current.secondary_status is not _S.STARTING or current.ending is not None:
                return  # stopped while it was prepared
            self._compute.create_pool(tx, attempt.pool)
            self._jobs.insert_tasks(tx, current, [(task.task_id, task.hostname) for task in attempt.tasks])
            self._shipper.follow(
                tx, [self._log_source(job, task.task_id, task.log_path, task.hostname, now) for task in attempt.tasks]
            )
            self._jobs.update(tx, current, submitted_at=now, stop_sent=False)
            self._compute.submit(tx, attempt.tasks)
        if attempt.sync is not None:
            attempt.sync.cancelled = self._cancelled_of(job.job_id)
            self._syncs.add(job.job_id, attempt.sync)

    def _log_source(self, job: TrainingJob, task_id: str, log: Path, host: str, now: float) -> LogSource:
        """The stream of one instance's attempt: `<job>/algo-1-<seconds since the epoch>`.

        Logs takes each byte of a stream's file once. So no two attempts have one stream: one that begins within the
        second of the attempt before, or of an earlier job of this name, is given a later second.
        """
        second = int(now) + job.attempt
        while self._shipper.logs.output_offset(job.service_role, LOG_GROUP, f"{job.name}/{host}-{second}"):
            second += 1
        return LogSource(task_id, log, LOG_GROUP, f"{job.name}/{host}-{second}", job.service_role)

    def _move(self, job: TrainingJob, move: steps.EnterState) -> None:
        with self._jobs.database.transaction() as tx:
            current = self._jobs.by_id(tx, job.job_id)
            if (
                current is not None
                and current.secondary_status is job.secondary_status
                and current.ending is job.ending
            ):
                message = self._message(job, move.following)
                self._jobs.transition(tx, current, move.following, move.at, message, **move.changes)

    def _message(self, job: TrainingJob, following: SecondaryStatus) -> str:
        """What the transition says in addition: how many GPUs there really are, when training begins."""
        note = gpu_note(self._compute, job.instance_type, job.instance_count) if following is _S.TRAINING else ""
        return f"{MESSAGES[following]} ({note})" if note else ""

    def _head_for(self, job: TrainingJob, action: steps.PlanEnding) -> None:
        reason = action.failure_reason or None
        if action.failed_task is not None:
            folder = job_folder(self._jobs_dir, job)
            task = action.failed_task
            ml_root, log = folder.ml_root(task.attempt, task.host), folder.log(task.attempt, task.host)
            reason = task_failure(job, task, ml_root, log)
        with self._jobs.database.transaction() as tx:
            current = self._jobs.by_id(tx, job.job_id)
            if current is not None and current.ending is None:
                self._jobs.update(tx, current, ending=action.ending, failure_reason=reason)

    def _restart(self, job: TrainingJob) -> None:
        self._syncs.remove(job.job_id)
        with self._jobs.database.transaction() as tx:
            current = self._jobs.by_id(tx, job.job_id)
            if current is not None and current.secondary_status is _S.INTERRUPTED and current.ending is None:
                at, following = self._clock(), current.attempt + 1
                self._jobs.transition(
                    tx, current, _S.RESTARTING, at, attempt=following, submitted_at=None, stop_sent=False
                )
        remove_tree(job_folder(self._jobs_dir, job).attempt(job.attempt))

    def _upload(self, job: TrainingJob, ending: SecondaryStatus) -> None:
        folder = job_folder(self._jobs_dir, job)
        artifacts = upload_outputs(job, folder, self._objects, self._cancelled_of(job.job_id))
        with self._jobs.database.transaction() as tx:
            current = self._jobs.by_id(tx, job.job_id)
            if current is not None and current.secondary_status is _S.UPLOADING:
                final = current.ending or ending
                self._jobs.transition(tx, current, final, self._clock(), model_artifacts=artifacts)

    def _clean_up(self, job: TrainingJob) -> None:
        self._syncs.remove(job.job_id)
        self._compute.delete_pool(job.pool_id)
        folder = job_folder(self._jobs_dir, job)
        for number in range(job.attempt + 1):
            remove_tree(folder.attempt(number))
        self._update(job, cleaned=True)
        self._cancelled.discard(job.job_id)

    def _cancelled_of(self, job_id: str) -> Cancelled:
        return lambda: self._schedule.stopping or job_id in self._cancelled

    # -- checkpoints ---------------------------------------------------------------------------------------

    def _keep_syncing(self, job: TrainingJob) -> None:
        """After a restart of the server a running job has no sync yet."""
        if job.submitted_at is None or job.is_terminal or "CheckpointConfig" not in job.request:
            return
        if self._syncs.get(job.job_id) is None:
            self._syncs.add(job.job_id, self._new_sync(job))

    def _new_sync(self, job: TrainingJob) -> CheckpointSync:
        sync = CheckpointSync(job, job_folder(self._jobs_dir, job), self._objects, self._cancelled_of(job.job_id))
        sync.resume()
        return sync

    def _save_checkpoints(self, job: TrainingJob) -> None:
        if job.submitted_at is None or "CheckpointConfig" not in job.request:
            return
        sync = self._syncs.get(job.job_id)
        try:
            (sync or self._new_sync(job)).scan(final=True)
        except JobFailedError:
            if job.ending is not _S.FAILED:
                raise
            _LOG.warning("the last checkpoints of the failed job %s could not be saved", job.name, exc_info=True)
        self._syncs.remove(job.job_id)

    # -- failures ---------------------------------------------------------------------------------------------

    def _failed(self, job: TrainingJob, reason: str) -> None:
        """An action could not be done: the job fails, whatever end it headed for."""
        _LOG.info("job %s fails: %s", job.name, reason)
        with self._jobs.database.transaction() as tx:
            current = self._jobs.by_id(tx, job.job_id)
            if current is None or current.is_terminal:
                return
            failed = self._jobs.update(tx, current, ending=_S.FAILED, failure_reason=reason)
            if failed.secondary_status is _S.UPLOADING:
                self._jobs.transition(tx, failed, _S.FAILED, self._clock())

    def _give_up(self, job_id: str, reason: str) -> None:
        with self._jobs.database.transaction() as tx:
            job = self._jobs.by_id(tx, job_id)
        if job is not None:
            self._failed(job, reason)

    def _skip(self, action: steps.Action, job: TrainingJob) -> None:
        """The server died again and again while it did this: the job goes on without it, and fails."""
        what = type(action).__name__
        _LOG.error("the job %s goes on without %s, which was being worked on whenever the server died", job.name, what)
        if isinstance(action, steps.SaveCheckpoints):
            self._move(job, action.then)
        elif isinstance(action, steps.CleanUp):
            self._update(job, cleaned=True)
        else:
            self._failed(job, f"InternalServerError: the twin ended {MOST_DEATHS_OF_A_STEP} times in this step: {what}")

    # -- task events ------------------------------------------------------------------------------------------

    def _on_events(self, tx: Connection, events: Sequence[TaskEvent]) -> None:
        changed = self._jobs.apply_events(tx, events)
        self._shipper.finish(tx, [event.task_id for event in events if event.state.is_end])
        for job_id in changed:
            self.wake(job_id)

    def _on_arrival(self, tx: Connection, notes: Mapping[str, str]) -> None:
        for job_id in self._jobs.jobs_of_tasks(tx, notes):
            self.wake(job_id)

    def _update(self, job: TrainingJob, **changes: object) -> None:
        with self._jobs.database.transaction() as tx:
            current = self._jobs.by_id(tx, job.job_id)
            if current is not None:
                self._jobs.update(tx, current, **changes)
        if "cleaned" in changes:
            with self._cleaned:
                self._cleaned.notify_all()

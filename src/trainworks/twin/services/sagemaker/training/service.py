"""Training jobs, put together: their API, what carries them on, and what the twin asks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trainworks.twin.ports import Caller, Ended, TaskState
from trainworks.twin.recorded import Rows
from trainworks.twin.services.networks import Networks
from trainworks.twin.services.parts import Parts
from trainworks.twin.services.sagemaker.training.api import TrainingJobApi, training_job_arn
from trainworks.twin.services.sagemaker.training.metrics import JobMetrics
from trainworks.twin.services.sagemaker.training.prepare import TASK_PREFIX, Preparer
from trainworks.twin.services.sagemaker.training.store import TrainingJobs
from trainworks.twin.services.sagemaker.training.worker import Worker, WorkerSettings
from trainworks.twin.wire import Operation


class TrainingService:
    """`start` after the compute plane's tables exist and before its events flow."""

    def __init__(self, parts: Parts, metrics_interval_seconds: float = 60.0) -> None:
        networks = Networks(parts.control_plane, parts.compute, parts.endpoint_url, parts.network)
        preparer = Preparer(
            parts.objects, parts.images, parts.packages, networks, parts.compute, parts.jobs_dir, parts.endpoint_url
        )
        self._jobs_dir = parts.jobs_dir
        self._jobs = TrainingJobs(parts.database, parts.outbox)
        self._metrics = JobMetrics(parts.database, parts.control_plane, parts.compute, metrics_interval_seconds)
        self._worker = Worker(
            jobs=self._jobs,
            compute=parts.compute,
            objects=parts.objects,
            preparer=preparer,
            shipper=parts.shipper,
            settings=WorkerSettings(
                parts.jobs_dir,
                is_published=self._metrics.is_published,
                in_hand=parts.in_hand("training-steps"),
            ),
        )
        parts.shipper.observe(TASK_PREFIX, self._metrics.on_lines)
        parts.images.on_made(self._worker.on_image_made)
        parts.packages.on_made(self._worker.on_image_made)
        self._api = TrainingJobApi(
            self._jobs, self._worker, parts.control_plane, parts.images, objects=parts.objects, networks=networks
        )

    def operations(self) -> Mapping[str, Operation]:
        return self._api.operations()

    def exists(self, rows: Rows, arn: str) -> bool:
        """For `Tagging`."""
        return self._jobs.by_arn(arn, rows.tx) is not None

    def start(self) -> None:
        """Take up open jobs, and publish what is left of metrics."""
        self._metrics.start()
        self._worker.start()

    def stop(self) -> None:
        """Stop threads; jobs go on in their instances."""
        self._worker.stop()
        self._metrics.stop()

    def ended_before(self, moment: float, after: int, limit: int) -> Sequence[Ended]:
        """Training jobs that ended before a moment, oldest first, without the first `after`."""
        return [Ended(job_id, (self._jobs_dir / job_id,)) for job_id in self._jobs.ended_before(moment, after, limit)]

    def forget(self, job_ids: Sequence[str]) -> None:
        """Delete ended training jobs with their folders: what they put to S3 and into Logs stays."""
        for job_id in job_ids:
            with self._jobs.database.snapshot() as tx:
                job = self._jobs.by_id(tx, job_id)
            if job is None or not job.cleaned:
                continue
            self._worker.forget(job)
            with self._jobs.database.transaction() as tx:
                self._jobs.delete(tx, job)

    def instance_ids(self, training_job_name: str, caller: Caller) -> Sequence[str]:
        """The instances on which a training job runs now; empty if it runs on none."""
        job = self._jobs.by_arn(training_job_arn(caller, training_job_name))
        if job is None:
            return ()
        with self._jobs.database.snapshot() as tx:
            tasks = self._jobs.tasks(tx, job)
        running = (TaskState.PLACED, TaskState.RUNNING)
        return [task.instance_id for task in tasks if task.instance_id and task.state in running]

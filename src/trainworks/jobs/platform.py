"""A platform as those who run jobs see it: train, submit, list, find.

    spec --> inputs and code to S3 --> CreateTrainingJob | SubmitJob --> a job, followed by the API alone

The same code and calls serve AWS and the twin; it knows the platform only by the root stack's outputs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainworks.config.job import BatchJobSpec, JobSpec, TrainingJobSpec
from trainworks.errors import RequestError
from trainworks.jobs import batch, training
from trainworks.jobs.artifacts import Tell, silent
from trainworks.jobs.batch import BatchJob
from trainworks.jobs.connection import Connection
from trainworks.jobs.inputs import DATASETS, Inputs
from trainworks.jobs.job import Job, JobFilter, JobSummary
from trainworks.jobs.kinds import find_job, newest_jobs
from trainworks.jobs.names import checked_name, job_name
from trainworks.jobs.source import NOBODY, UploadListener, check_script
from trainworks.jobs.training import TrainingJob

if TYPE_CHECKING:
    from trainworks.jobs.metrics import MetricSeries

_ALL = JobFilter()


class Platform(Connection):
    """The platform of an environment. Raises `TwinError` or `ConfigurationError` if it cannot be reached."""

    def train(self, spec: TrainingJobSpec, name: str | None = None, listener: UploadListener = NOBODY) -> TrainingJob:
        """Start a training job; returns when SageMaker has accepted it. Raises `RequestError`, `ConfigurationError`.

        `name` is used as it is; without it the job is called `<base>-<time>-<token>`.
        """
        _check_spec(spec, TrainingJobSpec, "train")
        chosen = checked_name(name) if name else job_name(spec.base_name)
        code = training.upload_code(self, spec, listener)
        inputs = self._resolve_inputs(spec, listener)
        request = training.training_job_request(spec, chosen, self.outputs, inputs, code)
        training.create_training_job(self.client("sagemaker"), spec, request)
        return TrainingJob(chosen, self)

    def submit_batch(self, spec: BatchJobSpec, name: str | None = None, listener: UploadListener = NOBODY) -> BatchJob:
        """Submit a batch job to the platform's queue; returns when Batch has accepted it. Raises `RequestError`."""
        _check_spec(spec, BatchJobSpec, "submit_batch")
        chosen = checked_name(name) if name else job_name(spec.base_name)
        if spec.script_path is not None:
            check_script(spec.script_path, spec.source_path)
        batch.check_image(self, spec)
        return batch.submit(self, spec, chosen, self._resolve_inputs(spec, listener), listener)

    def job(self, name: str) -> Job:
        """The job with this name (or Batch job id): a training job first. Raises `RequestError` if there is none."""
        return find_job(self, name)

    def jobs(self, limit: int = 20, wanted: JobFilter = _ALL) -> list[JobSummary]:
        """The newest training jobs of the account and batch jobs of the platform's queue, newest first."""
        return newest_jobs(self, limit, wanted)

    def metrics(self, name: str) -> list[MetricSeries]:
        """Metrics of a job. Raises `RequestError` for a batch job: AWS Batch publishes none."""
        return self.job(name).metrics()

    def upload_dataset(self, name: str, path: Path) -> str:
        """Put a local file or folder at `datasets/<name>/` of the dataset bucket; returns that S3 URI."""
        return self._inputs().upload(path, f"{DATASETS}{name.strip('/')}/")

    def _resolve_inputs(self, spec: JobSpec, listener: UploadListener) -> dict[str, str]:
        inputs = self._inputs(listener.transfer)
        return {name: inputs.resolve(name, location, spec.base_dir) for name, location in spec.inputs.items()}

    def _inputs(self, tell: Tell = silent) -> Inputs:
        model_of = lambda name: TrainingJob(name, self).model_artifact_uri()  # noqa: E731 - one expression, one use
        return Inputs(self.client("s3"), self.outputs.dataset_bucket, model_of, tell)


def _check_spec(spec: object, kind: type[TrainingJobSpec | BatchJobSpec], method: str) -> None:
    """Who gives the path of a script, or the spec of the other kind, is told what to give."""
    if isinstance(spec, kind):
        return
    shown = repr(spec) if isinstance(spec, str | Path | int | float | None) else f"a {type(spec).__name__}"
    script = str(spec) if isinstance(spec, str | Path) else "train.py"
    fix = (
        f"{method}(load_spec(Path({script!r})))"
        if script.endswith(".toml")
        else f"{method}({kind.__name__}(script={script!r}))"
    )
    raise RequestError(f"{method} takes a {kind.__name__}; it was given {shown}", fix=fix)

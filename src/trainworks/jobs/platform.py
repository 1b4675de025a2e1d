"""A platform as those who run jobs see it: train, submit, list, find.

    spec --> inputs and code to S3 --> CreateTrainingJob | SubmitJob --> a job, followed by the API alone

The same code and calls for AWS and the twin; what it knows of the platform are the root stack's outputs.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from trainworks.config.environment import Environment
from trainworks.config.job import BatchJobSpec, TrainingJobSpec
from trainworks.errors import RequestError
from trainworks.jobs import batch, training
from trainworks.jobs.batch import BatchJob, find_batch_job
from trainworks.jobs.faults import code_of
from trainworks.jobs.inputs import DATASETS, Inputs
from trainworks.jobs.job import JobSummary
from trainworks.jobs.metrics import MetricSeries, training_job_metrics
from trainworks.jobs.names import checked_name, job_name
from trainworks.jobs.outputs import PlatformOutputs, discover
from trainworks.jobs.session import session_for
from trainworks.jobs.source import SourceBundle, package_source, upload_source
from trainworks.jobs.training import TrainingJob

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

AWS_LOG_LAG_SECONDS = 5.0
"""How long CloudWatch Logs may take to show what was written; the twin shows it before a job's end is told."""


class Platform:
    """The platform of an environment. Raises `TwinError` or `ConfigurationError` where it cannot be reached."""

    def __init__(self, environment: Environment, session: boto3.Session | None = None) -> None:
        self.environment = environment
        self.session = session or session_for(environment)
        self.log_lag_seconds = 0.0 if environment.is_twin else AWS_LOG_LAG_SECONDS
        self._clients: dict[str, Any] = {}

    @overload
    def client(self, name: Literal["batch"]) -> BatchClient: ...
    @overload
    def client(self, name: Literal["cloudformation"]) -> CloudFormationClient: ...
    @overload
    def client(self, name: Literal["cloudwatch"]) -> CloudWatchClient: ...
    @overload
    def client(self, name: Literal["ecr"]) -> ECRClient: ...
    @overload
    def client(self, name: Literal["logs"]) -> CloudWatchLogsClient: ...
    @overload
    def client(self, name: Literal["s3"]) -> S3Client: ...
    @overload
    def client(self, name: Literal["sagemaker"]) -> SageMakerClient: ...
    def client(self, name: str) -> Any:
        """A boto3 client of this environment, made once."""
        if name not in self._clients:
            self._clients[name] = self.session.client(name)  # type: ignore[call-overload]
        return self._clients[name]

    @cached_property
    def outputs(self) -> PlatformOutputs:
        """Outputs of the root stack. Raises `NotDeployedError`."""
        return discover(self.client("cloudformation"), self.environment)

    def train(self, spec: TrainingJobSpec, name: str | None = None) -> TrainingJob:
        """Start a training job; returns when SageMaker has accepted it. Raises `RequestError`, `ConfigurationError`.

        `name` is used as it is; without it the job is called `<base>-<time>-<token>`.
        """
        _check_spec(spec, TrainingJobSpec, "train")
        chosen = checked_name(name) if name else job_name(spec.base_name)
        bundle = self.upload_source(spec)
        source = None if bundle is None else (bundle.entry, f"s3://{self.outputs.model_bucket}/{bundle.key}")
        inputs = self._resolve_inputs(spec)
        request = training.training_job_request(spec, chosen, self.outputs, inputs, source)
        training.create_training_job(self.client("sagemaker"), spec, request)
        return TrainingJob(chosen, self)

    def submit_batch(self, spec: BatchJobSpec, name: str | None = None) -> BatchJob:
        """Submit a batch job to the platform's queue; returns when Batch has accepted it. Raises `RequestError`."""
        _check_spec(spec, BatchJobSpec, "submit_batch")
        chosen = checked_name(name) if name else job_name(spec.base_name)
        return batch.submit(self, spec, chosen, self._resolve_inputs(spec))

    def job(self, name: str) -> TrainingJob | BatchJob:
        """The job with this name (or Batch job id): a training job first. Raises `RequestError` where there is none."""
        try:
            self.client("sagemaker").describe_training_job(TrainingJobName=name)
            return TrainingJob(name, self)
        except ClientError as error:
            if code_of(error) != "ValidationException":
                raise
        found = find_batch_job(self, name)
        if found is None:
            raise RequestError(
                f"there is no training or batch job {name!r} in environment {self.environment.name!r}",
                fix="see what there is: trainworks jobs",
            )
        return found

    def jobs(self, limit: int = 20) -> list[JobSummary]:
        """The newest training jobs of the account and batch jobs of the platform's queue, newest first."""
        found = [*self._training_jobs(limit), *self._batch_jobs(limit)]
        return sorted(found, key=lambda each: each.created_at or datetime.min.replace(tzinfo=UTC), reverse=True)[:limit]

    def metrics(self, name: str) -> list[MetricSeries]:
        """Metrics of a training job. Raises `RequestError` for a batch job: AWS Batch publishes none."""
        job = self.job(name)
        if not isinstance(job, TrainingJob):
            raise RequestError(
                f"{name} is a batch job; AWS Batch publishes no metrics of a job", fix=f"trainworks describe {name}"
            )
        return training_job_metrics(self.client("cloudwatch"), job.describe())

    def upload_dataset(self, name: str, path: Path) -> str:
        """Put a local file or folder at `datasets/<name>/` of the dataset bucket; returns that S3 URI."""
        return self._inputs().upload(path, f"{DATASETS}{name.strip('/')}/")

    def upload_source(self, spec: TrainingJobSpec | BatchJobSpec) -> SourceBundle | None:
        """Package a spec's code and put it into the model bucket, unless it is there; None where it has no script."""
        if spec.script_path is None:
            return None
        bundle = package_source(spec.script_path, spec.source_path)
        upload_source(self.client("s3"), self.outputs.model_bucket, bundle)
        return bundle

    def interrupt_training_job(self, name: str, notice_seconds: float) -> None:
        """Have the twin interrupt a spot job. Raises `RequestError` on AWS, where nobody can ask for that."""
        if not self.environment.is_twin:
            raise RequestError(
                f"environment {self.environment.name!r} is AWS: a spot interruption cannot be asked for there",
                fix="try it on the twin: --env local",
            )
        self._post_control("interrupt", {"training_job_name": name, "notice_seconds": notice_seconds})

    def _resolve_inputs(self, spec: TrainingJobSpec | BatchJobSpec) -> dict[str, str]:
        inputs = self._inputs()
        return {name: inputs.resolve(name, location, spec.base_dir) for name, location in spec.inputs.items()}

    def _inputs(self) -> Inputs:
        model_of = lambda name: TrainingJob(name, self).model_artifact_uri()  # noqa: E731 - one expression, one use
        return Inputs(self.client("s3"), self.outputs.dataset_bucket, model_of)

    def _training_jobs(self, limit: int) -> list[JobSummary]:
        pages = (
            self.client("sagemaker")
            .get_paginator("list_training_jobs")
            .paginate(SortBy="CreationTime", SortOrder="Descending", PaginationConfig={"MaxItems": limit})
        )
        return [
            JobSummary(
                each["TrainingJobName"],
                "training",
                each["TrainingJobStatus"],
                each["CreationTime"],
                each.get("TrainingEndTime"),
            )
            for page in pages
            for each in page["TrainingJobSummaries"]
        ]

    def _batch_jobs(self, limit: int) -> list[JobSummary]:
        if not self.outputs.has_batch:
            return []
        pages = (
            self.client("batch")
            .get_paginator("list_jobs")
            .paginate(
                jobQueue=self.outputs.job_queue_arn,
                filters=[{"name": "AFTER_CREATED_AT", "values": ["0"]}],
                PaginationConfig={"MaxItems": limit},
            )
        )
        summaries = []
        for each in (each for page in pages for each in page["jobSummaryList"]):
            stopped = each.get("stoppedAt")
            summaries.append(
                JobSummary(
                    each["jobName"],
                    "batch",
                    each["status"],
                    datetime.fromtimestamp(each["createdAt"] / 1000, UTC),
                    datetime.fromtimestamp(stopped / 1000, UTC) if stopped else None,
                    each["jobId"],
                )
            )
        return summaries

    def _post_control(self, action: str, body: Mapping[str, object]) -> None:
        """A signed request to the twin itself; its path is no part of any AWS service."""
        endpoint = self.client("sagemaker").meta.endpoint_url
        request = AWSRequest("POST", f"{endpoint}/_trainworks/{action}", data=json.dumps(body).encode())
        request.headers["Content-Type"] = "application/json"
        credentials = self.session.get_credentials()
        if credentials is None:
            raise RequestError("the session has no credentials to sign with")
        SigV4Auth(credentials, "trainworks", self.environment.region).add_auth(request)
        prepared = urllib.request.Request(  # noqa: S310 - the twin's own loopback address
            str(request.url), data=request.data, headers=dict(request.headers.items()), method="POST"
        )
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(prepared, timeout=30).close()
        except urllib.error.HTTPError as error:
            with error:
                raise RequestError(_control_message(error.read())) from error


def _control_message(body: bytes) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
    return str(document.get("message") or document.get("Message") or document)


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

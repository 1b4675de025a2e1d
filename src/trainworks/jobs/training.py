"""Training jobs: a spec and a platform become a `CreateTrainingJob` request; the job is then followed by the API.

The request's fixed part (role, subnets, security group, checkpoint prefix, output path, spot and its limits) is the
platform's `TrainingJobConfig`; the spec decides the rest. Code travels as in AWS's own framework images ("script
mode"): `sagemaker_program` and `sagemaker_submit_directory` among the hyperparameters, which are JSON in text.

What starts the script is the toolkit in those images. Any other image need not have it: there the code comes as an
input channel with a file that does the same (`aws/script_start.py`), as the container's entrypoint. A job without a
network gets its code as a channel too: the toolkit could not download it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

from trainworks.aws import script_start
from trainworks.aws.ecr import parse_ecr_uri
from trainworks.aws.framework_images import framework_of, resolve_image
from trainworks.aws.script_start import ARCHIVE, CHANNEL
from trainworks.errors import JobError, RequestError
from trainworks.jobs.artifacts import Artifact, present
from trainworks.jobs.faults import code_of, message_of
from trainworks.jobs.job import Job, JobFilter, JobSnapshot, JobSummary, Transition
from trainworks.jobs.logs import streams_with_prefix
from trainworks.jobs.metrics import MetricSeries, training_job_metrics
from trainworks.jobs.source import put_once
from trainworks.states.training_job import TERMINAL, SecondaryStatus, TrainingJobStatus, status_of

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

    from trainworks.config.job import TrainingJobSpec
    from trainworks.jobs.connection import Connection
    from trainworks.jobs.outputs import PlatformOutputs
    from trainworks.jobs.source import UploadListener

_CODE_FOLDER = f"/opt/ml/input/data/{CHANNEL}"
_ENDED = frozenset(status_of(each) for each in TERMINAL)
_IN_A_NAME = re.compile(r"[A-Za-z0-9-]{1,63}")
_WITHOUT_HOST = frozenset({SecondaryStatus.STARTING, SecondaryStatus.PENDING, SecondaryStatus.RESTARTING})


@dataclass(frozen=True, slots=True)
class JobCode:
    """The code of a job: the script in its archive, and the archive's URI.

    `is_channel`: it comes as an input channel. `starter` is the file beside the archive that starts the script, ""
    if the image does.
    """

    entry: str
    uri: str
    is_channel: bool = False
    starter: str = ""


def training_job_request(
    spec: TrainingJobSpec,
    name: str,
    outputs: PlatformOutputs,
    inputs: Mapping[str, str],
    code: JobCode | None,
) -> dict[str, Any]:
    """The `CreateTrainingJob` request. `inputs` are S3 URIs by channel."""
    config = outputs.training_job_config
    algorithm: dict[str, Any] = {
        "TrainingImage": resolve_image(spec.image, outputs.region, spec.instance_type),
        "TrainingInputMode": "File",
    }
    if code is not None and code.starter:
        algorithm["ContainerEntrypoint"] = ["python3", f"{_CODE_FOLDER}/{code.starter}"]
    if spec.metrics:
        algorithm["MetricDefinitions"] = [{"Name": key, "Regex": regex} for key, regex in spec.metrics.items()]
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "AlgorithmSpecification": algorithm,
        "RoleArn": config["RoleArn"],
        "InputDataConfig": [_channel(channel, uri) for channel, uri in _channels(inputs, code).items()],
        "OutputDataConfig": config["OutputDataConfig"],
        "ResourceConfig": {
            "InstanceType": spec.instance_type,
            "InstanceCount": spec.instance_count,
            "VolumeSizeInGB": spec.volume_size_in_gb,
        },
        "VpcConfig": config["VpcConfig"],
        "StoppingCondition": _stopping_condition(spec, config),
        "HyperParameters": _hyperparameters(spec, outputs.region, code),
        "EnableManagedSpotTraining": spec.spot,
        "EnableNetworkIsolation": spec.enable_network_isolation,
        "Environment": dict(spec.environment),
        "Tags": [{"Key": key, "Value": value} for key, value in {**outputs.resource_tags, **spec.tags}.items()],
    }
    checkpoint_s3_uri = _checkpoint_s3_uri(spec, name, config)
    if checkpoint_s3_uri:
        request["CheckpointConfig"] = {"S3Uri": checkpoint_s3_uri}
    return {key: value for key, value in request.items() if value not in ([], {})}


def _channel(channel: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": channel, "DataSource": {"S3DataSource": source}}


def _stopping_condition(spec: TrainingJobSpec, config: Mapping[str, Any]) -> dict[str, int]:
    """Run and wait time: the spec's, else the platform's; a default wait time is never below the run time."""
    platform = config["StoppingCondition"]
    runtime = spec.max_runtime_seconds or int(platform["MaxRuntimeInSeconds"])
    condition = {"MaxRuntimeInSeconds": runtime}
    if spec.spot:
        wait = spec.max_wait_seconds or max(runtime, int(platform.get("MaxWaitTimeInSeconds", runtime)))
        if wait < runtime:
            raise RequestError(
                f"max_wait_seconds ({wait}) is below max_runtime_seconds ({runtime}), the platform's default",
                fix=f"set max_runtime_seconds too, or max_wait_seconds to {runtime} or more",
            )
        condition["MaxWaitTimeInSeconds"] = wait
    return condition


def _channels(inputs: Mapping[str, str], code: JobCode | None) -> dict[str, str]:
    if code is None or not code.is_channel:
        return dict(inputs)
    if CHANNEL in inputs:
        raise RequestError(f"the input {CHANNEL!r} is where the job's code comes", fix="call the input otherwise")
    return {**inputs, CHANNEL: f"{code.uri.rpartition('/')[0]}/"}


def _hyperparameters(spec: TrainingJobSpec, region: str, code: JobCode | None) -> dict[str, str]:
    values: dict[str, object] = dict(spec.hyperparameters)
    if code is not None:
        where = f"{_CODE_FOLDER}/{ARCHIVE}" if code.is_channel else code.uri
        values |= {"sagemaker_program": code.entry, "sagemaker_submit_directory": where, "sagemaker_region": region}
    return {key: json.dumps(value) for key, value in values.items()}


def _checkpoint_s3_uri(spec: TrainingJobSpec, name: str, config: Mapping[str, Any]) -> str | None:
    if isinstance(spec.checkpoints, str):
        return spec.checkpoints
    if not spec.checkpoints:
        return None
    return f"{config['CheckpointConfig']['S3Uri'].rstrip('/')}/{name}/"


def upload_code(connection: Connection, spec: TrainingJobSpec, listener: UploadListener) -> JobCode | None:
    """Put what a job's script needs into the model bucket, unless it is there; None for a job without a script."""
    image = resolve_image(spec.image, connection.outputs.region, spec.instance_type)
    bundle = connection.upload_source(spec, listener)
    if bundle is None:
        return None
    uri = f"s3://{connection.outputs.model_bucket}/{bundle.key}"
    ecr = parse_ecr_uri(image)
    if ecr is not None and framework_of(ecr) is not None:
        return JobCode(bundle.entry, uri, is_channel=spec.enable_network_isolation)
    starter = Path(script_start.__file__).read_bytes()
    name = f"start-{hashlib.sha256(starter).hexdigest()[:16]}.py"
    key = f"{bundle.key.rpartition('/')[0]}/{name}"
    put_once(connection.client("s3"), connection.outputs.model_bucket, key, starter)
    return JobCode(bundle.entry, uri, is_channel=True, starter=name)


def create_training_job(sagemaker: SageMakerClient, spec: TrainingJobSpec, request: dict[str, Any]) -> None:
    """Send the request; AWS's refusals that have a known cause become `RequestError` with the fix."""
    try:
        sagemaker.create_training_job(**request)
    except ClientError as error:
        raise _explained(sagemaker, spec, request["TrainingJobName"], error) from error


def _explained(sagemaker: SageMakerClient, spec: TrainingJobSpec, name: str, error: ClientError) -> Exception:
    code, message = code_of(error), message_of(error)
    if code == "ResourceInUse":
        return RequestError(f"a training job called {name!r} exists", fix="choose another --name")
    types = sagemaker.meta.service_model.shape_for("TrainingInstanceType").enum  # type: ignore[attr-defined]
    if code == "ValidationException" and spec.instance_type not in types:
        close = get_close_matches(spec.instance_type, types, 3)
        return RequestError(
            f"instance type {spec.instance_type!r} is not one that training jobs run on",
            fix=f"did you mean {' or '.join(close)}?" if close else "choose one, such as ml.m5.large",
        )
    if code == "ValidationException":
        return RequestError(message)
    return error


@dataclass(frozen=True, slots=True, repr=False)
class TrainingJob(Job):
    """A training job by its name."""

    kind: ClassVar[str] = "training"
    name: str
    connection: Connection

    def __repr__(self) -> str:
        return f"TrainingJob({self.name!r})"

    def describe(self) -> dict[str, Any]:
        """`DescribeTrainingJob` as it is. Raises `RequestError` if there is no such job."""
        try:
            return dict(self.connection.client("sagemaker").describe_training_job(TrainingJobName=self.name))
        except ClientError as error:
            if code_of(error) == "ValidationException":
                raise RequestError(f"there is no training job {self.name!r}", fix="trainworks jobs") from error
            raise

    def snapshot(self) -> JobSnapshot:
        described = self.describe()
        status = TrainingJobStatus(described["TrainingJobStatus"])
        group = self.connection.outputs.training_log_group
        way = transitions_of(described)
        return JobSnapshot(
            status=status,
            is_terminal=status in _ENDED,
            succeeded=status is TrainingJobStatus.COMPLETED,
            reason=str(described.get("FailureReason", "")),
            transitions=way,
            current=way[-1] if way else None,
            waits=described["SecondaryStatus"] in _WITHOUT_HOST,
            streams=tuple(streams_with_prefix(self.connection.client("logs"), group, f"{self.name}/")),
        )

    def metrics(self) -> list[MetricSeries]:
        """Its own metrics and those of its hosts that have values."""
        return training_job_metrics(self.connection.client("cloudwatch"), self.describe())

    def artifacts(self) -> list[Artifact]:
        described = self.describe()
        path = described["OutputDataConfig"]
        base = f"{path['S3OutputPath'].rstrip('/')}/{self.name}/output"
        model = described.get("ModelArtifacts", {}).get("S3ModelArtifacts")
        is_packed = path.get("CompressionType") != "NONE"
        output = Artifact("output", f"{base}/output.tar.gz" if is_packed else f"{base}/data/")
        has_output = present(self.connection.client("s3"), output)
        return [*([Artifact("model", str(model))] if model else []), *([output] if has_output else [])]

    def model_artifact_uri(self) -> str:
        """The S3 URI of its model.tar.gz. Raises `JobError` if it has none."""
        described = self.describe()
        uri = described.get("ModelArtifacts", {}).get("S3ModelArtifacts")
        if not uri:
            raise JobError(
                f"training job {self.name} has no model artefact; its status is {described['TrainingJobStatus']}",
                fix=f"trainworks logs -f {self.name}",
            )
        return str(uri)

    def facts(self) -> dict[str, object]:
        return training_facts(self.describe())

    def stop(self) -> None:
        """`StopTrainingJob`: SIGTERM, then 120 s, then the end; what is in `/opt/ml/model` is still uploaded."""
        try:
            self.connection.client("sagemaker").stop_training_job(TrainingJobName=self.name)
        except ClientError as error:
            if code_of(error) == "ValidationException":
                raise RequestError(message_of(error), fix=f"trainworks describe {self.name}") from error
            raise

    def interrupt(self, notice_seconds: float = 120.0) -> list[str]:
        if not self.describe().get("EnableManagedSpotTraining"):
            raise RequestError(
                f"training job {self.name} runs on demand, so it cannot be interrupted",
                fix="start it with --spot, which is the default",
            )
        return self.connection.interrupt("training_job_name", self.name, notice_seconds)


def find_training_job(connection: Connection, name: str) -> TrainingJob | None:
    """The training job with this name; None if there is none."""
    try:
        connection.client("sagemaker").describe_training_job(TrainingJobName=name)
    except ClientError as error:
        if code_of(error) != "ValidationException":
            raise
        return None
    return TrainingJob(name, connection)


def newest_training_jobs(connection: Connection, wanted: JobFilter, page_size: int) -> Iterator[JobSummary]:
    """The wanted training jobs of the account, newest first, a page at a time."""
    statuses = wanted.status_among(TrainingJobStatus)
    query: dict[str, Any] = {"SortBy": "CreationTime", "SortOrder": "Descending"}
    if not statuses:
        return
    if len(statuses) == 1:
        query["StatusEquals"] = statuses[0]
    if part := wanted.name_prefix or wanted.name_contains:
        if not _IN_A_NAME.fullmatch(part):
            return  # SageMaker refuses to look for what no name of its own has; a batch job's may
        query["NameContains"] = part
    if wanted.since is not None:
        query["CreationTimeAfter"] = wanted.since
    pages = connection.client("sagemaker").get_paginator("list_training_jobs")
    for page in pages.paginate(**query, PaginationConfig={"PageSize": page_size}):
        for each in page["TrainingJobSummaries"]:
            yield JobSummary(
                each["TrainingJobName"],
                TrainingJob.kind,
                each["TrainingJobStatus"],
                each["CreationTime"],
                each.get("TrainingEndTime"),
            )


def transitions_of(described: Mapping[str, Any]) -> tuple[Transition, ...]:
    """The way of a training job through its secondary statuses, oldest first."""
    return tuple(
        Transition(each["Status"], each.get("StatusMessage", ""), each.get("StartTime"))
        for each in described.get("SecondaryStatusTransitions", [])
    )


def training_facts(described: Mapping[str, Any]) -> dict[str, object]:
    """What people ask of a training job, with what spot saved as SageMaker's console counts it."""
    resources = described["ResourceConfig"]
    training, billable = described.get("TrainingTimeInSeconds"), described.get("BillableTimeInSeconds")
    spot = bool(described.get("EnableManagedSpotTraining"))
    interrupted = sum(each.status == SecondaryStatus.INTERRUPTED for each in transitions_of(described))
    return {
        "name": described["TrainingJobName"],
        "kind": "training",
        "status": described["TrainingJobStatus"],
        "secondary_status": described.get("SecondaryStatus"),
        "failure_reason": described.get("FailureReason"),
        "image": described["AlgorithmSpecification"].get("TrainingImage"),
        "instance_type": resources["InstanceType"],
        "instance_count": resources["InstanceCount"],
        "managed_spot": spot,
        "interruptions": interrupted,
        "created_at": described["CreationTime"],
        "training_started_at": described.get("TrainingStartTime"),
        "ended_at": described.get("TrainingEndTime"),
        "training_seconds": training,
        "billable_seconds": billable,
        "spot_savings_percent": spot_savings_percent(training, billable) if spot else None,
        "model_artifact_uri": described.get("ModelArtifacts", {}).get("S3ModelArtifacts"),
        "checkpoint_s3_uri": described.get("CheckpointConfig", {}).get("S3Uri"),
        "hyperparameters": _given_hyperparameters(described),
        "metrics": {each["MetricName"]: each["Value"] for each in described.get("FinalMetricDataList", [])},
        "transitions": [
            {"status": each.status, "at": each.at, "message": each.message} for each in transitions_of(described)
        ],
    }


def _given_hyperparameters(described: Mapping[str, Any]) -> dict[str, object]:
    """The script's hyperparameters, without those that tell the toolkit where it is; JSON values are decoded."""
    given = described.get("HyperParameters", {})
    return {name: _decoded(text) for name, text in given.items() if not name.startswith("sagemaker_")}


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def spot_savings_percent(training_seconds: int | None, billable_seconds: int | None) -> float | None:
    """(1 - billable / training) x 100, as in "Managed Spot Training" of the SageMaker developer guide."""
    if not training_seconds or billable_seconds is None:
        return None
    return round((1 - billable_seconds / training_seconds) * 100, 1)

"""Batch jobs: a spec and a platform become a `SubmitJob` request on the platform's queue.

How code gets in: the archive goes to `code/` of the model bucket, and the command is `python -c <batch_bootstrap>`,
which fetches it by the job's role and becomes the script. It needs python and boto3 in the image, nothing else of ours.
`SubmitJob` cannot choose an image: if the spec names one, a copy of the platform's job definition is registered with
that image (same roles, log group, limits), once per image.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

from trainworks.aws.batch_constraints import MAX_OVERRIDES_CHARS, overrides_chars
from trainworks.aws.ecr import parse_ecr_uri
from trainworks.aws.framework_images import resolve_image
from trainworks.config.runtime_image import REQUIREMENTS
from trainworks.errors import RequestError
from trainworks.jobs.artifacts import Artifact, present
from trainworks.jobs.faults import code_of, message_of
from trainworks.jobs.job import Job, JobFilter, JobSnapshot, JobSummary, Transition
from trainworks.jobs.logs import LogStream
from trainworks.jobs.metrics import MetricSeries
from trainworks.states.batch_job import TERMINAL, JobStatus

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

    from trainworks.config.job import BatchJobSpec
    from trainworks.jobs.connection import Connection
    from trainworks.jobs.outputs import PlatformOutputs
    from trainworks.jobs.source import SourceBundle, UploadListener

MOST_FOLLOWED_CHILDREN = 100
_DESCRIBED_AT_ONCE = 100
_WITHOUT_HOST = frozenset({JobStatus.SUBMITTED, JobStatus.PENDING, JobStatus.RUNNABLE, JobStatus.STARTING})
_COPIED = ("type", "parameters", "retryStrategy", "timeout", "platformCapabilities", "propagateTags")


def submit_job_request(
    spec: BatchJobSpec,
    name: str,
    *,
    outputs: PlatformOutputs,
    inputs: Mapping[str, str],
    source: SourceBundle | None,
    job_definition_arn: str,
) -> dict[str, Any]:
    """The `SubmitJob` request. `inputs` are S3 URIs by name; `source` is the uploaded code of a script."""
    environment = {
        "AWS_DEFAULT_REGION": outputs.region,
        "TRAINWORKS_JOB_NAME": name,
        "TRAINWORKS_MODEL_BUCKET": outputs.model_bucket,
        "TRAINWORKS_DATASET_BUCKET": outputs.dataset_bucket,
        **({"TRAINWORKS_ARRAY_SIZE": str(spec.array_size)} if spec.array_size else {}),
        **{f"INPUT_{re.sub('[^A-Za-z0-9]', '_', key).upper()}": uri for key, uri in inputs.items()},
        **spec.environment,
    }
    overrides: dict[str, Any] = {
        "command": list(spec.command) if source is None else bootstrap_command(spec, outputs.model_bucket, source),
        "environment": [{"name": key, "value": value} for key, value in environment.items()],
    }
    sizes = {"VCPU": spec.vcpus, "MEMORY": spec.memory_mib}
    requirements = [{"type": kind, "value": _number(value)} for kind, value in sizes.items() if value is not None]
    if requirements:
        overrides["resourceRequirements"] = requirements
    request: dict[str, Any] = {
        "jobName": name,
        "jobQueue": outputs.job_queue_arn,
        "jobDefinition": job_definition_arn,
        "containerOverrides": overrides,
    }
    if spec.array_size is not None:
        request["arrayProperties"] = {"size": spec.array_size}
    if spec.retries is not None:
        request["retryStrategy"] = {"attempts": spec.retries + 1}
    if spec.timeout_seconds is not None:
        request["timeout"] = {"attemptDurationSeconds": spec.timeout_seconds}
    if tags := {**outputs.resource_tags, **spec.tags}:
        request["tags"] = tags
    if (length := overrides_chars(overrides, overrides["command"])) > MAX_OVERRIDES_CHARS:
        raise RequestError(
            f"the job's command and variables have {length:,} characters, with those of what fetches its script; "
            f"allowed: {MAX_OVERRIDES_CHARS:,}",
            fix="give long values in a file: in source_dir, or as an input",
        )
    return request


def _number(value: float) -> str:
    """As Batch takes it: a whole number without decimals, and never in powers of ten."""
    return str(int(value)) if value == int(value) else f"{value:f}".rstrip("0")


def bootstrap_command(spec: BatchJobSpec, bucket: str, source: SourceBundle) -> list[str]:
    """The container's command: python, the bootstrap, where the code is, what it must be, the script, its arguments."""
    bootstrap = resources.files("trainworks.jobs").joinpath("batch_bootstrap.py").read_text()
    return ["python", "-c", bootstrap, bucket, source.key, source.digest, source.entry, *spec.arguments]


def _platform_definition(batch: BatchClient, platform_arn: str) -> Mapping[str, Any]:
    found = batch.describe_job_definitions(jobDefinitions=[platform_arn])["jobDefinitions"]
    if not found:
        raise RequestError(f"the platform's job definition {platform_arn} does not exist", fix="trainworks up")
    return found[0]


def check_image(connection: Connection, spec: BatchJobSpec) -> None:
    """Raises `RequestError` if the image that the job would run in is not known, or known not to be there.

    A platform is deployed before anybody has pushed the image of its job definition: who submits is told before
    anything is uploaded. Images of other registries are for Batch to pull. Who may not look into the repository is not
    refused for it.
    """
    outputs = connection.outputs
    outputs.require_batch()
    if spec.image is not None:
        resolve_image(spec.image, outputs.region, "")
        return
    definition = _platform_definition(connection.client("batch"), outputs.job_definition_arn)
    image = str(definition["containerProperties"]["image"])
    uri = parse_ecr_uri(image)
    if uri is None or f"{image.partition('/')[0]}/{uri.repository}" != outputs.ecr_repository_uri:
        return
    try:
        connection.client("ecr").describe_images(repositoryName=uri.repository, imageIds=[uri.image_id])  # type: ignore[list-item]
    except ClientError as error:
        if code_of(error) == "ImageNotFoundException":
            raise RequestError(
                f"no image is named, and that of the platform's job definition, {image}, is not in its repository",
                fix="add --image scikit-learn, or another framework, to the command; or push that image once, from a "
                f"folder whose {REQUIREMENTS} names boto3: trainworks image build FOLDER --tag {uri.reference}",
            ) from error
        if code_of(error) not in ("AccessDeniedException", "AccessDenied"):
            raise


def job_definition_for(batch: BatchClient, platform_arn: str, image_uri: str) -> str:
    """The ARN of a job definition that is the platform's with another image; registered unless it is there."""
    base = _platform_definition(batch, platform_arn)
    container = {**base["containerProperties"], "image": image_uri}
    if container == base["containerProperties"]:
        return platform_arn
    name = f"{base['jobDefinitionName'][:110]}-{hashlib.sha256(image_uri.encode()).hexdigest()[:12]}"
    pages = batch.get_paginator("describe_job_definitions").paginate(jobDefinitionName=name, status="ACTIVE")
    for each in (each for page in pages for each in page["jobDefinitions"]):
        if each.get("containerProperties") == container:
            return each["jobDefinitionArn"]
    copied = {key: base[key] for key in _COPIED if key in base}
    registered = batch.register_job_definition(jobDefinitionName=name, containerProperties=container, **copied)  # type: ignore[arg-type]
    return registered["jobDefinitionArn"]


def submit(
    connection: Connection, spec: BatchJobSpec, name: str, inputs: Mapping[str, str], listener: UploadListener
) -> BatchJob:
    """Upload the code, find the definition, submit. Raises `RequestError` with what Batch refuses."""
    outputs, batch = connection.outputs, connection.client("batch")
    outputs.require_batch()
    source = connection.upload_source(spec, listener)
    image_uri = resolve_image(spec.image, outputs.region, "") if spec.image else None
    try:
        definition = outputs.job_definition_arn
        if image_uri is not None:
            definition = job_definition_for(batch, outputs.job_definition_arn, image_uri)
        response = batch.submit_job(
            **submit_job_request(
                spec, name, outputs=outputs, inputs=inputs, source=source, job_definition_arn=definition
            )
        )
    except ClientError as error:
        if code_of(error) == "ClientException":
            raise RequestError(message_of(error)) from error
        raise
    return BatchJob(response["jobId"], name, connection)


@dataclass(frozen=True, slots=True, repr=False)
class BatchJob(Job):
    """A batch job by its id; an array job's children have the ids `<job_id>:<index>`."""

    kind: ClassVar[str] = "batch"
    job_id: str
    name: str
    connection: Connection

    def __repr__(self) -> str:
        return f"BatchJob({self.name!r}, {self.job_id!r})"

    def describe(self) -> dict[str, Any]:
        """`DescribeJobs` of this one as it is. Raises `RequestError` if there is no such job."""
        found = self.connection.client("batch").describe_jobs(jobs=[self.job_id])["jobs"]
        if not found:
            raise RequestError(f"there is no batch job {self.job_id!r}", fix="trainworks jobs")
        return dict(found[0])

    def children(self, size: int) -> list[dict[str, Any]]:
        """`DescribeJobs` of the children of an array job of `size`, by index; at most the first hundred."""
        identifiers = [f"{self.job_id}:{index}" for index in range(min(size, MOST_FOLLOWED_CHILDREN))]
        return list(_described(self.connection.client("batch"), identifiers))

    def snapshot(self) -> JobSnapshot:
        described = self.describe()
        status = JobStatus(described["status"])
        size = described.get("arrayProperties", {}).get("size")
        parts = self.children(size) if size else [described]
        blocked = blocked_reason(described, parts if size else [])
        streams = [stream for part in parts for stream in _streams(part, self.connection.outputs.batch_log_group)]
        return JobSnapshot(
            status=status,
            is_terminal=status in TERMINAL,
            succeeded=status is JobStatus.SUCCEEDED,
            reason=_reason(described, parts if size else []),
            transitions=_transitions(described),
            streams=tuple(streams),
            current=Transition(status, blocked or described.get("statusReason", "")),
            waits=any(part["status"] in _WITHOUT_HOST for part in parts),
            is_blocked=bool(blocked),
        )

    def metrics(self) -> list[MetricSeries]:
        """Raises `RequestError`: AWS Batch publishes no metrics of a job."""
        raise RequestError(
            f"{self.name} is a batch job; AWS Batch publishes no metrics of a job",
            fix=f"trainworks describe {self.name}",
        )

    def artifacts(self) -> list[Artifact]:
        """What is below `predictions/<job>/` of the model bucket, where the platform's job role may write."""
        written = Artifact("predictions", f"s3://{self.connection.outputs.model_bucket}/predictions/{self.name}/")
        return [written] if present(self.connection.client("s3"), written) else []

    def facts(self) -> dict[str, object]:
        return batch_facts(self.describe())

    def stop(self) -> None:
        """`TerminateJob`: a queued job is cancelled, a running one gets SIGTERM and 30 s later SIGKILL."""
        self.connection.client("batch").terminate_job(jobId=self.job_id, reason="stopped by trainworks stop")

    def interrupt(self, notice_seconds: float = 120.0) -> list[str]:
        return self.connection.interrupt("job_id", self.job_id, notice_seconds)


def find_batch_job(connection: Connection, name: str) -> BatchJob | None:
    """The batch job with this id, or the newest on the platform's queue with this name; None if there is none."""
    if not connection.outputs.has_batch:
        return None
    batch = connection.client("batch")
    if re.match(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(:\d+)?$", name):
        found = batch.describe_jobs(jobs=[name])["jobs"]
        return BatchJob(name, found[0]["jobName"], connection) if found else None
    pages = batch.get_paginator("list_jobs").paginate(
        jobQueue=connection.outputs.job_queue_arn, filters=[{"name": "JOB_NAME", "values": [name]}]
    )
    # Newest first; the filter does not mind the case of letters.
    named = (each for page in pages for each in page["jobSummaryList"] if each["jobName"] == name)
    newest = next(named, None)
    return None if newest is None else BatchJob(newest["jobId"], name, connection)


def newest_batch_jobs(connection: Connection, wanted: JobFilter, page_size: int) -> Iterator[JobSummary]:
    """The wanted jobs of the platform's queue, newest first."""
    statuses = wanted.status_among(JobStatus)
    if not connection.outputs.has_batch or not statuses:
        return
    if wanted.name_prefix:
        yield from _listed(connection, page_size, _filtered("JOB_NAME", f"{wanted.name_prefix}*"))
    elif JobStatus.SUCCEEDED in statuses:
        after = 0 if wanted.since is None else int(wanted.since.timestamp() * 1000)
        yield from _listed(connection, page_size, _filtered("AFTER_CREATED_AT", str(after)))
    else:
        # Most jobs have succeeded: the others are found by their status, which `ListJobs` takes without a filter.
        listed = (each for status in statuses for each in _listed(connection, page_size, {"jobStatus": status}))
        found = {each.job_id: each for each in listed}  # one that went on meanwhile is in two of the lists
        yield from sorted(
            found.values(), key=lambda each: each.created_at.timestamp() if each.created_at else 0, reverse=True
        )


def _filtered(name: str, value: str) -> dict[str, Any]:
    """`ListJobs` takes one filter, lists jobs of all statuses by it, and the newest first."""
    return {"filters": [{"name": name, "values": [value]}]}


def _listed(connection: Connection, page_size: int, query: Mapping[str, Any]) -> Iterator[JobSummary]:
    pages = connection.client("batch").get_paginator("list_jobs")
    paging = {"PageSize": page_size}
    for page in pages.paginate(jobQueue=connection.outputs.job_queue_arn, PaginationConfig=paging, **query):  # type: ignore[arg-type]
        for each in page["jobSummaryList"]:
            yield JobSummary(
                each["jobName"],
                BatchJob.kind,
                each["status"],
                _moment(each["createdAt"]),
                _moment(each.get("stoppedAt")),
                each["jobId"],
            )


def batch_subnets(connection: Connection) -> list[str]:
    """The subnets that hosts of the platform's queue are launched in."""
    connection.outputs.require_batch()
    batch = connection.client("batch")
    [queue] = batch.describe_job_queues(jobQueues=[connection.outputs.job_queue_arn])["jobQueues"]
    names = [each["computeEnvironment"] for each in queue["computeEnvironmentOrder"]]
    found = batch.describe_compute_environments(computeEnvironments=names)["computeEnvironments"]
    return sorted({subnet for each in found for subnet in each.get("computeResources", {}).get("subnets", [])})


def batch_facts(described: Mapping[str, Any]) -> dict[str, object]:
    """What people ask of a batch job. Batch has no price of its own: run seconds times vCPUs is what it used."""
    array = described.get("arrayProperties", {})
    container = described.get("container", {})
    started, stopped = described.get("startedAt"), described.get("stoppedAt")
    sizes = {each["type"]: each["value"] for each in container.get("resourceRequirements", [])}
    return {
        "name": described["jobName"],
        "kind": "batch",
        "job_id": described["jobId"],
        "status": described["status"],
        "status_reason": described.get("statusReason"),
        "image": container.get("image"),
        "vcpus": sizes.get("VCPU"),
        "memory_mib": sizes.get("MEMORY"),
        "array_size": array.get("size"),
        "array_status": {key: count for key, count in array.get("statusSummary", {}).items() if count} or None,
        "exit_code": container.get("exitCode"),
        "attempts": len(described.get("attempts", [])) or None,
        "created_at": _moment(described.get("createdAt")),
        "started_at": _moment(started),
        "ended_at": _moment(stopped),
        "run_seconds": round((stopped - started) / 1000, 1) if started and stopped else None,
        "job_definition": described.get("jobDefinition"),
        "log_stream": container.get("logStreamName"),
    }


def _described(batch: BatchClient, identifiers: Sequence[str]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(identifiers), _DESCRIBED_AT_ONCE):
        for each in batch.describe_jobs(jobs=list(identifiers[start : start + _DESCRIBED_AT_ONCE]))["jobs"]:
            yield dict(each)


def _streams(described: Mapping[str, Any], default_group: str) -> Iterator[LogStream]:
    """The log streams of all attempts of one job, oldest first."""
    container = described.get("container", {})
    options = container.get("logConfiguration", {}).get("options", {})
    group = options.get("awslogs-group", default_group)
    index = described.get("arrayProperties", {}).get("index")
    attempts = [each.get("container", {}).get("logStreamName") for each in described.get("attempts", [])]
    for name in dict.fromkeys([*attempts, container.get("logStreamName")]):
        if name:
            yield LogStream(group, name, "" if index is None else str(index), described["status"] in TERMINAL)


def blocked_reason(described: Mapping[str, Any], children: Sequence[Mapping[str, Any]]) -> str:
    """Why Batch cannot place a RUNNABLE job ("Jobs stuck in RUNNABLE", Batch User Guide), or nothing.

    An array job itself waits in PENDING: its reason is that of the first child that cannot be placed.
    """
    if described["status"] == JobStatus.RUNNABLE:
        return str(described.get("statusReason", ""))
    for child in children:
        if child["status"] == JobStatus.RUNNABLE and child.get("statusReason"):
            return f"child {child['jobId']} RUNNABLE: {child['statusReason']}"
    return ""


def _reason(described: Mapping[str, Any], children: Sequence[Mapping[str, Any]]) -> str:
    """Why it ended or waits; for an array job also the first child that failed."""
    own = " ".join(
        text for text in (described.get("statusReason", ""), described.get("container", {}).get("reason", "")) if text
    )
    for child in children:
        if child["status"] == JobStatus.FAILED:
            code = child.get("container", {}).get("exitCode")
            exit_text = "" if code is None else f", exit code {code}"
            return f"{own}; child {child['jobId']} FAILED: {child.get('statusReason', '')}{exit_text}".lstrip("; ")
    code = described.get("container", {}).get("exitCode")
    return f"{own} (exit code {code})" if own and code else own


def _transitions(described: Mapping[str, Any]) -> tuple[Transition, ...]:
    """Batch tells times of three statuses only; the one it is in now comes last.

    An array job has the time at which its first child started, and is never RUNNING itself: it waits in PENDING.
    """
    is_array = "size" in described.get("arrayProperties", {})
    started = None if is_array else described.get("startedAt")
    reached = [("SUBMITTED", described.get("createdAt")), ("RUNNING", started)]
    way = [Transition(status, "", _moment(at)) for status, at in reached if at]
    if described["status"] in TERMINAL:
        way.append(
            Transition(described["status"], described.get("statusReason", ""), _moment(described.get("stoppedAt")))
        )
    return tuple(way)


def _moment(milliseconds: int | None) -> datetime | None:
    return None if not milliseconds else datetime.fromtimestamp(milliseconds / 1000, UTC)

"""Jobs as the API shows them. Source: botocore shapes `JobDetail`, `JobSummary`, `AttemptDetail`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from sqlite3 import Connection
from typing import Any

from trainworks.states.batch_job import JobStatus
from trainworks.twin.services.batch.arns import cluster_arn, ecs_task_arn, job_arn
from trainworks.twin.services.batch.attempts import attempt_record
from trainworks.twin.services.batch.output import log_stream_of
from trainworks.twin.services.batch.records import SQL, Job, JobSpec
from trainworks.twin.services.batch.tags import read_tags


def job_detail(tx: Connection, job: Job, spec: JobSpec) -> dict[str, Any]:
    """`JobDetail`; members that do not apply yet are absent."""
    detail = {
        "jobArn": job_arn(job.queue_arn, job.job_id),
        "jobName": spec.job_name,
        "jobId": job.job_id,
        "jobQueue": job.queue_arn,
        "status": job.status,
        "statusReason": job.status_reason,
        "shareIdentifier": spec.share_identifier,
        "schedulingPriority": spec.scheduling_priority,
        "attempts": [] if job.is_array_parent else _attempts(job, spec),
        "createdAt": job.created_at,
        "startedAt": job.started_at,
        "stoppedAt": job.stopped_at,
        "retryStrategy": spec.retry_strategy,
        "dependsOn": spec.depends_on,
        "jobDefinition": spec.definition_arn,
        "parameters": spec.parameters,
        "container": _container(job, spec),
        "arrayProperties": _array_properties(tx, job),
        "timeout": None if spec.timeout_seconds is None else {"attemptDurationSeconds": spec.timeout_seconds},
        "tags": read_tags(tx, job_arn(job.queue_arn, job.spec_id)) or None,
        "propagateTags": bool(spec.propagate_tags),
        "platformCapabilities": spec.platform_capabilities,
        "isCancelled": job.ended_by == "cancel",
        "isTerminated": job.ended_by == "terminate",
    }
    return {name: value for name, value in detail.items() if value is not None}


def job_summary(tx: Connection, job: Job, spec: JobSpec) -> dict[str, Any]:
    """`JobSummary`."""
    container = {"exitCode": job.exit_code, "reason": job.reason}
    summary = {
        "jobArn": job_arn(job.queue_arn, job.job_id),
        "jobId": job.job_id,
        "jobName": spec.job_name,
        "createdAt": job.created_at,
        "status": job.status,
        "statusReason": job.status_reason,
        "startedAt": job.started_at,
        "stoppedAt": job.stopped_at,
        "container": {name: value for name, value in container.items() if value is not None} or None,
        "arrayProperties": _array_properties(tx, job),
        "jobDefinition": spec.definition_arn,
        "shareIdentifier": spec.share_identifier,
        "isCancelled": job.ended_by == "cancel",
        "isTerminated": job.ended_by == "terminate",
    }
    return {name: value for name, value in summary.items() if value is not None}


def _array_properties(tx: Connection, job: Job) -> dict[str, Any] | None:
    if job.is_array_parent:
        counts = dict.fromkeys(JobStatus, 0)
        if job.is_terminal:  # so are all its children
            counts[JobStatus.FAILED], counts[JobStatus.SUCCEEDED] = job.failed, (job.array_size or 0) - job.failed
            return _summary(job, counts)
        for row in tx.execute(SQL["children_by_status"], (job.job_id,)):
            counts[JobStatus(row["status"])] = row["jobs"]
        return _summary(job, counts)
    return None if job.array_index is None else {"index": job.array_index}


def _summary(job: Job, counts: Mapping[JobStatus, int]) -> dict[str, Any]:
    return {"size": job.array_size, "statusSummary": {str(status): number for status, number in counts.items()}}


def _container(job: Job, spec: JobSpec) -> dict[str, Any]:
    container = {
        "volumes": [],
        "mountPoints": [],
        "ulimits": [],
        "secrets": [],
        "networkInterfaces": [],
        **spec.container,
    }
    if job.attempt and job.compute_environment_arn:
        container |= _attempt_container(job, spec, attempt_record(job, None))
        container.pop("reason", None)
        if job.reason:
            container["reason"] = job.reason
    return container


def _attempts(job: Job, spec: JobSpec) -> list[dict[str, Any]]:
    """All attempts that came to an end; `stopped_at` of the present one is set when it did."""
    records: list[Mapping[str, Any]] = json.loads(job.previous_attempts or "[]")
    if job.attempt and job.compute_environment_arn and job.stopped_at is not None:
        records = [*records, attempt_record(job, job.status_reason)]
    return [_attempt(job, spec, record) for record in records]


def _attempt(job: Job, spec: JobSpec, record: Mapping[str, Any]) -> dict[str, Any]:
    detail = {
        "container": _attempt_container(job, spec, record),
        "startedAt": record["started_at"],
        "stoppedAt": record["stopped_at"],
        "statusReason": record["status_reason"],
    }
    return {name: value for name, value in detail.items() if value is not None}


def _attempt_container(job: Job, spec: JobSpec, record: Mapping[str, Any]) -> dict[str, Any]:
    environment_arn = record["compute_environment_arn"]
    instance = record["instance_id"]
    instance_arn = None
    if instance and "FARGATE" not in spec.platform_capabilities:
        instance_arn = f"{cluster_arn(environment_arn).replace(':cluster/', ':container-instance/')}/{instance}"
    detail = {
        "containerInstanceArn": instance_arn,
        "taskArn": ecs_task_arn(environment_arn, job.job_id, record["attempt"]),
        "exitCode": record["exit_code"],
        "reason": record["reason"],
        "logStreamName": log_stream_of(spec, job.job_id, record["attempt"]) if record["started_at"] else None,
        "networkInterfaces": [],
    }
    return {name: value for name, value in detail.items() if value is not None}

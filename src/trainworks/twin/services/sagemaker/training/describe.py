"""A training job as DescribeTrainingJob and ListTrainingJobs show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainworks.twin.services.sagemaker.training.records import Metric, TrainingJob, Transition

_COPIED = (
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "ResourceConfig",
    "VpcConfig",
    "CheckpointConfig",
    "DebugHookConfig",
    "ProfilerConfig",
    "Environment",
    "RetryStrategy",
    "RemoteDebugConfig",
    "InfraCheckConfig",
)


def description(job: TrainingJob, transitions: Sequence[Transition], metrics: Sequence[Metric]) -> dict[str, Any]:
    """The output of DescribeTrainingJob."""
    request = job.request
    output: dict[str, Any] = {
        "TrainingJobName": job.name,
        "TrainingJobArn": job.arn,
        "TrainingJobStatus": job.status.value,
        "SecondaryStatus": job.secondary_status.value,
        **{name: request[name] for name in _COPIED if name in request},
        # With the defaults that AWS adds: the SageMaker SDK's `attach` relies on them.
        "OutputDataConfig": {"KmsKeyId": "", **request["OutputDataConfig"]},
        "StoppingCondition": {"MaxRuntimeInSeconds": job.max_runtime_seconds, **request["StoppingCondition"]},
        "CreationTime": job.creation_time,
        "LastModifiedTime": job.last_modified_time,
        "TrainingStartTime": job.training_start_time,
        "TrainingEndTime": job.training_end_time,
        "SecondaryStatusTransitions": [_transition(entry) for entry in transitions],
        "FailureReason": job.failure_reason,
        "TrainingTimeInSeconds": job.training_time_in_seconds(),
        "BillableTimeInSeconds": job.billable_time_in_seconds(),
        "EnableNetworkIsolation": bool(request.get("EnableNetworkIsolation", False)),
        "EnableInterContainerTrafficEncryption": bool(request.get("EnableInterContainerTrafficEncryption", False)),
        "EnableManagedSpotTraining": job.is_spot,
        "ProfilingStatus": "Disabled",
    }
    if "InputDataConfig" in request:
        output["InputDataConfig"] = [
            {"CompressionType": "None", "RecordWrapperType": "None", **channel}
            for channel in request["InputDataConfig"]
        ]
    if job.model_artifacts:
        output["ModelArtifacts"] = {"S3ModelArtifacts": job.model_artifacts}
    if metrics:
        output["FinalMetricDataList"] = [
            {"MetricName": metric.name, "Value": metric.value, "Timestamp": metric.timestamp} for metric in metrics
        ]
    return output


def summary(job: TrainingJob) -> dict[str, Any]:
    """One entry of ListTrainingJobs."""
    return {
        "TrainingJobName": job.name,
        "TrainingJobArn": job.arn,
        "CreationTime": job.creation_time,
        "TrainingEndTime": job.training_end_time,
        "LastModifiedTime": job.last_modified_time,
        "TrainingJobStatus": job.status.value,
        "SecondaryStatus": job.secondary_status.value,
    }


def _transition(entry: Transition) -> dict[str, Any]:
    return {
        "Status": entry.status.value,
        "StartTime": entry.start_time,
        "EndTime": entry.end_time,
        "StatusMessage": entry.message,
    }

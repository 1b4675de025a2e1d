"""The EventBridge event "SageMaker Training Job State Change".

Source: "Automating SageMaker AI with EventBridge" in the developer guide: the detail is the job's description with
times in milliseconds since the epoch and the tags as a map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainworks.twin.services.outbox import Event
from trainworks.twin.services.sagemaker.training.records import TrainingJob, Transition

SOURCE, DETAIL_TYPE = "aws.sagemaker", "SageMaker Training Job State Change"
_COPIED = (
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "CheckpointConfig",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
)


def state_change_event(job: TrainingJob, transitions: Sequence[Transition], tags: Mapping[str, str]) -> Event:
    """The event of the state that `job` has just entered."""
    detail: dict[str, Any] = {
        "TrainingJobName": job.name,
        "TrainingJobArn": job.arn,
        "TrainingJobStatus": job.status.value,
        "SecondaryStatus": job.secondary_status.value,
        **{name: job.request[name] for name in _COPIED if name in job.request},
        "CreationTime": _milliseconds(job.creation_time),
        "LastModifiedTime": _milliseconds(job.last_modified_time),
        "SecondaryStatusTransitions": [_transition(entry) for entry in transitions],
        "Tags": dict(tags),
    }
    if job.training_start_time:
        detail["TrainingStartTime"] = _milliseconds(job.training_start_time)
    if job.training_end_time:
        detail["TrainingEndTime"] = _milliseconds(job.training_end_time)
    if job.failure_reason:
        detail["FailureReason"] = job.failure_reason
    if job.model_artifacts:
        detail["ModelArtifacts"] = {"S3ModelArtifacts": job.model_artifacts}
    return Event(SOURCE, DETAIL_TYPE, detail, (job.arn,))


def _transition(entry: Transition) -> dict[str, Any]:
    detail = {
        "Status": entry.status.value,
        "StartTime": _milliseconds(entry.start_time),
        "StatusMessage": entry.message,
    }
    if entry.end_time is not None:
        detail["EndTime"] = _milliseconds(entry.end_time)
    return detail


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)

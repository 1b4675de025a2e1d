"""The states of a training job and which may follow which.

Source: `DescribeTrainingJob` in the SageMaker API reference (botocore shapes `TrainingJobStatus`, `SecondaryStatus`).
"""

from enum import StrEnum


class TrainingJobStatus(StrEnum):
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


class SecondaryStatus(StrEnum):
    STARTING = "Starting"
    PENDING = "Pending"
    DOWNLOADING = "Downloading"
    TRAINING = "Training"
    INTERRUPTED = "Interrupted"
    RESTARTING = "Restarting"
    UPLOADING = "Uploading"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    MAX_RUNTIME_EXCEEDED = "MaxRuntimeExceeded"
    MAX_WAIT_TIME_EXCEEDED = "MaxWaitTimeExceeded"
    COMPLETED = "Completed"
    FAILED = "Failed"


_S = SecondaryStatus

TERMINAL = frozenset({_S.COMPLETED, _S.FAILED, _S.STOPPED, _S.MAX_RUNTIME_EXCEEDED, _S.MAX_WAIT_TIME_EXCEEDED})

NEXT: dict[SecondaryStatus, frozenset[SecondaryStatus]] = {
    _S.STARTING: frozenset({_S.PENDING, _S.DOWNLOADING, _S.STOPPING, _S.MAX_WAIT_TIME_EXCEEDED, _S.FAILED}),
    _S.PENDING: frozenset({_S.DOWNLOADING, _S.STOPPING, _S.MAX_WAIT_TIME_EXCEEDED, _S.FAILED}),
    _S.DOWNLOADING: frozenset({_S.TRAINING, _S.INTERRUPTED, _S.STOPPING, _S.FAILED}),
    _S.TRAINING: frozenset({_S.UPLOADING, _S.INTERRUPTED, _S.STOPPING, _S.MAX_RUNTIME_EXCEEDED, _S.FAILED}),
    _S.INTERRUPTED: frozenset({_S.RESTARTING, _S.STOPPING, _S.MAX_WAIT_TIME_EXCEEDED, _S.FAILED}),
    _S.RESTARTING: frozenset(
        {_S.STARTING, _S.PENDING, _S.DOWNLOADING, _S.STOPPING, _S.MAX_WAIT_TIME_EXCEEDED, _S.FAILED}
    ),
    _S.STOPPING: frozenset({_S.UPLOADING, _S.STOPPED, _S.MAX_RUNTIME_EXCEEDED, _S.MAX_WAIT_TIME_EXCEEDED, _S.FAILED}),
    _S.UPLOADING: frozenset(
        {_S.COMPLETED, _S.STOPPED, _S.MAX_RUNTIME_EXCEEDED, _S.MAX_WAIT_TIME_EXCEEDED, _S.STOPPING, _S.FAILED}
    ),
}
"""Which secondary status may follow which; terminal ones have no entry."""

STATUS_OF: dict[SecondaryStatus, TrainingJobStatus] = {
    _S.COMPLETED: TrainingJobStatus.COMPLETED,
    _S.FAILED: TrainingJobStatus.FAILED,
    _S.STOPPED: TrainingJobStatus.STOPPED,
    _S.MAX_RUNTIME_EXCEEDED: TrainingJobStatus.STOPPED,
    _S.MAX_WAIT_TIME_EXCEEDED: TrainingJobStatus.STOPPED,
    _S.STOPPING: TrainingJobStatus.STOPPING,
}
"""The primary status of a secondary one; what is not named is InProgress."""


def status_of(secondary: SecondaryStatus) -> TrainingJobStatus:
    """The `TrainingJobStatus` that goes with a `SecondaryStatus`."""
    return STATUS_OF.get(secondary, TrainingJobStatus.IN_PROGRESS)


def may_follow(current: SecondaryStatus, following: SecondaryStatus) -> bool:
    """Whether a job in `current` may go to `following`."""
    return following in NEXT.get(current, frozenset())

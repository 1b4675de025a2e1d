"""What is known of a training job. Member names follow botocore's shape `DescribeTrainingJobResponse`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trainworks.doctor.images import ImageFacts
from trainworks.doctor.logs import LogFacts
from trainworks.doctor.looking import Look
from trainworks.doctor.network import Network
from trainworks.doctor.quotas import Quota
from trainworks.doctor.roles import RoleFacts

LOG_GROUP = "/aws/sagemaker/TrainingJobs"


@dataclass(frozen=True, slots=True)
class Transition:
    """`SecondaryStatusTransition`; `ended_at` is None for the present one."""

    status: str
    started_at: datetime
    ended_at: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """`DescribeTrainingJob`. URIs are empty if the request had none; times are aware."""

    name: str
    arn: str
    status: str
    secondary_status: str
    failure_reason: str = ""
    transitions: tuple[Transition, ...] = ()
    role_arn: str = ""
    image: str = ""
    instance_type: str = "ml.m5.large"
    instance_count: int = 1
    volume_size_in_gb: int = 0
    is_spot: bool = False
    max_runtime_seconds: int = 86_400
    max_wait_seconds: int | None = None
    checkpoint_s3_uri: str = ""
    output_s3_uri: str = ""
    input_s3_uris: tuple[str, ...] = ()
    kms_key_id: str = ""
    subnets: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    created_at: datetime | None = None
    training_seconds: int | None = None
    billable_seconds: int | None = None

    @property
    def interruptions(self) -> int:
        """How often a spot instance was taken away."""
        return sum(each.status == "Interrupted" for each in self.transitions)

    @property
    def is_over(self) -> bool:
        return self.status in ("Completed", "Failed", "Stopped")


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """Everything that was looked at for one job; what there was no reason to look at is None.

    `checkpoints` counts the objects below the checkpoint prefix (up to 1,000); absent if the bucket is not there.
    """

    looked_at: datetime
    job: Look[TrainingJob]
    role: RoleFacts | None = None
    image: ImageFacts | None = None
    network: Network | None = None
    checkpoints: Look[int] | None = None
    log: LogFacts | None = None
    quota: Look[Quota] | None = None

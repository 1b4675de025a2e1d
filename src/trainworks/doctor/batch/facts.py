"""What is known of a Batch job and of all that it waits for. Member names follow botocore's shapes of Batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from trainworks.doctor.images import ImageFacts
from trainworks.doctor.logs import LogFacts
from trainworks.doctor.looking import Look
from trainworks.doctor.network import Network
from trainworks.doctor.quotas import Quota
from trainworks.doctor.roles import RoleFacts

FARGATE_TYPES = ("FARGATE", "FARGATE_SPOT")
SPOT_TYPES = ("SPOT", "FARGATE_SPOT")


@dataclass(frozen=True, slots=True)
class Attempt:
    """`AttemptDetail`: how one attempt ended."""

    exit_code: int | None = None
    reason: str = ""
    status_reason: str = ""


@dataclass(frozen=True, slots=True)
class BatchJob:
    """`JobDetail`. Times are aware; `log_stream` is that of the last attempt, empty before there is one."""

    job_id: str
    job_name: str
    job_queue: str
    status: str
    status_reason: str = ""
    vcpus: float = 1.0
    memory_mib: int = 2048
    gpus: int = 0
    image: str = ""
    created_at: datetime | None = None
    exit_code: int | None = None
    reason: str = ""
    log_group: str = "/aws/batch/job"
    log_stream: str = ""
    depends_on: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    timeout_seconds: int | None = None
    execution_role_arn: str = ""
    job_role_arn: str = ""
    is_array_parent: bool = False
    children: tuple[tuple[str, int], ...] = ()
    ended_by_request: bool = False
    assigns_public_ip: bool = False


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """`JobStateTimeLimitAction`: jobs RUNNABLE for `reason` are cancelled after this many seconds."""

    reason: str
    max_time_seconds: int
    action: str = "CANCEL"


@dataclass(frozen=True, slots=True)
class JobQueue:
    """`JobQueueDetail`; `compute_environments` are ARNs in the queue's order."""

    job_queue_name: str
    state: str = "ENABLED"
    status: str = "VALID"
    status_reason: str = ""
    compute_environments: tuple[str, ...] = ()
    time_limits: tuple[TimeLimit, ...] = ()


@dataclass(frozen=True, slots=True)
class ComputeEnvironment:
    """`ComputeEnvironmentDetail`. `instance_role` is an instance profile's name or ARN, empty on Fargate."""

    name: str
    state: str = "ENABLED"
    status: str = "VALID"
    status_reason: str = ""
    kind: str = "EC2"
    max_vcpus: int = 16
    desired_vcpus: int = 0
    instance_types: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    instance_role: str = ""
    ecs_cluster_arn: str = ""

    @property
    def is_usable(self) -> bool:
        return self.state == "ENABLED" and self.status == "VALID"


@dataclass(frozen=True, slots=True)
class OtherJob:
    """A job before this one in the queue (`JobSummary`), or one that it depends on."""

    job_id: str
    job_name: str
    status: str
    status_reason: str = ""


@dataclass(frozen=True, slots=True)
class InstanceProfile:
    """`iam:GetInstanceProfile`; `role_arn` is empty if the profile has no role."""

    name: str
    role_arn: str = ""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What one EC2 compute environment needs so that its instances register with its cluster."""

    environment: str
    profile: Look[InstanceProfile]
    role: RoleFacts | None
    registered: Look[int]


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """Everything that was looked at for one job; what there was no reason to look at is None."""

    looked_at: datetime
    job: Look[BatchJob]
    queue: Look[JobQueue]
    environments: Look[tuple[ComputeEnvironment, ...]]
    before_it: Look[tuple[OtherJob, ...]] | None = None
    vcpus_in_use: Look[float] | None = None
    dependencies: Look[tuple[OtherJob, ...]] | None = None
    network: Network | None = None
    hosts: tuple[HostFacts, ...] = ()
    quota: Look[Quota] | None = None
    image: ImageFacts | None = None
    execution_role: RoleFacts | None = None
    log: LogFacts | None = None
    child: BatchFacts | None = field(default=None)

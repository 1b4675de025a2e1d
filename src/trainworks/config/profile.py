"""How big, how safe and how long-lived an environment's platform is.

An `EnvironmentProfile` is every setting of the platform in one frozen record; `PROFILES` holds the three that ship.
`trainworks.toml` may replace single values (see `config.environment`), and so may Python:

    from dataclasses import replace

    from trainworks.config.profile import PROFILES, ProfileName

    dev = PROFILES[ProfileName.DEV]
    larger = replace(dev, batch=replace(dev.batch, max_vcpus=64))

Names are those of CloudFormation in snake_case, with units if there are any.

The records are plain dataclasses, so that reading a shipped profile does not cost the import of pydantic; pydantic
checks them, by the same annotations, where values come from outside (`config.validation`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from trainworks.aws.cidr import CidrBlock
from trainworks.aws.service_needs import Necessity, WorkloadKind, services_of
from trainworks.config.aws_names import check_batch_instance_type, check_notebook_instance_type
from trainworks.config.constraints import Between, Flag, Matching, NotFewerThan, OneOf, Passing, Record
from trainworks.config.zones import CountOrLetters, checked_zones, first_letters, zone_letters
from trainworks.errors import ConfigurationError


class ProfileName(StrEnum):
    """The profiles that ship: `dev`, `staging`, `prod`."""

    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


class Egress(StrEnum):
    """How Batch hosts and the notebook reach AWS's APIs.

    PUBLIC_IP            Batch hosts in public subnets: outbound by their own address, no inbound rule; no idle cost
    NAT_GATEWAY          private subnets behind one NAT gateway
    INTERFACE_ENDPOINTS  isolated subnets, no internet at all: an interface endpoint for each service that the workloads
                         need (`EnvironmentProfile.endpoint_services`)
    """

    PUBLIC_IP = "public-ip"
    NAT_GATEWAY = "nat-gateway"
    INTERFACE_ENDPOINTS = "interface-endpoints"


class InterfaceEndpoint(StrEnum):
    """Interface VPC endpoints that a profile may ask for, by the last part of their service name."""

    SAGEMAKER_API = "sagemaker.api"
    SAGEMAKER_RUNTIME = "sagemaker.runtime"
    ECR_API = "ecr.api"
    ECR_DKR = "ecr.dkr"
    ECS = "ecs"
    ECS_AGENT = "ecs-agent"
    ECS_TELEMETRY = "ecs-telemetry"
    LOGS = "logs"
    MONITORING = "monitoring"
    STS = "sts"


RetentionInDays = Annotated[
    int, OneOf((1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 3653))
]
"""The values that `logs:PutRetentionPolicy` accepts."""

CIDR_BLOCK = "an IPv4 block of /16 to /26, such as 10.20.0.0/16"
InstanceType = Annotated[str, Passing(check_batch_instance_type)]
NotebookInstanceType = Annotated[str, Passing(check_notebook_instance_type)]
EmailAddress = Annotated[str, Matching(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
BucketName = Annotated[str, Matching(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
PrefixListId = Annotated[str, Matching(r"^pl-([0-9a-f]{8}|[0-9a-f]{17})$")]


SUBNET_KINDS = ("Isolated", "Public", "Private")
"""All kinds of subnets, in the order of their addresses within a zone's share of the VPC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkProfile(Record):
    """The VPC.

    A subnet's addresses follow from its kind and its zone's letter alone: each zone has room for the three kinds, each
    letter up to the last one that is used has room of its own. So `egress` and `availability_zones` can be changed on
    a platform that is there: CloudFormation makes new subnets before it deletes old ones, and they never meet. Two
    values cannot be changed so. With another `subnet_cidr_mask` the new subnets overlap the old ones and the update
    fails and is rolled back: take the platform down first. With another `cidr_block` the VPC is replaced, and
    everything in it.
    """

    cidr_block: Annotated[str, Matching(r"^(\d{1,3}\.){3}\d{1,3}/(1[6-9]|2[0-6])$", CIDR_BLOCK)] | None = None
    """Without it, a /16 block derived from the environment's suffix, see `aws.cidr.derived_cidr_block`."""
    subnet_cidr_mask: Annotated[int, Between(17, 28)] = 24
    """How large a subnet is."""
    availability_zones: Annotated[int | tuple[str, ...], CountOrLetters()] = 2
    """How many, the first ones of the region, or their letters, such as `["a", "b"]`; a synthesis looks nothing up."""
    egress: Egress
    """How Batch hosts, and the notebook behind a NAT gateway, reach AWS's APIs; training jobs stay inside the VPC."""
    interface_endpoints: tuple[InterfaceEndpoint, ...] = ()
    """More endpoints than the workloads need, for what their code calls."""
    readable_buckets: tuple[BucketName, ...] = ()
    """Buckets of other accounts, a public data set's for example, that may be read through the S3 gateway."""
    gateway_prefix_list_ids: tuple[PrefixListId, ...] = ()
    """Ids of the region's managed prefix lists of S3 and DynamoDB (`aws ec2 describe-managed-prefix-lists`). With them
    workloads in isolated subnets may speak to the gateways and the interface endpoints alone; without, outbound rules
    name no destination, since a template cannot tell these ids, and the route tables are the only limit."""
    flow_logs: Flag = True
    """Log what the VPC's interfaces send and receive."""

    def __post_init__(self) -> None:
        try:
            checked_zones(self.availability_zones)
        except ValueError as error:
            raise ValueError(f"network.availability_zones {error}") from None
        self._check_room(first_letters(self.availability_zones))

    def zone_letters(self, region: str) -> tuple[str, ...]:
        """The letters of the zones in `region`.

        Raises `ConfigurationError` for what the region is known not to have, and where its letters need more subnets
        than there is room for.
        """
        letters = zone_letters(self.availability_zones, region)
        try:
            self._check_room(letters)
        except ValueError as error:
            raise ConfigurationError(f"{error}, the zones of {region}", fix="change one of the values named") from None
        return letters

    def subnet_cidr_block(self, block: CidrBlock, kind: str, letter: str) -> CidrBlock:
        """The addresses of the subnet of `kind` in the zone `letter` of a VPC with `block`."""
        slot = _letters_before(letter) * len(SUBNET_KINDS) + SUBNET_KINDS.index(kind)
        return block.subnet(self.subnet_cidr_mask, slot)

    def _check_room(self, letters: tuple[str, ...]) -> None:
        block = CidrBlock.parse(self.cidr_block) if self.cidr_block else CidrBlock(10 << 24, 16)
        last = max(letters)
        needed = (_letters_before(last) + 1) * len(SUBNET_KINDS)
        if block.subnets(self.subnet_cidr_mask) < needed:
            raise ValueError(
                f"network.cidr_block {self.cidr_block or 'of an environment (a /16)'} holds "
                f"{block.subnets(self.subnet_cidr_mask)} subnets of subnet_cidr_mask /{self.subnet_cidr_mask}, and "
                f"{needed} are needed: room for {', '.join(SUBNET_KINDS)} in each zone from a to {last}"
            )

    @property
    def subnet_kinds(self) -> tuple[str, ...]:
        """The kinds of subnets that each zone gets."""
        return {
            Egress.PUBLIC_IP: ("Public", "Isolated"),
            Egress.NAT_GATEWAY: ("Public", "Private", "Isolated"),
            Egress.INTERFACE_ENDPOINTS: ("Isolated",),
        }[Egress(self.egress)]


def _letters_before(letter: str) -> int:
    return ord(letter) - ord("a")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageProfile(Record):
    """Buckets, keys and the image repository."""

    retain: Flag
    """RETAIN buckets, keys and images when the stack is deleted; otherwise `down` empties and deletes them."""
    key_per_domain: Flag = False
    """One KMS key for data and another for operations (topic, logs) instead of one for both."""
    noncurrent_version_expiration_days: Annotated[int, Between(1)] = 30
    """Objects that were replaced or deleted are removed for ever after this many days."""
    abort_incomplete_multipart_upload_days: Annotated[int, Between(1)] = 7
    """Uploads that were begun and not ended are removed after this many days."""
    artifact_archive_days: Annotated[int, Between(90)] = 180
    """Model artefacts move to Glacier Instant Retrieval, which `CreateModel` can still read, after this many days."""
    access_log_expiration_days: Annotated[int, Between(1)] = 90
    """The buckets' own access logs are removed after this many days."""
    max_image_count: Annotated[int, Between(1)] = 50
    """The repository keeps this many images, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringProfile(Record):
    """Logs, notifications and alarms."""

    dashboard: Flag = True
    """A dashboard costs $3 a month from the fourth of an account on; alarms and notifications do not need it."""
    notification_emails: tuple[EmailAddress, ...] = ()
    """Subscribed to failures, blocked queues, lost hosts and costs; each has to confirm by the mail that it gets."""
    log_retention_days: RetentionInDays
    """Retention of the environment's own log groups."""
    training_log_retention_days: RetentionInDays | None = 30
    """At least this many days for the groups that SageMaker writes (`/aws/sagemaker/TrainingJobs`, and with a notebook
    `/aws/sagemaker/NotebookInstances`), which all environments of an account and region share. It is never shortened
    below what another environment asked for; without it the groups are left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostProfile(Record):
    """Who spends more than was meant is told; nothing is stopped.

    Both count what carries the tag `Platform` of the platform, which has to be activated as a cost allocation tag
    once in the account that pays. Neither costs anything.
    """

    monthly_budget_usd: Annotated[int, Between(1)]
    """People are told when `budget_alert_percent` of it is spent, and when the forecast of the month exceeds it."""
    budget_alert_percent: Annotated[int, Between(1, 100)] = 80
    """The share of the budget, in percent, at which people are told: see `monthly_budget_usd`."""
    anomaly_impact_usd: Annotated[int, Between(1)] | None = 10
    """Spending this much above what is expected is reported; without a value there is no anomaly monitor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProfile(Record):
    """Defaults of managed spot training jobs."""

    enable_managed_spot_training: Flag = True
    """Whether jobs run on spot capacity where their spec does not say."""
    max_runtime_seconds: Annotated[int, Between(1, 2_419_200)] = 86_400
    """A job is stopped after this long."""
    max_wait_time_seconds: Annotated[int, Between(1, 4_838_400)] = 172_800
    """Run time and waiting for spot capacity together; not below the run time."""

    def __post_init__(self) -> None:
        if self.max_wait_time_seconds < self.max_runtime_seconds:
            raise ValueError(
                f"max_wait_time_seconds ({self.max_wait_time_seconds}) is below "
                f"max_runtime_seconds ({self.max_runtime_seconds}); SageMaker rejects such spot jobs"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookProfile(Record):
    """The notebook instance."""

    instance_type: NotebookInstanceType = "ml.t3.medium"
    """Any type that `CreateNotebookInstance` takes."""
    volume_size_in_gb: Annotated[int, Between(5, 16384)] = 5
    """Its volume."""
    idle_minutes: Annotated[int, Between(10, 1440)] = 60
    """Stopped after this many minutes in which no kernel was busy and no kernel or terminal did anything."""
    default_code_repository: Annotated[str, Matching(r"^https://")] | None = None
    """Cloned at start; needs `network.egress = "nat-gateway"`, since the notebook has no internet of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProfile(Record):
    """The compute environment, queue and job definition of batch inference."""

    instance_types: Annotated[tuple[InstanceType, ...], NotFewerThan(1)] = ("m5.large", "m5.xlarge")
    """Hosts are of these types alone."""
    max_vcpus: Annotated[int, Between(1)]
    """vCPUs of all hosts together, at most."""
    min_vcpus: Annotated[int, Between(0)] = 0
    """vCPUs that stay up without work; they cost."""
    on_demand_max_vcpus: Annotated[int, Between(0)] = 0
    """Above zero: a second, on-demand compute environment for when spot capacity runs out."""
    volume_size_in_gb: Annotated[int, Between(30, 16384)] = 30
    """A host's volume, for its images and what containers write; Batch's own image needs 30 GB of it."""
    job_vcpus: Annotated[int, Between(1)] = 1
    """vCPUs of a job that does not say."""
    job_memory_mib: Annotated[int, Between(4)] = 2048
    """Memory of a job that does not say."""
    job_timeout_seconds: Annotated[int, Between(60)] = 3600
    """An attempt of a job that sets no timeout is ended after this long."""
    job_attempts: Annotated[int, Between(1, 10)] = 3
    """Attempts in all; only the loss of a host is retried."""
    runnable_limit_seconds: Annotated[int, Between(600, 86_400)] = 3600
    """A job at the head of the queue that cannot be placed for this long is cancelled with the reason."""
    queue_priority: Annotated[int, Between(0, 1000)] = 1
    """Queues of a higher priority get hosts first."""
    image_tag: Annotated[str, Matching(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")] = "v1"
    """Tag of the inference image in the platform's repository; tags are immutable there."""

    def __post_init__(self) -> None:
        if self.min_vcpus > self.max_vcpus:
            raise ValueError(f"batch.min_vcpus ({self.min_vcpus}) is above batch.max_vcpus ({self.max_vcpus})")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentProfile(Record):
    """All settings of one environment's platform."""

    name: ProfileName
    termination_protection: Flag = False
    network: NetworkProfile
    storage: StorageProfile
    monitoring: MonitoringProfile
    cost: CostProfile | None = None
    training: TrainingProfile = field(default_factory=TrainingProfile)
    notebook: NotebookProfile | None = None
    batch: BatchProfile | None = None

    def __post_init__(self) -> None:
        network = self.network
        if self.notebook and self.notebook.default_code_repository and network.egress is not Egress.NAT_GATEWAY:
            raise ValueError(
                f"notebook.default_code_repository needs network.egress nat-gateway, not {network.egress.value}: "
                "the notebook would fail to start"
            )

    @property
    def workloads(self) -> tuple[WorkloadKind, ...]:
        """What runs in the platform's subnets."""
        return (
            WorkloadKind.TRAINING_JOB,
            *([WorkloadKind.NOTEBOOK_INSTANCE] if self.notebook else []),
            *([WorkloadKind.BATCH_EC2] if self.batch else []),
        )

    @property
    def endpoint_services(self) -> tuple[str, ...]:
        """The interface endpoints of the VPC: what the workloads need and have no other way to, and what was asked for.

        Where there is a way out, hosts take it, and a notebook in an isolated subnet does without other APIs.
        """
        needed: frozenset[str] = frozenset()
        if self.network.egress is Egress.INTERFACE_ENDPOINTS:
            wanted = (Necessity.ALWAYS, Necessity.PRIVATE_IMAGE, Necessity.AWSLOGS, Necessity.CONVENIENCE)
            needed = services_of(self.workloads, wanted) - {"s3", "dynamodb"}
        return tuple(sorted({*needed, *(each.value for each in self.network.interface_endpoints)}))


_SAMPLES = "https://github.com/aws/amazon-sagemaker-examples.git"

PROFILES: dict[ProfileName, EnvironmentProfile] = {
    ProfileName.DEV: EnvironmentProfile(
        name=ProfileName.DEV,
        network=NetworkProfile(egress=Egress.PUBLIC_IP),
        storage=StorageProfile(retain=False),
        monitoring=MonitoringProfile(dashboard=False, log_retention_days=7),
        cost=CostProfile(monthly_budget_usd=50),
        notebook=NotebookProfile(),
        batch=BatchProfile(max_vcpus=16),
    ),
    ProfileName.STAGING: EnvironmentProfile(
        name=ProfileName.STAGING,
        network=NetworkProfile(egress=Egress.NAT_GATEWAY),
        storage=StorageProfile(retain=False),
        monitoring=MonitoringProfile(log_retention_days=30),
        cost=CostProfile(monthly_budget_usd=300),
        notebook=NotebookProfile(default_code_repository=_SAMPLES),
        batch=BatchProfile(instance_types=("m5.xlarge", "m5.2xlarge"), max_vcpus=64, job_vcpus=4, job_memory_mib=8192),
    ),
    ProfileName.PROD: EnvironmentProfile(
        name=ProfileName.PROD,
        termination_protection=True,
        network=NetworkProfile(availability_zones=3, egress=Egress.INTERFACE_ENDPOINTS),
        storage=StorageProfile(
            retain=True,
            key_per_domain=True,
            noncurrent_version_expiration_days=90,
            access_log_expiration_days=365,
        ),
        monitoring=MonitoringProfile(log_retention_days=365, training_log_retention_days=365),
        cost=CostProfile(monthly_budget_usd=2000, anomaly_impact_usd=50),
        batch=BatchProfile(
            instance_types=("m5.xlarge", "m5.2xlarge", "m5.4xlarge"),
            max_vcpus=256,
            on_demand_max_vcpus=256,
            job_vcpus=4,
            job_memory_mib=8192,
        ),
    ),
}
"""The profiles that ship, by name."""


def profile_of(profile: EnvironmentProfile | str) -> EnvironmentProfile:
    """A profile that ships, by its name, or the record itself. Raises `ConfigurationError` for other names."""
    if isinstance(profile, EnvironmentProfile):
        return profile
    try:
        return PROFILES[ProfileName(profile)]
    except ValueError:
        raise ConfigurationError(
            f"no profile is called {profile!r}; allowed: {', '.join(ProfileName)}",
            fix="give one of these names, or an EnvironmentProfile",
        ) from None

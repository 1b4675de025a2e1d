"""What runs, in which subnets, as whom: one record per kind of workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainworks.assembly.graph import Resource, Unknown
from trainworks.aws.service_needs import WorkloadKind
from trainworks.preflight.workloads.values import Number


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workload:
    """Common to all.

    `resource` is what it is written in, at `path`; None if that is an output of a stack, which `place` names.
    `subnets` is None if it runs outside the VPCs of the account, and empty if there is a VPC configuration without any.
    `role_arn` is what its code runs as, `execution_role_arn` what starts its containers; empty if it has none.
    """

    kind: WorkloadKind
    place: str
    path: str = ""
    resource: Resource | None = None
    subnets: tuple[str, ...] | None = None
    security_groups: tuple[str, ...] = ()
    role_arn: str = ""
    execution_role_arn: str = ""
    instance_types: tuple[str, ...] = ()

    @property
    def at(self) -> Resource | str:
        """Where a fault of it is reported."""
        return self.resource or self.place

    @property
    def title(self) -> str:
        """The kind, with the path if the place alone is not clear."""
        return f"{self.kind.value} ({self.path})" if self.path else self.kind.value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SageMakerJob(Workload):
    """A training or processing job, by the request that creates it or the platform's part of one.

    `request` is the object as written. `is_complete`: it is a whole request, so what is absent is absent; otherwise the
    rest is added when a job is submitted. `instance_count` is None if it does not say. `written_s3_uris` are all
    that it writes, its output among them.
    """

    request: Mapping[str, Any]
    is_complete: bool
    instance_count: Number
    input_s3_uris: tuple[str, ...] = ()
    output_s3_uri: str = ""
    written_s3_uris: tuple[str, ...] = ()
    output_kms_key_id: str = ""
    volume_kms_key_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingJob(SageMakerJob):
    """`misplaced`: members of `StoppingCondition` that are next to it, where the API does not know them."""

    enable_managed_spot_training: bool | Unknown
    max_runtime_seconds: Number
    max_wait_time_seconds: Number
    checkpoint_s3_uri: str = ""
    misplaced: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Notebook(Workload):
    """`scripts` are the lifecycle configuration's, decoded; `repositories` the Git URLs cloned at the start."""

    direct_internet_access: bool | Unknown
    kms_key_id: str = ""
    scripts: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model(Workload):
    """`artefact_s3_uris` are what its containers load."""

    artefact_s3_uris: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variant:
    """A production variant of an endpoint. `instance_type` is empty if it is serverless."""

    variant_name: str
    model: Model | None
    instance_type: str
    initial_instance_count: Number


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EndpointConfig:
    """An endpoint configuration; its models say where it runs and as whom."""

    place: str
    resource: Resource
    variants: tuple[Variant, ...]
    kms_key_id: str
    capture_s3_uri: str
    capture_kms_key_id: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Container:
    """A container of a Batch job or an ECS task; what it does not ask for is None."""

    name: str
    image: str
    vcpus: Number = None
    memory_mib: Number = None
    gpus: Number = None
    log_driver: str = ""
    log_group: str = ""
    secret_arns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JobDefinition:
    """A Batch job definition. `num_nodes` is 1 but for multi-node parallel jobs. Sizes are those of a whole node."""

    place: str
    resource: Resource
    is_fargate: bool
    containers: tuple[Container, ...]
    role_arn: str
    execution_role_arn: str
    assign_public_ip: bool | Unknown
    num_nodes: Number

    @property
    def vcpus(self) -> Number:
        return _sum(container.vcpus for container in self.containers)

    @property
    def memory_mib(self) -> Number:
        return _sum(container.memory_mib for container in self.containers)

    @property
    def gpus(self) -> Number:
        return _sum(container.gpus for container in self.containers)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchEnvironment(Workload):
    """A managed compute environment on ECS, with the queues that it serves and the job definitions that suit its kind.

    `role_arn` is that of its hosts (their instance profile's). Job definitions are not tied to queues in a template, so
    `job_definitions` are all of the same platform.
    """

    is_fargate: bool
    is_spot: bool
    allocation_strategy: str
    max_vcpus: Number
    spot_iam_fleet_role: str
    launch_template: Resource | None
    has_launch_template: bool
    queues: tuple[Resource, ...]
    job_definitions: tuple[JobDefinition, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskDefinition:
    """An ECS task definition. `cpu_units` is 1024 a vCPU."""

    place: str
    resource: Resource
    is_fargate: bool
    cpu_units: Number
    memory_mib: Number
    role_arn: str
    execution_role_arn: str
    containers: tuple[Container, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EcsTasks(Workload):
    """Tasks of a service, or those that an event starts."""

    task_definition: TaskDefinition | None
    assign_public_ip: bool | Unknown


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workloads:
    """All workloads of a graph."""

    training_jobs: tuple[TrainingJob, ...]
    processing_jobs: tuple[SageMakerJob, ...]
    notebooks: tuple[Notebook, ...]
    models: tuple[Model, ...]
    endpoint_configs: tuple[EndpointConfig, ...]
    batch_environments: tuple[BatchEnvironment, ...]
    job_definitions: tuple[JobDefinition, ...]
    ecs_tasks: tuple[EcsTasks, ...]
    task_definitions: tuple[TaskDefinition, ...]
    functions: tuple[Workload, ...]
    builds: tuple[Workload, ...]

    @property
    def all(self) -> tuple[Workload, ...]:
        """Everything that may be in a subnet."""
        return (
            *self.training_jobs,
            *self.processing_jobs,
            *self.notebooks,
            *self.models,
            *self.batch_environments,
            *self.ecs_tasks,
            *self.functions,
            *self.builds,
        )


def _sum(numbers: Any) -> Number:
    """Unknown if a part is, None if no part asks."""
    total: Number = None
    for each in numbers:
        if isinstance(each, Unknown):
            return each
        if each is not None:
            total = (total or 0.0) + each
    return total

"""Which role is used for what: from workloads, and from every property that passes a role to a service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from trainworks.assembly.graph import Graph, Resource
from trainworks.aws.role_actions import ROLE_NEEDS, Workload
from trainworks.aws.service_needs import WorkloadKind
from trainworks.preflight.permissions import RolePermissions, permissions_of
from trainworks.preflight.workloads import JobDefinition, TaskDefinition, workloads_of
from trainworks.preflight.workloads import Workload as Placed

Tasks = JobDefinition | TaskDefinition


@dataclass(frozen=True, slots=True, eq=False)
class RoleUse:
    """`role` is given to `service` at `at`; `workload` is what runs as it, if that is a kind with known needs.

    `record` is the workload's record: what is known of the workload apart from its kind.
    """

    role: Resource
    service: str
    at: Resource | str
    workload: Workload | None = None
    record: Placed | Tasks | Resource | None = None

    @property
    def title(self) -> str:
        """What uses the role, for a message."""
        return self.workload.value if self.workload else f"{self.service.partition('.')[0]} resource"


_PLACED = {
    WorkloadKind.TRAINING_JOB: Workload.TRAINING_JOB,
    WorkloadKind.PROCESSING_JOB: Workload.PROCESSING_JOB,
    WorkloadKind.NOTEBOOK_INSTANCE: Workload.NOTEBOOK_INSTANCE,
    WorkloadKind.MODEL: Workload.ENDPOINT,
    WorkloadKind.BATCH_EC2: Workload.CONTAINER_HOST,
    WorkloadKind.LAMBDA_FUNCTION: Workload.FUNCTION,
    WorkloadKind.CODEBUILD_PROJECT: Workload.BUILD,
}

_PROPERTIES: tuple[tuple[str, tuple[str | int, ...], str], ...] = (
    ("AWS::StepFunctions::StateMachine", ("RoleArn",), "states.amazonaws.com"),
    ("AWS::EC2::FlowLog", ("DeliverLogsPermissionArn",), "vpc-flow-logs.amazonaws.com"),
    ("AWS::Scheduler::Schedule", ("Target", "RoleArn"), "scheduler.amazonaws.com"),
    ("AWS::Pipes::Pipe", ("RoleArn",), "pipes.amazonaws.com"),
    ("AWS::CodePipeline::Pipeline", ("RoleArn",), "codepipeline.amazonaws.com"),
    ("AWS::SageMaker::Pipeline", ("RoleArn",), "sagemaker.amazonaws.com"),
    ("AWS::SageMaker::Domain", ("DefaultUserSettings", "ExecutionRole"), "sagemaker.amazonaws.com"),
    ("AWS::SageMaker::FeatureGroup", ("RoleArn",), "sagemaker.amazonaws.com"),
    ("AWS::Batch::ComputeEnvironment", ("ServiceRole",), "batch.amazonaws.com"),
    ("AWS::Batch::ComputeEnvironment", ("ComputeResources", "SpotIamFleetRole"), "spotfleet.amazonaws.com"),
    ("AWS::EC2::SpotFleet", ("SpotFleetRequestConfigData", "IamFleetRole"), "spotfleet.amazonaws.com"),
    ("AWS::CloudTrail::Trail", ("CloudWatchLogsRoleArn",), "cloudtrail.amazonaws.com"),
    ("AWS::KinesisFirehose::DeliveryStream", ("S3DestinationConfiguration", "RoleARN"), "firehose.amazonaws.com"),
    (
        "AWS::KinesisFirehose::DeliveryStream",
        ("ExtendedS3DestinationConfiguration", "RoleARN"),
        "firehose.amazonaws.com",
    ),
    ("AWS::S3::Bucket", ("ReplicationConfiguration", "Role"), "s3.amazonaws.com"),
    ("AWS::CodeDeploy::DeploymentGroup", ("ServiceRoleArn",), "codedeploy.amazonaws.com"),
    ("AWS::EKS::Cluster", ("RoleArn",), "eks.amazonaws.com"),
    ("AWS::EKS::Nodegroup", ("NodeRole",), "ec2.amazonaws.com"),
    ("AWS::EKS::FargateProfile", ("PodExecutionRoleArn",), "eks-fargate-pods.amazonaws.com"),
    ("AWS::Glue::Job", ("Role",), "glue.amazonaws.com"),
    ("AWS::ApiGateway::Account", ("CloudWatchRoleArn",), "apigateway.amazonaws.com"),
)
"""Type, property that holds the role's ARN, the service that assumes it."""

_KINDS = {
    "AWS::StepFunctions::StateMachine": Workload.STATE_MACHINE,
    "AWS::EC2::FlowLog": Workload.FLOW_LOG,
}


@lru_cache(maxsize=4)
def role_uses_of(graph: Graph) -> tuple[RoleUse, ...]:
    """Every use of a role of the templates; of roles from elsewhere nothing is known."""
    permissions = permissions_of(graph)
    return (
        *_workloads(graph, permissions),
        *_containers(graph, permissions),
        *_properties(graph, permissions),
        *_event_targets(graph, permissions),
        *_instance_profiles(graph, permissions),
    )


def _workloads(graph: Graph, permissions: RolePermissions) -> Iterator[RoleUse]:
    for placed in workloads_of(graph).all:
        kind, role = _PLACED.get(placed.kind), permissions.role(placed.role_arn)
        if kind and role:
            yield RoleUse(role, ROLE_NEEDS[kind].service, placed.at, kind, placed)


def _containers(graph: Graph, permissions: RolePermissions) -> Iterator[RoleUse]:
    workloads = workloads_of(graph)
    every: tuple[Tasks, ...] = (*workloads.job_definitions, *workloads.task_definitions)
    for tasks in every:
        for kind, arn in (
            (Workload.CONTAINER_TASK, tasks.role_arn),
            (Workload.CONTAINER_START, tasks.execution_role_arn),
        ):
            role = permissions.role(arn)
            if role:
                yield RoleUse(role, ROLE_NEEDS[kind].service, tasks.resource, kind, tasks)


def _properties(graph: Graph, permissions: RolePermissions) -> Iterator[RoleUse]:
    for type_, path, service in _PROPERTIES:
        for resource in graph.of_type(type_):
            role = permissions.role(resource.get(*path))
            if role:
                yield RoleUse(role, service, resource, _KINDS.get(type_), resource)


def _event_targets(graph: Graph, permissions: RolePermissions) -> Iterator[RoleUse]:
    for rule in graph.of_type("AWS::Events::Rule"):
        for target in event_targets(rule):
            role = permissions.role(target.get("RoleArn"))
            if role:
                yield RoleUse(role, "events.amazonaws.com", rule, Workload.EVENT_TARGET, rule)


def event_targets(rule: Resource) -> tuple[dict[str, Any], ...]:
    """The targets of an `AWS::Events::Rule`."""
    targets = rule.get("Targets", default=[])
    return tuple(each for each in targets if isinstance(each, dict)) if isinstance(targets, list) else ()


def _instance_profiles(graph: Graph, permissions: RolePermissions) -> Iterator[RoleUse]:
    for profile in graph.of_type("AWS::IAM::InstanceProfile"):
        roles = profile.get("Roles", default=[])
        for name in roles if isinstance(roles, list) else []:
            role = permissions.role(name)
            if role:
                yield RoleUse(role, "ec2.amazonaws.com", profile)

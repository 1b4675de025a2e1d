"""Batch and ECS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.preflight.small_vpc import batch, group, ref, resource, vpc
from trainworks.assembly.graph import Unknown, graph_of_template
from trainworks.aws.service_needs import WorkloadKind
from trainworks.preflight.workloads import Workloads, workloads_of


def _found(resources: dict[str, Any]) -> Workloads:
    template = {"Parameters": {"Anything": {"Type": "String"}}, "Resources": {**vpc(), **resources}}
    return workloads_of(graph_of_template(template))


def test_an_environment_knows_its_queues_hosts_role_and_jobs() -> None:
    pieces = {
        **batch(),
        "Profile": resource("IAM::InstanceProfile", Roles=[ref("Role")]),
        "Role": resource("IAM::Role", RoleName="hosts"),
        "Queue": resource(
            "Batch::JobQueue", ComputeEnvironmentOrder=[{"Order": 1, "ComputeEnvironment": ref("Hosts")}]
        ),
    }
    pieces["Hosts"]["Properties"]["ComputeResources"]["InstanceRole"] = {"Fn::GetAtt": ["Profile", "Arn"]}
    found = _found(pieces)
    (environment,) = found.batch_environments
    assert environment.kind is WorkloadKind.BATCH_EC2
    assert environment.role_arn == "arn:aws:iam::111111111111:role/hosts"
    assert [queue.logical_id for queue in environment.queues] == ["Queue"]
    assert environment.job_definitions == found.job_definitions
    assert environment.max_vcpus == 16
    assert (found.job_definitions[0].vcpus, found.job_definitions[0].memory_mib) == (1, 1024)


def test_jobs_for_fargate_do_not_land_on_hosts() -> None:
    pieces = batch()
    pieces["Job"]["Properties"]["PlatformCapabilities"] = ["FARGATE"]
    found = _found(pieces)
    assert found.batch_environments[0].job_definitions == ()
    assert found.job_definitions[0].is_fargate


@pytest.mark.parametrize("properties", [{"Type": "UNMANAGED"}, {"EksConfiguration": {"EksClusterArn": "arn"}}])
def test_environments_that_others_run(properties: dict[str, Any]) -> None:
    pieces = batch()
    pieces["Hosts"]["Properties"] |= properties
    assert _found(pieces).batch_environments == ()


def test_jobs_of_several_containers() -> None:
    pieces = batch()
    pieces["Job"]["Properties"].pop("ContainerProperties")
    sizes = [{"Type": "VCPU", "Value": "2"}, {"Type": "MEMORY", "Value": "512"}]
    containers = [{"Name": name, "Image": "x", "ResourceRequirements": sizes} for name in "ab"]
    task = {"TaskProperties": [{"TaskRoleArn": "role", "ExecutionRoleArn": "starter", "Containers": containers}]}
    pieces["Job"]["Properties"]["EcsProperties"] = task
    (job,) = _found(pieces).job_definitions
    assert (job.vcpus, job.memory_mib, job.role_arn, job.execution_role_arn) == (4, 1024, "role", "starter")


def test_sizes_that_are_unknown() -> None:
    pieces = batch(ResourceRequirements=[{"Type": "VCPU", "Value": ref("Anything")}])
    (job,) = _found(pieces).job_definitions
    assert isinstance(job.vcpus, Unknown)
    assert job.memory_mib is None


def _service(**settings: Any) -> dict[str, Any]:
    return {
        **group("Group"),
        "Task": resource("ECS::TaskDefinition", RequiresCompatibilities=["FARGATE"], TaskRoleArn="role"),
        "Service": resource("ECS::Service", TaskDefinition=ref("Task"), **settings),
    }


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"LaunchType": "FARGATE"}, WorkloadKind.ECS_FARGATE),
        ({"LaunchType": "EC2"}, WorkloadKind.ECS_EC2),
        ({"CapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT"}]}, WorkloadKind.ECS_FARGATE),
        ({"CapacityProviderStrategy": [{"CapacityProvider": "mine"}]}, WorkloadKind.ECS_EC2),
        ({}, WorkloadKind.ECS_FARGATE),
    ],
)
def test_services(settings: dict[str, Any], kind: WorkloadKind) -> None:
    network = {"AwsvpcConfiguration": {"Subnets": [ref("Subnet")], "SecurityGroups": [ref("Group")]}}
    (tasks,) = _found(_service(NetworkConfiguration=network, **settings)).ecs_tasks
    assert tasks.kind is kind
    assert tasks.role_arn == "role"
    assert tasks.subnets is not None
    assert len(tasks.subnets) == len(tasks.security_groups) == 1
    assert tasks.assign_public_ip is False


def test_tasks_that_a_rule_starts() -> None:
    parameters = {
        "TaskDefinitionArn": ref("Task"),
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"AwsVpcConfiguration": {"Subnets": [ref("Subnet")], "AssignPublicIp": "ENABLED"}},
    }
    rule = resource("Events::Rule", Targets=[{"Id": "x", "Arn": "arn:cluster", "EcsParameters": parameters}])
    (tasks,) = _found({"Task": resource("ECS::TaskDefinition"), "Rule": rule}).ecs_tasks
    assert tasks.path == "Targets[0]"
    assert tasks.assign_public_ip is True
    assert tasks.task_definition is not None

"""Compute environments, queues and definitions: what is stored, what is refused, and where jobs fit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.twin.services.batch.conftest import RESOURCES, Batch
from trainworks.twin.ports import ApiError, Market

FARGATE = {"type": "FARGATE_SPOT", "maxvCpus": 8, "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]}
EC2 = {"type": "EC2", "maxvCpus": 8, "subnets": ["subnet-1"], "instanceRole": "r", "instanceTypes": ["optimal"]}


def create(batch: Batch, resources: dict[str, Any], **more: Any) -> Any:
    params = {"computeEnvironmentName": "ce", "type": "MANAGED", "computeResources": resources, **more}
    return batch.call("CreateComputeEnvironment", **params)


def test_an_environment_is_a_pool(batch: Batch) -> None:
    batch.platform()
    [pool] = batch.compute.pools.values()
    assert (pool.market, pool.max_vcpus, pool.instance_types) == (Market.SPOT, 64, ("m5.large",))
    [shown] = batch.call("DescribeComputeEnvironments", computeEnvironments=["ce"])["computeEnvironments"]
    assert (shown["state"], shown["status"]) == ("ENABLED", "VALID")
    assert shown["serviceRole"].endswith("AWSServiceRoleForBatch")
    batch.call("UpdateComputeEnvironment", computeEnvironment="ce", computeResources={"maxvCpus": 4})
    [pool] = batch.compute.pools.values()
    assert pool.max_vcpus == 4


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({**EC2, "instanceTypes": ["m5.huge"]}, "m5.huge"),
        ({**EC2, "instanceTypes": []}, "instanceTypes must be provided"),
        ({**EC2, "subnets": []}, "subnets must be provided"),
        ({**EC2, "minvCpus": 9}, "minvCpus must be less"),
        ({**EC2, "type": "SPOT"}, "spotIamFleetRole must be provided"),
        ({**EC2, "allocationStrategy": "SPOT_CAPACITY_OPTIMIZED"}, "for SPOT compute resources only"),
        ({**EC2, "launchTemplate": {"version": "1"}}, "launchTemplateId or a launchTemplateName"),
        (
            {**EC2, "type": "ECS_MANAGED_INSTANCES"},
            "does not implement compute resources of type ECS_MANAGED_INSTANCES",
        ),
        ({**FARGATE, "minvCpus": 0}, "minvCpus parameters aren't applicable to Fargate"),
        ({**FARGATE, "securityGroupIds": []}, "securityGroupIds must be provided"),
    ],
)
def test_wrong_compute_resources_are_refused(batch: Batch, resources: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match=message):
        create(batch, resources)
    assert not batch.compute.pools


def test_unmanaged_environments_are_refused_by_name(batch: Batch) -> None:
    with pytest.raises(ApiError, match="does not implement UNMANAGED"):
        batch.call("CreateComputeEnvironment", computeEnvironmentName="ce", type="UNMANAGED")


def test_a_missing_subnet_makes_the_environment_invalid(batch: Batch) -> None:
    create(batch, {**EC2, "subnets": ["subnet-missing"]})
    [shown] = batch.call("DescribeComputeEnvironments")["computeEnvironments"]
    assert shown["status"] == "INVALID"
    assert "subnet-missing" in shown["statusReason"]


def test_deletion_wants_disabled_and_unused(batch: Batch) -> None:
    batch.platform()
    with pytest.raises(ApiError, match="found existing JobQueue relationship"):
        batch.call("DeleteComputeEnvironment", computeEnvironment="ce")
    with pytest.raises(ApiError, match="DISABLED"):
        batch.call("DeleteJobQueue", jobQueue="q")
    job_id = batch.submit()
    batch.call("UpdateJobQueue", jobQueue="q", state="DISABLED")
    with pytest.raises(ApiError, match="state is DISABLED"):
        batch.submit()
    batch.call("DeleteJobQueue", jobQueue="q")
    assert batch.compute.stopped == [f"batch.{job_id}.1"]
    batch.call("UpdateComputeEnvironment", computeEnvironment="ce", state="DISABLED")
    batch.call("DeleteComputeEnvironment", computeEnvironment="ce")
    assert not batch.compute.pools
    assert batch.call("DescribeComputeEnvironments")["computeEnvironments"] == []
    assert batch.call("DescribeJobQueues")["jobQueues"] == []


def test_the_same_name_twice_is_refused(batch: Batch) -> None:
    batch.platform()
    with pytest.raises(ApiError, match="Object already exists"):
        create(batch, EC2)


def test_what_fits_nowhere_stays_runnable_with_the_reason_and_goes_on_after_an_update(batch: Batch) -> None:
    batch.control_plane.patterns = [{"detail": {"status": ["FAILED"]}}]
    batch.platform()
    vcpus = [{"type": "VCPU", "value": "32"}]
    job_id = batch.submit(containerOverrides={"resourceRequirements": vcpus})
    assert batch.job(job_id)["statusReason"].startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - ")
    batch.outbox.drain()
    assert [(kind, detail["jobId"]) for _, kind, detail in batch.control_plane.events] == [
        ("Batch Job Queue Blocked", job_id)
    ]
    batch.compute.largest_vcpus = 96
    batch.call("UpdateComputeEnvironment", computeEnvironment="ce", computeResources={"instanceTypes": ["m5.24xlarge"]})
    batch.service.dispatcher.dispatch()
    assert f"batch.{job_id}.1" in batch.compute.tasks
    assert "statusReason" not in batch.job(job_id)


def test_more_than_the_environment_may_have_is_its_own_reason(batch: Batch) -> None:
    batch.platform(resources={"maxvCpus": 2})
    job_id = batch.submit(containerOverrides={"resourceRequirements": [{"type": "VCPU", "value": "4"}]})
    assert batch.job(job_id)["statusReason"].startswith("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - ")


def test_time_limits_of_a_queue_cancel_what_is_stuck(batch: Batch) -> None:
    action = {
        "reason": "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", "state": "RUNNABLE", "maxTimeSeconds": 600,
        "action": "CANCEL",
    }  # fmt: skip
    batch.platform(queue={"jobStateTimeLimitActions": [action]})
    job_id = batch.submit(containerOverrides={"resourceRequirements": [{"type": "VCPU", "value": "32"}]})
    batch.now += 599
    assert batch.service.dispatcher.apply_time_limits() is True
    assert batch.status(job_id) == "RUNNABLE"
    batch.now += 1
    batch.service.dispatcher.apply_time_limits()
    job = batch.job(job_id)
    assert job["status"] == "FAILED"
    assert job["statusReason"] == (
        "Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
    )


def test_jobs_spill_over_to_the_next_environment(batch: Batch) -> None:
    batch.platform(resources={"maxvCpus": 2})
    create(batch, EC2, computeEnvironmentName="more")
    order = [{"order": 1, "computeEnvironment": "ce"}, {"order": 2, "computeEnvironment": "more"}]
    batch.call("UpdateJobQueue", jobQueue="q", computeEnvironmentOrder=order)
    batch.submit(arrayProperties={"size": 12})
    names = [task.env["AWS_BATCH_CE_NAME"] for task in batch.compute.tasks.values()]
    assert (names.count("ce"), names.count("more")) == (4, 8)


def test_definitions_have_revisions(batch: Batch) -> None:
    assert [batch.define("d").rpartition(":")[2] for _ in range(3)] == ["1", "2", "3"]
    batch.call("DeregisterJobDefinition", jobDefinition="d:2")
    active = batch.call("DescribeJobDefinitions", jobDefinitionName="d", status="ACTIVE")["jobDefinitions"]
    assert [entry["revision"] for entry in active] == [1, 3]
    [second] = batch.call("DescribeJobDefinitions", jobDefinitions=["d:2"])["jobDefinitions"]
    assert second["status"] == "INACTIVE"


def test_the_newest_active_revision_is_meant_by_the_name(batch: Batch) -> None:
    batch.platform()
    batch.define("d")
    assert batch.job(batch.submit())["jobDefinition"].endswith(":2")
    batch.call("DeregisterJobDefinition", jobDefinition="d:2")
    assert batch.job(batch.submit())["jobDefinition"].endswith(":1")


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"image": ""}, "must include an image"),
        ({"resourceRequirements": [RESOURCES[0]]}, "of type MEMORY"),
        ({"resourceRequirements": [{"type": "VCPU", "value": "x"}, RESOURCES[1]]}, "'x' is not a number"),
        ({"resourceRequirements": [{"type": "VCPU", "value": "0.5"}, RESOURCES[1]]}, "whole number on EC2"),
        (
            {"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]},
            "does not implement the member 'containerProperties.volumes.efsVolumeConfiguration'",
        ),
        ({"privileged": True}, "does not implement the member 'containerProperties.privileged'"),
        ({"linuxParameters": {"devices": [{"hostPath": "/dev/fuse"}]}}, "linuxParameters.devices"),
        ({"mountPoints": [{"sourceVolume": "v", "containerPath": "/data"}]}, "Unknown volume 'v'."),
        ({"mountPoints": [{"containerPath": "/data"}]}, "Unknown volume 'null'."),
        (
            {"volumes": [{"name": "v", "host": {"sourcePath": "/var/run/docker.sock"}}]},
            "the volume 'v' with the sourcePath /var/run/docker.sock: an instance of the twin has an empty disk",
        ),
        ({"volumes": [{"name": "v", "host": {"sourcePath": "/data/../etc/ssl"}}]}, "does not implement the volume 'v'"),
        ({"volumes": [{"name": "v", "host": {"sourcePath": "//"}}]}, "does not implement the volume 'v'"),
        (
            {"volumes": [{"name": "v"}], "mountPoints": [{"sourceVolume": "v", "containerPath": "/tmp/../dev/nvme0"}]},
            "does not implement the containerPath /dev/nvme0",
        ),
        (
            {"linuxParameters": {"tmpfs": [{"containerPath": "/proc", "size": 1}]}},
            "does not implement the containerPath /proc",
        ),
        ({"secrets": [{"name": "S", "valueFrom": "arn"}]}, "secrets"),
        ({"logConfiguration": {"logDriver": "splunk"}}, "logDriver 'splunk'"),
        ({"environment": [{"name": "AWS_BATCH_JOB_ID", "value": "x"}]}, 'cannot start with "AWS_BATCH"'),
        ({"jobRoleArn": "arn:aws:iam::000000000000:role/missing"}, "does not exist"),
    ],
)
def test_wrong_containers_are_refused(batch: Batch, container: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match=message) as error:
        batch.define("d", container=container)
    assert error.value.code == "ClientException"


@pytest.mark.parametrize(
    ("vcpus", "memory", "message"),
    [("3", "8192", r"VCPU 3\) are not valid"), ("0.25", "4096", "MEMORY is one of 512, 1024, 2048")],
)
def test_fargate_has_its_own_sizes(batch: Batch, vcpus: str, memory: str, message: str) -> None:
    requirements = [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]
    container = {"resourceRequirements": requirements, "executionRoleArn": "arn:aws:iam::000000000000:role/exec"}
    with pytest.raises(ApiError, match=message):
        batch.define("d", container=container, platformCapabilities=["FARGATE"])


def test_fargate_wants_an_execution_role_and_a_fargate_queue(batch: Batch) -> None:
    requirements = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
    with pytest.raises(ApiError, match="executionRoleArn is required"):
        batch.define("f", container={"resourceRequirements": requirements}, platformCapabilities=["FARGATE"])
    role = {"executionRoleArn": "arn:aws:iam::000000000000:role/exec"}
    batch.define("f", container={"resourceRequirements": requirements, **role}, platformCapabilities=["FARGATE"])
    batch.platform()
    with pytest.raises(ApiError, match="platform capabilities FARGATE"):
        batch.submit(jobDefinition="f")
    create(batch, FARGATE, computeEnvironmentName="fargate")
    order = [{"order": 1, "computeEnvironment": "fargate"}]
    batch.call("CreateJobQueue", jobQueueName="fq", priority=1, computeEnvironmentOrder=order)
    job_id = batch.submit(jobQueue="fq", jobDefinition="f")
    assert batch.compute.tasks[f"batch.{job_id}.1"].vcpus == 0.25


@pytest.mark.parametrize("kind", ["multinode"])
def test_other_types_of_definition_are_refused_by_name(batch: Batch, kind: str) -> None:
    with pytest.raises(ApiError, match="multinode"):
        batch.call("RegisterJobDefinition", jobDefinitionName="d", type=kind)


def test_tags(batch: Batch) -> None:
    batch.platform()
    arn = batch.define("tagged", tags={"a": "1", "b": "2"})
    batch.call("TagResource", resourceArn=arn, tags={"b": "3", "c": "4"})
    batch.call("UntagResource", resourceArn=arn, tagKeys=["a"])
    assert batch.call("ListTagsForResource", resourceArn=arn)["tags"] == {"b": "3", "c": "4"}
    with pytest.raises(ApiError, match="does not exist"):
        batch.call("ListTagsForResource", resourceArn=arn.replace("tagged", "other"))


@pytest.mark.parametrize("kind", ["VCPU", "MEMORY", "GPU"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "many"])
def test_a_resource_that_is_no_number_is_refused(batch: Batch, kind: str, value: str) -> None:
    others = [each for each in RESOURCES if each["type"] != kind]
    container = {"image": "i", "resourceRequirements": [*others, {"type": kind, "value": value}]}
    with pytest.raises(ApiError, match=f"ClientException: resourceRequirements {kind} '{value}' is not a number"):
        batch.call("RegisterJobDefinition", jobDefinitionName="n", type="container", containerProperties=container)


@pytest.mark.parametrize("digits", [25, 6000])
def test_a_revision_of_many_digits_is_one_that_is_not_there(batch: Batch, digits: int) -> None:
    batch.platform()
    name = f"d:{'9' * digits}"
    with pytest.raises(ApiError, match=r"ClientException: JobDefinition d:9+ not found"):
        batch.call("SubmitJob", jobName="n", jobQueue="q", jobDefinition=name)
    assert batch.call("DescribeJobDefinitions", jobDefinitions=[name])["jobDefinitions"] == []


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("BEFORE_CREATED_AT", "9" * 30, 1),
        ("BEFORE_CREATED_AT", "-" + "9" * 30, 0),
        ("AFTER_CREATED_AT", "9" * 30, 0),
        ("AFTER_CREATED_AT", "-" + "9" * 30, 1),
    ],
)
def test_jobs_are_listed_by_any_moment(batch: Batch, name: str, value: str, found: int) -> None:
    batch.platform()
    batch.submit()
    assert (
        len(batch.call("ListJobs", jobQueue="q", filters=[{"name": name, "values": [value]}])["jobSummaryList"])
        == found
    )

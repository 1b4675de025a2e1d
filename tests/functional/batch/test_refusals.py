"""What Batch ignores, refuses or fails, by boto3 on a real twin."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.batch.test_jobs import Platform
from trainworks.testing import TestTwin


@pytest.fixture(scope="module")
def platform(twin: TestTwin) -> Iterator[Platform]:
    made = Platform(twin)
    yield made
    made.delete()


def test_older_members_of_overrides_change_no_resource_requirements(platform: Platform) -> None:
    job = platform.ended(platform.submit(["true"], containerOverrides={"vcpus": 2, "memory": 512}))
    found = {each["type"]: each["value"] for each in job["container"]["resourceRequirements"]}
    assert found == {"VCPU": "1", "MEMORY": "128"}
    newer = [{"type": "MEMORY", "value": "256"}]
    job = platform.ended(platform.submit(["true"], containerOverrides={"memory": 512, "resourceRequirements": newer}))
    found = {each["type"]: each["value"] for each in job["container"]["resourceRequirements"]}
    assert found == {"VCPU": "1", "MEMORY": "256"}


def test_older_members_of_overrides_change_those_of_a_definition(platform: Platform) -> None:
    older = {"image": "python:3", "command": ["true"], "vcpus": 1, "memory": 128}
    definition = platform.batch.register_job_definition(
        jobDefinitionName=f"{platform.name}-older", type="container", containerProperties=older
    )["jobDefinitionArn"]
    job = platform.batch.submit_job(
        jobName="job", jobQueue=platform.name, jobDefinition=definition, containerOverrides={"vcpus": 2}
    )
    found = {each["type"]: each["value"] for each in platform.ended(job["jobId"])["container"]["resourceRequirements"]}
    assert found == {"VCPU": "2", "MEMORY": "128"}


def test_actions_of_a_retry_strategy_in_any_case(platform: Platform) -> None:
    rules = [{"action": "retry", "onExitCode": "3"}, {"action": "Exit", "onReason": "*"}]
    job = platform.ended(
        platform.submit(["sh", "-c", "exit 3"], retryStrategy={"attempts": 2, "evaluateOnExit": rules})
    )
    assert len(job["attempts"]) == 2
    assert [rule["action"] for rule in job["retryStrategy"]["evaluateOnExit"]] == ["retry", "Exit"]
    with pytest.raises(ClientError, match="enum value set"):
        platform.submit(
            ["true"], retryStrategy={"attempts": 1, "evaluateOnExit": [{"action": "again", "onReason": "*"}]}
        )


def test_overrides_that_ecs_does_not_take_fail_the_job(platform: Platform) -> None:
    fits = platform.submit(["true"], containerOverrides={"command": ["echo", "x" * 8000]})
    overrides = {"environment": [{"name": "A", "value": "x" * 5000}], "command": ["echo", "y" * 5000]}
    job = platform.ended(platform.submit(["true"], containerOverrides=overrides))
    assert job["status"] == "FAILED"
    reason = job["statusReason"] + job["attempts"][0]["container"].get("reason", "")
    assert "Container Overrides length must be at most 8192" in reason
    assert platform.ended(fits)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("operation", ["cancel_job", "terminate_job"])
def test_ending_a_job_that_nobody_knows_succeeds(platform: Platform, operation: str) -> None:
    answer = getattr(platform.batch, operation)(jobId=str(uuid.uuid4()), reason="gone")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_definitions_are_described_with_their_empty_lists(platform: Platform) -> None:
    name = f"{platform.name}-bare"
    platform.batch.register_job_definition(
        jobDefinitionName=name, type="container", containerProperties={"image": "python:3", "vcpus": 1, "memory": 128}
    )
    (found,) = platform.batch.describe_job_definitions(jobDefinitionName=name)["jobDefinitions"]
    assert found["parameters"] == {}
    lists = ("command", "environment", "mountPoints", "resourceRequirements", "secrets", "ulimits", "volumes")
    assert {member: found["containerProperties"][member] for member in lists} == {member: [] for member in lists}


ARM = {"instanceTypes": ["m5.large", "m6g.large"]}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (ARM, "share an architecture"),
        ({"instanceRole": "arn:aws:iam::000000000000:role/hosts"}, "ECS Instance Profile ARN"),
    ],
)
def test_compute_resources_that_are_refused(twin: TestTwin, change: dict[str, Any], part: str) -> None:
    with pytest.raises(ClientError, match=part):
        _create(twin, **change)


def test_what_batch_finds_out_makes_an_environment_invalid(twin: TestTwin) -> None:
    group = twin.client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
    template = twin.client("ec2").create_launch_template(
        LaunchTemplateName=f"lt-{uuid.uuid4().hex[:8]}",
        LaunchTemplateData={"NetworkInterfaces": [{"DeviceIndex": 0, "Groups": [group]}]},
    )["LaunchTemplate"]["LaunchTemplateId"]
    launched = {"launchTemplateId": template, "version": "$Latest"}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"instanceRole": "nobody-made-this"}, "Invalid IamInstanceProfile"),
        ({"launchTemplate": {"launchTemplateId": "lt-00000000000000000"}}, "does not exist"),
        ({"launchTemplate": {**launched, "version": "7"}}, "version 7, does not exist"),
        ({"launchTemplate": launched, "securityGroupIds": [group]}, "exclusively allowed"),
        ({"launchTemplate": launched}, ""),
    ]
    for change, part in cases:
        found = _create(twin, **change)
        assert found["status"] == ("INVALID" if part else "VALID"), (change, found["statusReason"])
        assert part in found["statusReason"]


def _create(twin: TestTwin, **change: Any) -> Any:
    batch, name = twin.client("batch"), f"ce-{uuid.uuid4().hex[:8]}"
    twin.client("iam").create_instance_profile(InstanceProfileName=name)
    resources = {
        "type": "EC2", "maxvCpus": 8, "instanceTypes": ["m5.large"], "instanceRole": name,
        "subnets": [twin.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]], **change,
    }  # fmt: skip
    batch.create_compute_environment(computeEnvironmentName=name, type="MANAGED", computeResources=resources)
    return batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"][0]

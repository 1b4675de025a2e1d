from __future__ import annotations

from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, only
from trainworks.preflight.rules.batch_refusal import RULE, find
from trainworks.preflight.settings import CheckSettings

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def _platform() -> Draft:
    compute = {
        "Type": "EC2", "MaxvCpus": 8, "InstanceTypes": ["m5.large"], "Subnets": ["subnet-1"],
        "SecurityGroupIds": ["sg-1"], "InstanceRole": {"Fn::GetAtt": ["Profile", "Arn"]},
        "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}, "Version": "$Latest"},
    }  # fmt: skip
    container = {"Image": "python:3", "Vcpus": 1, "Memory": 128, "Environment": [{"Name": "A", "Value": "b"}]}
    return draft_of({
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
        "Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "Role"}]}},
        "Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {"ImageId": "ami-1"}}},
        "Ce": {
            "Type": "AWS::Batch::ComputeEnvironment",
            "Properties": {"Type": "MANAGED", "ComputeResources": compute},
        },
        "Job": {
            "Type": "AWS::Batch::JobDefinition",
            "Properties": {
                "Type": "container", "ContainerProperties": container, "Timeout": {"AttemptDurationSeconds": 60},
                "RetryStrategy": {"Attempts": 2, "EvaluateOnExit": [{"Action": "exit", "OnReason": "*"}]},
            },
        },
    })  # fmt: skip


def test_a_platform_that_batch_takes() -> None:
    assert list(find(_platform().graph(), CheckSettings())) == []


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"InstanceRole": {"Fn::GetAtt": ["Role", "Arn"]}}, "Instance Profile ARN"),
        ({"InstanceRole": {"Ref": "Role"}}, "Instance Profile ARN"),
        ({"InstanceTypes": ["m5.large", "m6g.large"]}, "share an architecture"),
        ({"AllocationStrategy": "SPOT_CAPACITY_OPTIMIZED"}, "SPOT"),
    ],
)
def test_environments_that_batch_refuses(change: dict[str, Any], part: str) -> None:
    draft = _platform()
    draft.properties("Ce")["ComputeResources"] |= change
    (found,) = only(draft, RULE)
    assert found.is_error
    assert found.place == "Ce"
    assert part in found.message


def test_groups_in_two_places() -> None:
    draft = _platform()
    draft.properties("Template")["LaunchTemplateData"]["NetworkInterfaces"] = [{"DeviceIndex": 0, "Groups": ["sg-1"]}]
    (found,) = only(draft, RULE)
    assert "exclusively allowed" in found.message
    del draft.properties("Ce")["ComputeResources"]["SecurityGroupIds"]
    assert list(find(draft.graph(), CheckSettings())) == []


@pytest.mark.parametrize(
    ("member", "value", "part"),
    [
        ("RetryStrategy", {"Attempts": 11}, "attempts"),
        ("RetryStrategy", {"EvaluateOnExit": [{"Action": "EXIT", "OnReason": "*"}]}, "must be specified"),
        ("Timeout", {"AttemptDurationSeconds": 30}, "at least 60"),
        ("ContainerProperties", {"Image": "a", "Environment": [{"Name": "AWS_BATCH_X"}]}, "AWS_BATCH"),
    ],
)
def test_definitions_that_batch_refuses(member: str, value: dict[str, Any], part: str) -> None:
    draft = _platform()
    draft.properties("Job")[member] = value
    (found,) = only(draft, RULE)
    assert found.place == "Job"
    assert part in found.message


def test_volumes_that_batch_refuses() -> None:
    draft = _platform()
    container = draft.properties("Job")["ContainerProperties"]
    container |= {
        "Volumes": [{"Name": "data", "Host": {"SourcePath": {"Ref": "AWS::StackName"}}}, {"Name": "own"}],
        "MountPoints": [{"SourceVolume": "data", "ContainerPath": "/data", "ReadOnly": True}],
        "Ulimits": [{"Name": "nofile", "SoftLimit": "1024", "HardLimit": 65536}],
    }
    assert list(find(draft.graph(), CheckSettings())) == []
    container["MountPoints"].append({"SourceVolume": "scratch", "ContainerPath": "/scratch"})
    (found,) = only(draft, RULE)
    assert (found.is_error, found.place) == (True, "Job")
    assert "Unknown volume 'scratch'." in found.message

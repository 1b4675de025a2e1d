"""What CreateTrainingJob refuses, in AWS's words, and that nothing was made then."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.twin.services.sagemaker.doubles import request
from tests.unit.twin.services.sagemaker.harness import Harness, make
from trainworks.twin.ports import ApiError


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    """Not started: a request that is taken stays where it is."""
    made = make(tmp_path)
    yield made
    made.database.close()


def refusal(harness: Harness, **members: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        harness.call("CreateTrainingJob", **request(**members))
    assert harness.call("ListTrainingJobs")["TrainingJobSummaries"] == []
    return caught.value


ALGORITHM = {"TrainingImage": "image", "TrainingInputMode": "File"}
RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
SPOT = {"EnableManagedSpotTraining": True}


def channel(**members: Any) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train", **members.pop("source", {})}
    return {"ChannelName": "train", "DataSource": {"S3DataSource": source}, **members}


CASES: list[tuple[dict[str, Any], str]] = [
    (
        {**SPOT, "StoppingCondition": {"MaxRuntimeInSeconds": 10, "MaxWaitTimeInSeconds": 9}},
        "Invalid MaxWaitTimeInSeconds. It must be greater than or equal to MaxRuntimeInSeconds",
    ),
    ({**SPOT, "StoppingCondition": {"MaxRuntimeInSeconds": 10}}, "Invalid MaxWaitTimeInSeconds. It must be present"),
    (
        {"StoppingCondition": {"MaxRuntimeInSeconds": 10, "MaxWaitTimeInSeconds": 10}},
        "not allowed when EnableManagedSpotTraining is false",
    ),
    ({"ResourceConfig": {**RESOURCES, "InstanceType": "ml.m5.enormous"}}, "Member must satisfy enum value set"),
    ({"ResourceConfig": {**RESOURCES, "InstanceCount": 0}}, "InstanceCount 0 is not between 1 and"),
    ({"ResourceConfig": {**RESOURCES, "KeepAlivePeriodInSeconds": 60}}, "ResourceConfig.KeepAlivePeriodInSeconds"),
    (
        {"ResourceConfig": {**RESOURCES, "InstanceCount": 2}, "EnableNetworkIsolation": True},
        "does not implement EnableNetworkIsolation with an InstanceCount above 1",
    ),
    (
        {
            "ResourceConfig": {
                "InstanceGroups": [{"InstanceGroupName": "g", "InstanceType": "ml.m5.large", "InstanceCount": 1}]
            }
        },
        "ResourceConfig.InstanceGroups",
    ),
    (
        {"VpcConfig": {"Subnets": ["subnet-missing"], "SecurityGroupIds": ["sg-1"]}},
        "ID(s) 'subnet-missing' do not",
    ),
    (
        {"VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-missing"]}},
        "ID(s) 'sg-missing' do not exist",
    ),
    ({"AlgorithmSpecification": {**ALGORITHM, "TrainingImage": "missing"}}, "Fix: build it"),
    ({"AlgorithmSpecification": {**ALGORITHM, "TrainingInputMode": "Pipe"}}, "TrainingInputMode Pipe"),
    ({"AlgorithmSpecification": {"AlgorithmName": "a", "TrainingInputMode": "File"}}, "AlgorithmName"),
    (
        {"AlgorithmSpecification": {**ALGORITHM, "MetricDefinitions": [{"Name": "m", "Regex": "("}]}},
        "The regex of metric 'm' is invalid",
    ),
    (
        {"AlgorithmSpecification": {**ALGORITHM, "MetricDefinitions": [{"Name": "m", "Regex": "loss"}]}},
        "has no capture group",
    ),
    ({"InputDataConfig": [channel(), channel()]}, "the channel 'train' more than once"),
    ({"InputDataConfig": [channel(InputMode="Pipe")]}, "InputMode Pipe"),
    ({"InputDataConfig": [channel(source={"S3DataType": "AugmentedManifestFile"})]}, "AugmentedManifestFile"),
    ({"InputDataConfig": [channel(ShuffleConfig={"Seed": 1})]}, "ShuffleConfig"),
    ({"InputDataConfig": [channel(CompressionType="Gzip")]}, "for the Pipe input mode only"),
    ({"CheckpointConfig": {"S3Uri": "s3://models/c", "LocalPath": "/opt/ml/../etc"}}, "CheckpointConfig.LocalPath"),
    ({"CheckpointConfig": {"S3Uri": "s3://models/c", "LocalPath": "/opt/ml/model"}}, "CheckpointConfig.LocalPath"),
    ({"RemoteDebugConfig": {"EnableRemoteDebug": True}}, "RemoteDebugConfig.EnableRemoteDebug"),
    ({"TensorBoardOutputConfig": {"S3OutputPath": "s3://models/t"}}, "'TensorBoardOutputConfig'"),
    ({"ExperimentConfig": {"ExperimentName": "e"}}, "'ExperimentConfig'"),
    ({"RoleArn": "arn:aws:iam::000000000000:role/missing"}, "role/missing does not exist"),
    ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}, "Duplicate tag keys"),
    ({"OutputDataConfig": {"S3OutputPath": "models/output"}}, "at 'outputDataConfig.s3OutputPath'"),
]


@pytest.mark.parametrize(("members", "message"), CASES)
def test_a_wrong_request_is_refused(harness: Harness, members: dict[str, Any], message: str) -> None:
    error = refusal(harness, **members)
    assert error.code == "ValidationException"
    assert message in error.message


@pytest.mark.parametrize("action", ["sagemaker:CreateTrainingJob", "iam:PassRole", "sagemaker:AddTags"])
def test_what_the_caller_may_not_do(harness: Harness, action: str) -> None:
    harness.control_plane.denied = [(action, "")]
    error = refusal(harness, Tags=[{"Key": "team", "Value": "a"}])
    assert error.code == "AccessDeniedException"
    assert action in error.message


def test_the_condition_keys_of_create(harness: Harness) -> None:
    harness.call(
        "CreateTrainingJob",
        **request(
            VpcConfig={"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}, Tags=[{"Key": "team", "Value": "a"}]
        ),
    )
    _, action, resource = harness.control_plane.authorized[0]
    context = harness.control_plane.contexts[0]
    assert action == "sagemaker:CreateTrainingJob"
    assert resource == "arn:aws:sagemaker:us-east-1:000000000000:training-job/job-1"
    assert context["sagemaker:VpcSubnets"] == ["subnet-1"]
    assert context["sagemaker:InstanceTypes"] == ["ml.m5.large"]
    assert context["sagemaker:MaxRuntimeInSeconds"] == "600"
    assert context["aws:RequestTag/team"] == "a"


def test_a_name_is_used_once_in_a_region(harness: Harness) -> None:
    harness.call("CreateTrainingJob", **request())
    with pytest.raises(ApiError) as caught:
        harness.call("CreateTrainingJob", **request())
    assert caught.value.code == "ResourceInUse"


def test_recorded_members_are_described(harness: Harness) -> None:
    harness.call(
        "CreateTrainingJob",
        **request(
            ProfilerConfig={"DisableProfiler": True},
            DebugHookConfig={"S3OutputPath": "s3://models/debug"},
            RemoteDebugConfig={"EnableRemoteDebug": False},
            Environment={"A": "1"},
        ),
    )
    job = harness.describe()
    assert job["ProfilerConfig"] == {"DisableProfiler": True}
    assert job["DebugHookConfig"] == {"S3OutputPath": "s3://models/debug"}
    assert job["ProfilingStatus"] == "Disabled"
    assert job["Environment"] == {"A": "1"}


def test_a_job_that_is_not_there(harness: Harness) -> None:
    for operation in ("DescribeTrainingJob", "StopTrainingJob", "DeleteTrainingJob"):
        with pytest.raises(ApiError, match=r"Requested resource not found\."):
            harness.call(operation, TrainingJobName="nobody")


def test_tags(harness: Harness) -> None:
    harness.call("CreateTrainingJob", **request(Tags=[{"Key": "a", "Value": "1"}]))
    arn = harness.describe()["TrainingJobArn"]
    harness.call("AddTags", ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}])
    harness.call("DeleteTags", ResourceArn=arn, TagKeys=["b"])
    assert harness.call("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "2"}]
    harness.describe()
    keys = {"aws:ResourceTag/a": "2", "sagemaker:ResourceTag/a": "2"}
    assert harness.control_plane.authorized[-1][1:] == ("sagemaker:DescribeTrainingJob", arn)
    assert harness.control_plane.contexts[-1] == keys
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    with pytest.raises(ApiError, match="at most 50 tags"):
        harness.call("AddTags", ResourceArn=arn, Tags=many)
    endpoint = arn.replace("training-job", "pipeline")
    with pytest.raises(ApiError, match="only, not of arn:aws:sagemaker"):
        harness.call("ListTags", ResourceArn=endpoint)


def test_a_running_job_cannot_be_deleted(harness: Harness) -> None:
    harness.call("CreateTrainingJob", **request())
    with pytest.raises(ApiError) as caught:
        harness.call("DeleteTrainingJob", TrainingJobName="job-1")
    assert caught.value.code == "ResourceInUse"


def test_a_job_that_has_ended_is_deleted_when_its_clean_up_is_done(tmp_path: Path) -> None:
    """Its end is seen before its files are gone: who then deletes it waits for that, and is not refused."""
    harness = make(tmp_path)
    harness.call("CreateTrainingJob", **request())
    harness.call("StopTrainingJob", TrainingJobName="job-1")
    answers: list[object] = []
    deletes: list[threading.Thread] = []
    delete_pool = harness.compute.delete_pool

    def delete() -> None:
        try:
            answers.append(harness.call("DeleteTrainingJob", TrainingJobName="job-1"))
        except ApiError as error:
            answers.append(error)

    def in_the_middle_of_the_clean_up(pool_id: str) -> None:
        if not deletes:
            assert harness.describe()["TrainingJobStatus"] == "Stopped"
            deletes.append(threading.Thread(target=delete))
            deletes[0].start()
            deletes[0].join(0.2)
        delete_pool(pool_id)

    harness.compute.delete_pool = in_the_middle_of_the_clean_up
    harness.start()
    try:
        harness.until(lambda: answers, bool)
        assert answers == [{}]
        with pytest.raises(ApiError, match=r"Requested resource not found\."):
            harness.describe()
    finally:
        harness.stop()


def test_a_stop_before_the_start(harness: Harness) -> None:
    harness.call("CreateTrainingJob", **request())
    harness.call("StopTrainingJob", TrainingJobName="job-1")
    assert harness.describe()["TrainingJobStatus"] == "Stopping"
    harness.start()
    try:
        job = harness.wait("Stopped")
        assert harness.compute.tasks == {}
        with pytest.raises(ApiError, match="in status Stopped"):
            harness.call("StopTrainingJob", TrainingJobName="job-1")
        assert [each["Status"] for each in job["SecondaryStatusTransitions"]] == ["Starting", "Stopping", "Stopped"]
    finally:
        harness.service.stop()
        harness.shipper.stop()
        harness.outbox.stop()

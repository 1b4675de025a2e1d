"""Jobs of SageMaker, wherever a template writes their requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trainworks.assembly.graph import Unknown, graph_of_template, load_graph
from trainworks.aws.service_needs import WorkloadKind
from trainworks.preflight.workloads import TrainingJob, Workloads, workloads_of

REFERENCE = Path(__file__).parents[3] / "reference" / "cdk.out"
REQUEST = {
    "TrainingJobName": "x",
    "RoleArn": "arn:aws:iam::111111111111:role/train",
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": "7200"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeKmsKeyId": "volume"},
    "VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    "InputDataConfig": [{"DataSource": {"S3DataSource": {"S3Uri": "s3://data/in"}}}],
    "OutputDataConfig": {"S3OutputPath": "s3://models/out", "KmsKeyId": "output"},
    "CheckpointConfig": {"S3Uri": "s3://models/checkpoints"},
}


def _found(resources: dict[str, Any], **template: Any) -> Workloads:
    return workloads_of(graph_of_template({"Resources": resources, **template}))


def _machine(state: dict[str, Any], **properties: Any) -> dict[str, Any]:
    definition = {"StartAt": "Train", "States": {"Train": {"Type": "Task", "End": True, **state}}}
    return {
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"DefinitionString": json.dumps(definition), **properties},
        }
    }


def _check(job: TrainingJob) -> None:
    assert job.kind is WorkloadKind.TRAINING_JOB
    assert job.subnets == ("subnet-1",)
    assert job.security_groups == ("sg-1",)
    assert job.role_arn == REQUEST["RoleArn"]
    assert job.instance_types == ("ml.m5.xlarge",)
    assert job.instance_count == 2
    assert job.is_complete
    assert job.enable_managed_spot_training is True
    assert (job.max_runtime_seconds, job.max_wait_time_seconds) == (3600, 7200)
    assert job.checkpoint_s3_uri == "s3://models/checkpoints"
    assert job.input_s3_uris == ("s3://data/in",)
    assert job.output_s3_uri == "s3://models/out"
    assert (job.output_kms_key_id, job.volume_kms_key_id) == ("output", "volume")


@pytest.mark.parametrize(
    "service", ["states:::sagemaker:createTrainingJob", "states:::aws-sdk:sagemaker:createTrainingJob"]
)
@pytest.mark.parametrize("suffix", ["", ".sync"])
@pytest.mark.parametrize("member", ["Parameters", "Arguments"])
def test_state_machines(service: str, suffix: str, member: str) -> None:
    (job,) = _found(_machine({"Resource": f"arn:aws:{service}{suffix}", member: REQUEST})).training_jobs
    _check(job)
    assert job.path == "DefinitionString.States.Train"


def test_a_definition_that_is_no_text() -> None:
    definition = {
        "States": {"Train": {"Resource": "arn:aws:states:::sagemaker:createTrainingJob", "Parameters": REQUEST}}
    }
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"Definition": definition}}
    _check(_found({"Machine": machine}).training_jobs[0])


def test_pipelines() -> None:
    body = {"Version": "2020-12-01", "Steps": [{"Name": "Train", "Type": "Training", "Arguments": REQUEST}]}
    pipeline = {
        "Type": "AWS::SageMaker::Pipeline",
        "Properties": {"PipelineDefinition": {"PipelineDefinitionBody": json.dumps(body)}},
    }
    _check(_found({"Pipeline": pipeline}).training_jobs[0])


def test_outputs_and_parameters() -> None:
    text = json.dumps(REQUEST)
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Value": text}}
    found = _found({"P": parameter}, Outputs={"Config": {"Value": text}})
    assert [job.place for job in found.training_jobs] == ["P", "Config"]
    for job in found.training_jobs:
        _check(job)


def test_the_part_of_a_request_that_a_platform_decides() -> None:
    part = {key: REQUEST[key] for key in ("RoleArn", "EnableManagedSpotTraining", "VpcConfig")}
    topic = {"Type": "AWS::SNS::Topic", "Properties": {}}
    (job,) = _found({"T": topic}, Outputs={"Config": {"Value": json.dumps(part)}}).training_jobs
    assert not job.is_complete
    assert job.instance_count is None


def test_what_is_told_at_run_time_is_unknown() -> None:
    parameters = {
        "RoleArn.$": "$.role",
        "VpcConfig": {"Subnets.$": "$.subnets", "SecurityGroupIds": ["sg-1"]},
        "ResourceConfig": {"InstanceCount": "{% $count %}"},
        "OutputDataConfig": {"S3OutputPath": "s3://${Bucket}/${Unset}"},
        "CheckpointConfig": {"S3Uri": "s3://${Bucket}/checkpoints"},
    }
    task = {"Resource": "arn:aws:states:::sagemaker:createTrainingJob", "Parameters": parameters}
    (job,) = _found(_machine(task, DefinitionSubstitutions={"Bucket": "models"})).training_jobs
    assert isinstance(job.role_arn, Unknown)
    assert job.subnets is not None
    assert [isinstance(each, Unknown) for each in job.subnets] == [True]
    assert isinstance(job.instance_count, Unknown)
    assert isinstance(job.output_s3_uri, Unknown)
    assert job.checkpoint_s3_uri == "s3://models/checkpoints"


def test_processing_jobs_are_told_apart() -> None:
    request = {
        "RoleArn": "role",
        "AppSpecification": {"ImageUri": "image"},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 3, "InstanceType": "ml.m5.large"}},
        "NetworkConfig": {"VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    task = {"Resource": "arn:aws:states:::sagemaker:createProcessingJob.sync", "Parameters": request}
    found = _found(_machine(task))
    (job,) = found.processing_jobs
    assert found.training_jobs == ()
    assert job.kind is WorkloadKind.PROCESSING_JOB
    assert (job.subnets, job.instance_count) == (("subnet-1",), 3)


@pytest.mark.parametrize(
    "value",
    [
        {"VpcConfig": {"Subnets": ["subnet-1"]}},
        {"RoleArn": "r", "AppSpecification": {}, "StoppingCondition": {}},
        {"widgets": [{"type": "metric", "properties": {"metrics": []}}]},
        {"RoleArn": "r", "Name": "x"},
    ],
)
def test_what_is_no_training_job(value: dict[str, Any]) -> None:
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Value": json.dumps(value)}}
    assert _found({"P": parameter}).training_jobs == ()


def test_the_settings_of_the_reference() -> None:
    (job,) = workloads_of(load_graph(REFERENCE)).training_jobs
    assert job.subnets == ()
    assert set(job.misplaced) == {"MaxRuntimeInSeconds", "MaxWaitTimeInSeconds"}
    assert job.checkpoint_s3_uri == ""

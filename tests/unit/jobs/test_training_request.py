"""The `CreateTrainingJob` request that a spec and a platform become."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from trainworks.config.job import training_job_spec
from trainworks.errors import RequestError
from trainworks.jobs.outputs import PlatformOutputs
from trainworks.jobs.training import JobCode, spot_savings_percent, training_job_request

CONFIG = {
    "RoleArn": "arn:aws:iam::000000000000:role/training",
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
    "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]},
    "CheckpointConfig": {"S3Uri": "s3://models/checkpoints/"},
    "OutputDataConfig": {"S3OutputPath": "s3://models/output"},
}
OUTPUTS = PlatformOutputs(
    region="us-east-1",
    environment_suffix="dev",
    dataset_bucket="datasets",
    model_bucket="models",
    ecr_repository_uri="000000000000.dkr.ecr.us-east-1.amazonaws.com/images",
    job_queue_arn="arn:aws:batch:us-east-1:000000000000:job-queue/queue",
    job_definition_arn="arn:aws:batch:us-east-1:000000000000:job-definition/inference:1",
    batch_log_group="batch",
    training_log_group="/aws/sagemaker/TrainingJobs",
    training_job_config=CONFIG,
    resource_tags={"Platform": "trainworks-dev", "team": "platform"},
)


CODE = JobCode("train.py", "s3://models/code/1/sourcedir.tar.gz")


def request(code: JobCode | None = CODE, **values: Any) -> Any:
    spec = training_job_spec({"script": "train.py", **values}, Path())
    return training_job_request(spec, "job-1", OUTPUTS, {"training": "s3://datasets/datasets/digits/"}, code)


def test_it_is_what_the_api_accepts() -> None:
    made = request(
        metrics={"loss": "loss=(.*)"}, tags={"team": "a"}, environment={"A": 1}, hyperparameters={"epochs": 3}
    )
    shape = botocore.session.Session().get_service_model("sagemaker").operation_model("CreateTrainingJob").input_shape
    report = ParamValidator().validate(made, shape)
    assert not report.has_errors(), report.generate_report()


def test_the_platform_decides_role_network_and_places() -> None:
    made = request()
    assert made["RoleArn"] == CONFIG["RoleArn"]
    assert made["VpcConfig"] == CONFIG["VpcConfig"]
    assert made["OutputDataConfig"] == CONFIG["OutputDataConfig"]
    assert made["CheckpointConfig"] == {"S3Uri": "s3://models/checkpoints/job-1/"}
    assert made["EnableManagedSpotTraining"] is True


def test_script_mode_hyperparameters_are_json() -> None:
    made = request(hyperparameters={"epochs": 3, "rate": 0.5, "name": "3", "on": True})["HyperParameters"]
    assert {key: json.loads(value) for key, value in made.items()} == {
        "epochs": 3,
        "rate": 0.5,
        "name": "3",
        "on": True,
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": "s3://models/code/1/sourcedir.tar.gz",
        "sagemaker_region": "us-east-1",
    }


def test_code_that_comes_as_a_channel_is_started_by_what_lies_beside_it() -> None:
    made = request(replace(CODE, is_channel=True, starter="start-1.py"))
    [_, channel] = made["InputDataConfig"]
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == "s3://models/code/1/"
    folder = f"/opt/ml/input/data/{channel['ChannelName']}"
    assert made["AlgorithmSpecification"]["ContainerEntrypoint"] == ["python3", f"{folder}/start-1.py"]
    assert json.loads(made["HyperParameters"]["sagemaker_submit_directory"]) == f"{folder}/sourcedir.tar.gz"
    assert "ContainerEntrypoint" not in request(replace(CODE, is_channel=True))["AlgorithmSpecification"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}),
        ({"max_runtime_seconds": 9000}, {"MaxRuntimeInSeconds": 9000, "MaxWaitTimeInSeconds": 9000}),
        ({"max_wait_seconds": 4000}, {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 4000}),
        ({"spot": False}, {"MaxRuntimeInSeconds": 3600}),
    ],
)
def test_run_and_wait_times(values: dict[str, Any], expected: dict[str, int]) -> None:
    assert request(**values)["StoppingCondition"] == expected


def test_a_wait_time_below_the_platforms_run_time_is_refused() -> None:
    with pytest.raises(RequestError, match=r"max_wait_seconds \(60\) is below max_runtime_seconds \(3600\)"):
        request(max_wait_seconds=60)


def test_checkpoints_can_be_left_out_or_kept_elsewhere() -> None:
    assert "CheckpointConfig" not in request(checkpoints=False)
    assert request(checkpoints="s3://models/checkpoints/old")["CheckpointConfig"]["S3Uri"].endswith("/old")


@pytest.mark.parametrize(
    ("training", "billable", "percent"), [(100, 30, 70.0), (100, 100, 0.0), (0, 0, None), (9, None, None)]
)
def test_spot_savings(training: int, billable: int | None, percent: float | None) -> None:
    assert spot_savings_percent(training, billable) == percent


def test_a_job_is_tagged_as_the_platforms_and_as_the_spec_says() -> None:
    made = {tag["Key"]: tag["Value"] for tag in request(tags={"team": "vision"})["Tags"]}
    assert made == {"Platform": "trainworks-dev", "team": "vision"}

"""A training job by the SageMaker Python SDK: train with its log shown, find the job again, read its model.

    eval "$(trainworks env)" && python examples/sagemaker_sdk/job.py [STACK]

The same file runs on an account. Role, bucket and network are outputs of the platform's root stack.
"""

import io
import json
import logging
import sys
import tarfile
import tempfile
from pathlib import Path

import boto3
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import TrainingJob
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import (
    Compute,
    InputData,
    MetricDefinition,
    Networking,
    SourceCode,
    StoppingCondition,
    Tag,
)

SOURCE = Path(__file__).with_name("source")


def main(stack: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # the SDK shows a job's log by `logging`
    outputs = read_outputs(stack)
    trainer = make_trainer(outputs)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "points.csv")
        data.write_text("".join(f"{x / 10},{3 * x / 10 + 1}\n" for x in range(20)))
        trainer.train([InputData(channel_name="train", data_source=str(data))], wait=True, logs=True)
    # A job is found again by its name, from any process.
    job = TrainingJob.get(trainer._latest_training_job.training_job_name)
    listed = TrainingJob.get_all(name_contains="sdk-line", sort_by="CreationTime", sort_order="Descending")
    told = {
        "name": job.training_job_name,
        "status": job.training_job_status,
        "newest": next(iter(listed)).training_job_name,
        "losses": [each.value for each in job.final_metric_data_list],
        "model": read_model(job.model_artifacts.s3_model_artifacts),
    }
    print(json.dumps(told))


def read_outputs(stack: str) -> dict[str, str]:
    (found,) = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}


def make_trainer(outputs: dict[str, str]) -> ModelTrainer:
    # With a bucket the SDK asks STS for no account, which it would do at STS's public host. The role may write below
    # output/ alone.
    session = Session(default_bucket=outputs["ModelBucketName"], default_bucket_prefix="output")
    trainer = ModelTrainer(
        sagemaker_session=session,
        role=outputs["TrainingRoleArn"],
        base_job_name="sdk-line",
        training_image=image_uris.retrieve("sklearn", session.boto_region_name, "1.4-2"),
        source_code=SourceCode(source_dir=str(SOURCE), entry_script="train.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=5),
        networking=Networking(
            subnets=outputs["PrivateSubnetIds"].split(","), security_group_ids=[outputs["TrainingSecurityGroupId"]]
        ),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
        hyperparameters={"steps": 50, "rate": 0.2},
        tags=[Tag(key=key, value=value) for key, value in json.loads(outputs["ResourceTags"]).items()],
    )
    return trainer.with_metric_definitions([MetricDefinition(name="loss", regex="loss=([0-9.]+)")])


def read_model(uri: str) -> str:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return tar.extractfile("line.txt").read().decode().strip()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "trainworks-dev")

"""A training job by boto3 alone: create, wait, describe, read its log and its metrics.

    eval "$(trainworks env)" && python examples/boto3/job.py

Nothing of trainworks is imported. Against an account the same calls need an existing role, bucket and image.
"""

import io
import json
import tarfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
NAME = f"boto3-{time.strftime('%H%M%S')}-{time.time_ns() % 1_000_000}"


def main() -> None:
    account = boto3.client("sts").get_caller_identity()["Account"]
    bucket = f"{NAME}-{account}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    upload_code(bucket)
    role = create_role(bucket)
    create_job(bucket, role)
    sagemaker = boto3.client("sagemaker")
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    job = sagemaker.describe_training_job(TrainingJobName=NAME)
    print(
        json.dumps(
            {
                "name": NAME,
                "status": job["TrainingJobStatus"],
                "statuses": [each["Status"] for each in job["SecondaryStatusTransitions"]],
                "model": read_model(job["ModelArtifacts"]["S3ModelArtifacts"]),
                "final_metrics": {each["MetricName"]: each["Value"] for each in job["FinalMetricDataList"]},
                "log": read_log(),
                "losses_in_cloudwatch": read_losses(),
            }
        )
    )


def upload_code(bucket: str) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(Path(__file__).with_name("train.py"), "train.py")
    boto3.client("s3").put_object(Bucket=bucket, Key="code/sourcedir.tar.gz", Body=archive.getvalue())


def create_role(bucket: str) -> str:
    """A role for this job alone: its own bucket, its log group, its metrics."""
    iam = boto3.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(policy(trust)))["Role"]["Arn"]
    statements = [
        allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/*"),
        allow(["s3:ListBucket"], f"arn:aws:s3:::{bucket}"),
        allow(
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            f"arn:aws:logs:*:*:log-group:{LOG_GROUP}*",
        ),
        allow(["cloudwatch:PutMetricData"], "*"),
    ]
    iam.put_role_policy(RoleName=NAME, PolicyName="job", PolicyDocument=json.dumps(policy(*statements)))
    return role


def policy(*statements: dict) -> dict:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions: list[str], resource: str) -> dict:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def create_job(bucket: str, role: str) -> None:
    program = {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": f"s3://{bucket}/code/sourcedir.tar.gz",
    }
    boto3.client("sagemaker").create_training_job(
        TrainingJobName=NAME,
        RoleArn=role,
        AlgorithmSpecification={
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
        },
        HyperParameters={key: json.dumps(value) for key, value in program.items()},
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/output"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        StoppingCondition={"MaxRuntimeInSeconds": 300},
    )


def read_model(uri: str) -> str:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return tar.extractfile("line.txt").read().decode().strip()


def read_log() -> list[str]:
    events = boto3.client("logs").filter_log_events(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{NAME}/")["events"]
    return [each["message"] for each in events]


def read_losses() -> int:
    """How many values of the metric `loss` CloudWatch has of this job."""
    now = datetime.now(UTC)
    points = boto3.client("cloudwatch").get_metric_statistics(
        Namespace="/aws/sagemaker/TrainingJobs",
        MetricName="loss",
        Dimensions=[{"Name": "TrainingJobName", "Value": NAME}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["SampleCount"],
    )["Datapoints"]
    return int(sum(point["SampleCount"] for point in points))


if __name__ == "__main__":
    main()

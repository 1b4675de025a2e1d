"""Whoever is told that a job ended finds its last lines and metrics, whichever way he was told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.functional.batch.test_jobs import Platform
from tests.functional.twin.test_events import queue
from tests.patience import PATIENCE_SECONDS

from trainworks.testing import TestTwin
from trainworks.twin.home import ACCOUNT_ID

SIZE = 50
COMMAND = ["/bin/sh", "-c", "echo first; sleep 0.$((AWS_BATCH_JOB_ARRAY_INDEX % 5)); printf 'last line'"]


@pytest.fixture
def platform(twin: TestTwin) -> Iterator[Platform]:
    made = Platform(twin)
    yield made
    made.delete()


def lines(twin: TestTwin, group: str, stream: str) -> list[str]:
    events = twin.client("logs").get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
    return [event["message"] for event in events]


def test_fifty_jobs_at_once_have_their_last_lines_when_they_are_listed_as_ended(platform: Platform) -> None:
    parent = platform.submit(COMMAND, arrayProperties={"size": SIZE})
    seen: set[str] = set()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(seen) < SIZE and time.monotonic() < deadline:
        listed = platform.batch.list_jobs(arrayJobId=parent, jobStatus="SUCCEEDED")["jobSummaryList"]
        for job_id in {job["jobId"] for job in listed} - seen:
            seen.add(job_id)
            stream = platform.job(job_id)["container"]["logStreamName"]
            assert lines(platform.twin, "/aws/batch/job", stream)[-2:] == ["first", "last line"]
    assert len(seen) == SIZE


def test_an_event_of_a_jobs_end_comes_after_its_last_lines(platform: Platform) -> None:
    twin, name = platform.twin, f"{platform.name}-ends"
    url, arn = queue(twin, name)
    events = twin.client("events")
    pattern = {"source": ["aws.batch"], "detail": {"status": ["SUCCEEDED", "FAILED"]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    script = "import sys, time; time.sleep(0.3); print('x' * 5000); sys.exit({})"
    wanted = {platform.submit(["python3", "-c", script.format(code)]) for code in (0, 3)}
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while wanted and time.monotonic() < deadline:
            answer = twin.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                job = json.loads(message["Body"])["detail"]
                if job["jobId"] in wanted:
                    wanted.discard(job["jobId"])
                    assert lines(twin, "/aws/batch/job", job["container"]["logStreamName"])[-1] == "x" * 5000
        assert not wanted
    finally:
        events.remove_targets(Rule=name, Ids=["queue"])
        events.delete_rule(Name=name)


def test_training_jobs_have_their_last_lines_and_metrics_when_they_are_completed(twin: TestTwin) -> None:
    names = [f"last-lines-{number}" for number in range(4)]
    for name in names:
        train(twin, name)
    sagemaker, cloudwatch = twin.client("sagemaker"), twin.client("cloudwatch")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while names and time.monotonic() < deadline:
        for name in list(names):
            job = sagemaker.describe_training_job(TrainingJobName=name)
            if job["TrainingJobStatus"] == "InProgress":
                continue
            names.remove(name)
            assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
            assert [(each["MetricName"], each["Value"]) for each in job["FinalMetricDataList"]] == [("loss", 9.0)]
            group = "/aws/sagemaker/TrainingJobs"
            (stream,) = twin.client("logs").describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")[
                "logStreams"
            ]
            assert lines(twin, group, stream["logStreamName"])[-1] == "loss=9"
            (point,) = cloudwatch.get_metric_statistics(
                Namespace=group, MetricName="loss", Dimensions=[{"Name": "TrainingJobName", "Value": name}],
                StartTime=time.time() - 3600, EndTime=time.time() + 60, Period=86400, Statistics=["SampleCount"],
            )["Datapoints"]  # fmt: skip
            assert point["SampleCount"] == 10.0
    assert not names


def train(twin: TestTwin, name: str) -> None:
    """A job whose ten values of `loss` are its output; the last of them is its last word."""
    role = training_role(twin)
    twin.client("sagemaker").create_training_job(
        TrainingJobName=name,
        RoleArn=role,
        AlgorithmSpecification={
            "TrainingImage": "python:3", "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "-c"],
            "ContainerArguments": ["for number in range(10): print(f'loss={number}', flush=True)"],
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9]+)"}],
        },
        OutputDataConfig={"S3OutputPath": "s3://last-lines/output"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )  # fmt: skip


def training_role(twin: TestTwin) -> str:
    """A role that may do what a training job has to; made once, with the bucket for the output."""
    iam, name = twin.client("iam"), "last-lines"
    arn = f"arn:aws:iam::{ACCOUNT_ID}:role/{name}"
    try:
        iam.get_role(RoleName=name)
    except iam.exceptions.NoSuchEntityException:
        statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document({**statement, "Action": "sts:AssumeRole"}))
        allowed = {"Effect": "Allow", "Action": ["s3:*", "logs:*", "cloudwatch:PutMetricData"], "Resource": "*"}
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(allowed))
        twin.client("s3").create_bucket(Bucket=name)
    return arn


def document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

"""A plain boto3 client against a running twin: nothing of trainworks is imported by what a user would write."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError, WaiterError

from tests.functional.twin.test_events import queue
from tests.patience import PATIENCE_SECONDS
from tests.unit.twin.services.sagemaker.doubles import archive
from trainworks.testing import TestTwin

SCRIPT = """
import os, sys, time
import boto3
print("who", boto3.client("sts").get_caller_identity()["Arn"], flush=True)
folder = "/opt/ml/checkpoints"
os.makedirs(folder, exist_ok=True)
done = len(os.listdir(folder))
print("from", done, flush=True)
for epoch in range(done, int(os.environ["SM_HP_EPOCHS"])):
    if done == 0 and epoch == int(os.environ.get("SM_HP_HELD_AT", -1)):
        time.sleep(600)  # until it is interrupted
    time.sleep(0.25)
    open(f"{folder}/epoch-{epoch}", "w").write("x")
    print(f"epoch {epoch} loss: {1 / (epoch + 1)}", flush=True)
open(os.environ["SM_MODEL_DIR"] + "/model", "w").write(open(os.environ["SM_CHANNEL_TRAIN"] + "/a").read())
"""
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"


@dataclass
class Platform:
    """One role and two buckets of a test's own on a twin."""

    twin: TestTwin
    role_arn: str
    data: str
    models: str
    name: str

    def client(self, service: str) -> Any:
        return self.twin.client(service)

    def request(self, epochs: int = 2, **members: Any) -> dict[str, Any]:
        return {
            "TrainingJobName": self.name,
            "RoleArn": self.role_arn,
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss: ([0-9.]+)"}],
            },
            "HyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": f"s3://{self.models}/code/sourcedir.tar.gz",
                "epochs": str(epochs),
            },
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.data}/train/"}},
                }
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.models}/output"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            **members,
        }

    def spot_request(self, epochs: int) -> dict[str, Any]:
        return self.request(
            epochs,
            EnableManagedSpotTraining=True,
            StoppingCondition={"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600},
            CheckpointConfig={"S3Uri": f"s3://{self.models}/checkpoints/{self.name}"},
        )

    def wait(self) -> dict[str, Any]:
        sagemaker = self.client("sagemaker")
        waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
        waiter.wait(TrainingJobName=self.name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        description: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=self.name)
        return description

    def failure(self) -> str:
        with pytest.raises(WaiterError):
            self.wait()
        described = self.client("sagemaker").describe_training_job(TrainingJobName=self.name)
        return str(described["FailureReason"])

    def log(self) -> list[str]:
        logs = self.client("logs")
        group = "/aws/sagemaker/TrainingJobs"
        try:
            streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{self.name}/")["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        lines: list[str] = []
        for stream in streams:
            got = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
            lines += [event["message"] for event in got["events"]]
        return lines

    def until(self, right: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := right():
                return found
            time.sleep(0.02)
        raise AssertionError("\n".join(["not in time", *self.log()]))


def allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def statements(data: str, models: str) -> list[dict[str, Any]]:
    logs = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    return [
        allow(["s3:GetObject"], [f"arn:aws:s3:::{data}/train/*", f"arn:aws:s3:::{models}/*"]),
        allow(["s3:PutObject"], [f"arn:aws:s3:::{models}/*"]),
        allow(["s3:ListBucket"], [f"arn:aws:s3:::{data}", f"arn:aws:s3:::{models}"]),
        allow(logs, ["*"]),
    ]


def make_platform(twin: TestTwin) -> Platform:
    unique = uuid.uuid4().hex[:8]
    data, models = f"data-{unique}", f"models-{unique}"
    s3, iam = twin.client("s3"), twin.client("iam")
    for bucket in (data, models):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=data, Key="train/a", Body=b"weights")
    s3.put_object(Bucket=models, Key="code/sourcedir.tar.gz", Body=archive({"train.py": SCRIPT}))
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    made = iam.create_role(
        RoleName=f"training-{unique}",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    document = json.dumps({"Version": "2012-10-17", "Statement": statements(data, models)})
    iam.put_role_policy(RoleName=f"training-{unique}", PolicyName="own", PolicyDocument=document)
    return Platform(twin, made["Role"]["Arn"], data, models, f"job-{unique}")


@pytest.fixture
def platform(twin: TestTwin) -> Platform:
    return make_platform(twin)


@pytest.fixture
def own_platform(own_twin: TestTwin) -> Iterator[Platform]:
    yield make_platform(own_twin)


def post(twin: TestTwin, path: str, document: Any, *, signed: bool = True) -> tuple[int, Any]:
    request = AWSRequest("POST", twin.endpoint_url + path, data=json.dumps(document).encode())
    if signed:
        SigV4Auth(twin.session().get_credentials(), "trainworks", "us-east-1").add_auth(request)
    sent = urllib.request.Request(request.url, request.data, dict(request.headers), method="POST")
    try:
        with urllib.request.urlopen(sent, timeout=PATIENCE_SECONDS) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_create_wait_describe_read_logs_and_metrics(platform: Platform) -> None:
    sagemaker = platform.client("sagemaker")
    arn = sagemaker.create_training_job(**platform.request())["TrainingJobArn"]
    job = platform.wait()
    assert job["TrainingJobArn"] == arn
    assert job["TrainingJobStatus"] == "Completed"
    assert job["FinalMetricDataList"][0]["Value"] == pytest.approx(0.5)
    log = platform.log()
    assert any(line.startswith("who arn:aws:sts::000000000000:assumed-role/training-") for line in log)
    assert [line for line in log if line.startswith("epoch")] == ["epoch 0 loss: 1.0", "epoch 1 loss: 0.5"]
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{platform.models}/output/{platform.name}/output/model.tar.gz"
    body = platform.client("s3").get_object(Bucket=platform.models, Key=uri.split("/", 3)[3])["Body"].read()
    assert body[:2] == b"\x1f\x8b"
    metrics = platform.until(lambda: platform.client("cloudwatch").list_metrics(
        Namespace="/aws/sagemaker/TrainingJobs",
        Dimensions=[{"Name": "TrainingJobName", "Value": platform.name}],
    )["Metrics"])  # fmt: skip
    assert [each["MetricName"] for each in metrics] == ["loss"]


def test_a_name_is_used_once(platform: Platform) -> None:
    sagemaker = platform.client("sagemaker")
    sagemaker.create_training_job(**platform.request())
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        sagemaker.create_training_job(**platform.request())
    platform.wait()


def test_a_missing_permission_names_role_action_and_resource(platform: Platform) -> None:
    name = platform.role_arn.rpartition("/")[2]
    without = [each for each in statements(platform.data, platform.models) if each["Action"] != ["s3:PutObject"]]
    document = json.dumps({"Version": "2012-10-17", "Statement": without})
    platform.client("iam").put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)
    platform.client("sagemaker").create_training_job(**platform.request())
    reason = platform.failure()
    assert "AccessDenied" in reason
    assert f"assumed-role/{name}" in reason
    assert "s3:PutObject" in reason
    assert f"{platform.models}/output/{platform.name}/output/model.tar.gz" in reason


def test_a_role_that_is_not_there(platform: Platform) -> None:
    with pytest.raises(ClientError) as refused:
        platform.client("sagemaker").create_training_job(
            **platform.request(RoleArn="arn:aws:iam::000000000000:role/nobody")
        )
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert "nobody" in str(refused.value)


def test_an_interruption_is_injected_and_the_job_resumes(platform: Platform) -> None:
    request = platform.spot_request(6)
    request["HyperParameters"]["held_at"] = "3"
    platform.client("sagemaker").create_training_job(**request)
    platform.until(lambda: "epoch 2 loss: 0.3333333333333333" in platform.log())
    status, answer = post(
        platform.twin, "/_trainworks/interrupt", {"training_job_name": platform.name, "notice_seconds": 0.5}
    )
    assert status == 200
    assert len(answer["instance_ids"]) == 1
    job = platform.wait()
    seen = [entry["Status"] for entry in job["SecondaryStatusTransitions"]]
    assert seen.count("Interrupted") == 1
    assert job["TrainingJobStatus"] == "Completed"
    starts = [int(line.split()[1]) for line in platform.log() if line.startswith("from ")]
    assert starts[0] == 0
    assert starts[1] >= 2


@pytest.mark.parametrize(
    ("document", "signed", "status"),
    [
        ({"training_job_name": "nobody"}, True, 400),
        ({}, True, 400),
        ({"training_job_name": "x", "notice_seconds": -1}, True, 400),
        ({"training_job_name": "x"}, False, 403),
    ],
)
def test_a_wrong_interruption_is_refused(twin: TestTwin, document: Any, signed: bool, status: int) -> None:
    assert post(twin, "/_trainworks/interrupt", document, signed=signed)[0] == status


def test_a_killed_server_comes_back_and_the_job_completes_once(own_platform: Platform) -> None:
    own_platform.client("sagemaker").create_training_job(**own_platform.spot_request(8))
    own_platform.until(lambda: any(line.startswith("epoch 1") for line in own_platform.log()))
    own_platform.twin.kill()
    time.sleep(0.4)
    own_platform.twin.start()
    job = own_platform.wait()
    assert [entry["Status"] for entry in job["SecondaryStatusTransitions"]] == [
        "Starting", "Downloading", "Training", "Uploading", "Completed",
    ]  # fmt: skip
    epochs = [line.split()[1] for line in own_platform.log() if line.startswith("epoch")]
    # The batch of lines in hand when the server was killed may be told twice; none is missing, none is out of order.
    assert sorted(set(epochs), key=int) == [str(n) for n in range(8)]
    assert len([line for line in own_platform.log() if line.startswith("from")]) <= 2
    listed = own_platform.client("s3").list_objects_v2(Bucket=own_platform.models, Prefix="output/")["Contents"]
    assert [each["Key"] for each in listed] == [f"output/{own_platform.name}/output/model.tar.gz"]


def test_a_job_that_is_made_again_at_once_has_a_log_of_its_own(platform: Platform) -> None:
    for _ in range(2):
        platform.client("sagemaker").create_training_job(**platform.request(epochs=0))
        platform.wait()
        log = platform.log()
        platform.client("sagemaker").delete_training_job(TrainingJobName=platform.name)
    assert log.count("from 0") == 2


def test_listing_pages_filters_and_sorts(own_platform: Platform) -> None:
    sagemaker = own_platform.client("sagemaker")
    names = [f"{prefix}-{number}" for prefix in ("alpha", "beta") for number in range(3)]
    for name in names:
        own_platform.name = name
        sagemaker.create_training_job(**own_platform.request(epochs=0))
    for name in names:
        own_platform.name = name
        own_platform.wait()
    pages = sagemaker.get_paginator("list_training_jobs").paginate(
        SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 4}
    )
    assert [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]] == names
    found = sagemaker.list_training_jobs(NameContains="beta", StatusEquals="Completed", SortBy="CreationTime")
    assert [job["TrainingJobName"] for job in found["TrainingJobSummaries"]] == ["beta-0", "beta-1", "beta-2"]
    assert sagemaker.list_training_jobs(StatusEquals="Failed")["TrainingJobSummaries"] == []


def test_state_changes_reach_event_rules(platform: Platform) -> None:
    events, sqs = platform.client("events"), platform.client("sqs")
    url, arn = queue(platform.twin, platform.name)
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Training Job State Change"],
        "detail": {"TrainingJobStatus": ["Completed"], "TrainingJobName": [platform.name]},
    }
    events.put_rule(Name=platform.name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=platform.name, Targets=[{"Id": "1", "Arn": arn}])
    platform.client("sagemaker").create_training_job(**platform.request(epochs=0))
    platform.wait()
    message = platform.until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))[0]
    detail = json.loads(message["Body"])["detail"]
    assert detail["SecondaryStatus"] == "Completed"
    assert detail["TrainingJobArn"].endswith(f":training-job/{platform.name}")


def test_an_unknown_instance_type(platform: Platform) -> None:
    resources = {"InstanceType": "ml.m5.enormous", "InstanceCount": 1, "VolumeSizeInGB": 1}
    with pytest.raises(ClientError, match=r"at 'resourceConfig.instanceType' failed to satisfy constraint"):
        platform.client("sagemaker").create_training_job(**platform.request(ResourceConfig=resources))


def test_a_metric_that_is_no_number_or_backtracks_harms_no_other(platform: Platform) -> None:
    request = platform.request()
    algorithm = request["AlgorithmSpecification"]
    algorithm["MetricDefinitions"] = [{"Name": "bad", "Regex": "(?<=loss=)([0-9.]+)"}]
    with pytest.raises(ClientError, match=r"ValidationException.*regex of metric 'bad'.*look-around"):
        platform.client("sagemaker").create_training_job(**request)
    algorithm["MetricDefinitions"] = [
        {"Name": "acc", "Regex": "acc=([0-9.]+)"},
        {"Name": "loss", "Regex": r"loss=(\S+)"},
        {"Name": "slow", "Regex": "((a|aa)+)$"},
    ]
    script = 'print("acc=0.90\\nloss=nan\\nacc=0.95\\nloss=0.4\\n" + "a" * 60 + "!")'
    key = "code/sourcedir.tar.gz"
    platform.client("s3").put_object(Bucket=platform.models, Key=key, Body=archive({"train.py": script}))
    platform.client("sagemaker").create_training_job(**request)
    described = platform.wait()
    found = {each["MetricName"]: round(each["Value"], 2) for each in described["FinalMetricDataList"]}
    assert found == {"acc": 0.95, "loss": 0.4}

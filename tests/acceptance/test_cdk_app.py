"""Somebody else's CDK app with the platform in it: synthesized, checked, deployed to the twin, its grants exercised."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.functional.deploy.platforms import ALLOWED, Recorder, clients_of
from tests.patience import PATIENCE_SECONDS
from trainworks.assembly.cloud_assembly import CloudAssembly
from trainworks.assembly.graph import load_graph
from trainworks.deploy.deployer import up
from trainworks.deploy.deployment import deployment_of
from trainworks.testing import TestTwin

APP = Path(__file__).resolve().parents[2] / "examples" / "cdk_app"
BIN = Path(sys.executable).parent
ACCOUNT, REGION = "000000000000", "us-east-1"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
CONTAINER = {
    "image": IMAGE,
    "command": ["true"],
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}],
}


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `python app.py` leaves, on a machine whose PATH leads to no Node.js."""
    folder = tmp_path_factory.mktemp("cdk") / "cdk.out"
    subprocess.run(
        [sys.executable, "app.py"],
        cwd=APP,
        # The CDK's own validation takes longer than the synthesis; `check` comes next.
        env={"PATH": "", "HOME": os.environ["HOME"], "CDK_OUTDIR": str(folder), "CDK_VALIDATION": "false"},
        check=True,
        timeout=120,
    )
    return folder


@pytest.fixture(scope="module")
def outputs(twin: TestTwin, assembly: Path) -> Mapping[str, str]:
    deployment = deployment_of(CloudAssembly.load(assembly), account_id=ACCOUNT, region=REGION)
    return up(deployment, clients_of(twin), Recorder().monitor, ALLOWED).outputs


def test_check_has_no_error_to_report(assembly: Path) -> None:
    checked = subprocess.run(
        [str(BIN / "trainworks"), "check", "--template", str(assembly), "--no-scanners", "--output", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert json.loads(checked.stdout)


def session_of(twin: TestTwin, role_arn: str) -> boto3.Session:
    """A session of a role that only tasks may assume: its trust lets the test in for the moment of the call."""
    iam, name = twin.client("iam"), role_arn.rpartition("/")[2]
    trust = json.dumps(iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"])
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    opened = json.dumps({"Version": "2012-10-17", "Statement": [root]})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=opened)
    keys = twin.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    return twin.session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def job(outputs: Mapping[str, str], name: str) -> dict[str, Any]:
    config = json.loads(outputs["TrainingJobConfig"])
    config["CheckpointConfig"]["S3Uri"] += name
    algorithm = {"TrainingImage": IMAGE, "TrainingInputMode": "File", "ContainerEntrypoint": ["true"]}
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    return {"TrainingJobName": name, "AlgorithmSpecification": algorithm, "ResourceConfig": resources, **config}


def refused(call: Callable[[], object]) -> str:
    """The action that was denied."""
    with pytest.raises(ClientError) as error:
        call()
    found = re.search(r"perform: (\S+)", str(error.value))
    return found[1] if found else error.value.response["Error"]["Code"]


def test_the_trainer_writes_its_data_and_no_other(twin: TestTwin, outputs: Mapping[str, str]) -> None:
    s3 = twin.client("s3", session_of(twin, outputs["TrainerRoleArn"]))
    bucket = outputs["DatasetBucketName"]
    s3.put_object(Bucket=bucket, Key="datasets/fraud/1.csv", Body=b"1")
    assert refused(lambda: s3.put_object(Bucket=bucket, Key="datasets/churn/1.csv", Body=b"1")) == "s3:PutObject"
    assert refused(lambda: s3.get_object(Bucket=bucket, Key="datasets/fraud/1.csv")) == "s3:GetObject"
    assert refused(lambda: s3.delete_object(Bucket=bucket, Key="datasets/fraud/1.csv")) == "s3:DeleteObject"
    s3.put_object(Bucket=outputs["ModelBucketName"], Key="code/fraud/source.tar.gz", Body=b"1")


def test_the_trainer_starts_jobs_of_its_environment_in_the_vpc(twin: TestTwin, outputs: Mapping[str, str]) -> None:
    sagemaker = twin.client("sagemaker", session_of(twin, outputs["TrainerRoleArn"]))
    request = job(outputs, "fraud-first")
    sagemaker.create_training_job(**request)
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName="fraud-first", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    create = "sagemaker:CreateTrainingJob"
    assert refused(lambda: sagemaker.create_training_job(**job(outputs, "churn-first"))) == create
    outside = {key: value for key, value in job(outputs, "fraud-second").items() if key != "VpcConfig"}
    assert refused(lambda: sagemaker.create_training_job(**outside)) == create
    other_role = {**job(outputs, "fraud-third"), "RoleArn": outputs["ReaderRoleArn"]}
    assert refused(lambda: sagemaker.create_training_job(**other_role)) == "iam:PassRole"


def test_the_trainer_submits_batch_jobs_of_the_platforms_definition(twin: TestTwin, outputs: Mapping[str, str]) -> None:
    batch = twin.client("batch", session_of(twin, outputs["TrainerRoleArn"]))
    queue, definition = outputs["JobQueueArn"], outputs["JobDefinitionArn"]
    submitted = batch.submit_job(jobName="fraud", jobQueue=queue, jobDefinition=definition)
    batch.terminate_job(jobId=submitted["jobId"], reason="the test is over")
    other = twin.client("batch").register_job_definition(
        jobDefinitionName="other", type="container", containerProperties=CONTAINER
    )["jobDefinitionArn"]
    denied = refused(lambda: batch.submit_job(jobName="fraud", jobQueue=queue, jobDefinition=other))
    assert denied == "batch:SubmitJob"


def test_the_reader_reads_models_and_nothing_more(twin: TestTwin, outputs: Mapping[str, str]) -> None:
    s3 = twin.client("s3", session_of(twin, outputs["ReaderRoleArn"]))
    bucket = outputs["ModelBucketName"]
    for key in ("output/model", "checkpoints/1"):
        twin.client("s3").put_object(Bucket=bucket, Key=key, Body=b"1")
    assert s3.get_object(Bucket=bucket, Key="output/model")["Body"].read() == b"1"
    assert refused(lambda: s3.get_object(Bucket=bucket, Key="checkpoints/1")) == "s3:GetObject"
    assert refused(lambda: s3.put_object(Bucket=bucket, Key="output/model", Body=b"2")) == "s3:PutObject"
    assert refused(lambda: s3.get_object_tagging(Bucket=bucket, Key="output/model")) == "s3:GetObjectTagging"


def test_the_teams_alarm_watches_the_platforms_metric(twin: TestTwin, outputs: Mapping[str, str]) -> None:
    assert outputs
    (alarm,) = [
        each
        for each in twin.client("cloudwatch").describe_alarms()["MetricAlarms"]
        if "TrainingKeepsFailing" in each["AlarmName"]
    ]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Period"]) == ("AWS/Events", "MatchedEvents", 900)
    rule = twin.client("events").describe_rule(Name=alarm["Dimensions"][0]["Value"])
    assert json.loads(rule["EventPattern"])["detail"]["TrainingJobStatus"] == ["Failed"]


def test_the_default_security_group_is_closed_here_too(twin: TestTwin, outputs: Mapping[str, str]) -> None:
    filters = [
        {"Name": "vpc-id", "Values": [outputs["VpcId"]]},
        {"Name": "group-name", "Values": ["default"]},
    ]
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        (group,) = twin.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
        if not group["IpPermissions"] and not group["IpPermissionsEgress"]:
            return
        time.sleep(0.1)
    raise AssertionError(f"the default group still has rules: {group}")


def test_the_page_about_reuse_runs_as_it_is_written(tmp_path: Path) -> None:
    page = (APP.parents[1] / "docs" / "how-to" / "own-cdk-app.md").read_text(encoding="utf-8")
    whole, with_vpc = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    brought = re.sub(
        r"platform = TrainingPlatform\(.*\)\n", lambda _: f"from aws_cdk import aws_ec2 as ec2\n{with_vpc}", whole
    )
    assert brought != whole
    for name, code in (("whole", whole), ("brought", brought)):
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PATH": "", "HOME": os.environ["HOME"], "CDK_OUTDIR": str(tmp_path / name), "CDK_VALIDATION": "false"},
            check=True,
            timeout=120,
        )
        assert (tmp_path / name / "fraud.template.json").is_file()
    assert load_graph(tmp_path / "brought").of_type("AWS::EC2::VPC")[0].place == "Vpc"
    platform = (APP.parents[1] / "src" / "trainworks" / "infra" / "platform.py").read_text(encoding="utf-8")
    methods = set(re.findall(r"`((?:grant|metric)_\w+)`", page))
    assert methods == set(re.findall(r"def ((?:grant|metric)_\w+)", platform))

"""What the SageMaker Python SDK sends, call by call, through a plain boto3 client.

The SDK is no part of the test environment: it needs MLflow, pandas and pyarrow (1 GB), and an older `rich` than ours.
The requests are those that sagemaker 3.27.0 (sagemaker-train 1.27.0, sagemaker-core 2.27.0) was seen to send, with the
same members, channels and commands; `tests/acceptance/test_sagemaker_sdk.py` runs the SDK itself where there is one.
The start script of the `sm_drivers` channel is ours: it asks of the container what the SDK's asks of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.sagemaker.test_boto3 import Platform, allow, make_platform
from tests.functional.twin.test_installed_packages import wheel
from trainworks.testing import TestTwin

SOURCE = Path(__file__).resolve().parents[3] / "examples" / "sagemaker_sdk" / "source"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
GROUP = "/aws/sagemaker/TrainingJobs"
START = "/opt/ml/input/data/sm_drivers/sm_train.sh"
POINTS = "".join(f"{x / 10},{3 * x / 10 + 1}\n" for x in range(20))
DRIVER = r"""
#!/bin/bash
set -e
handle_error() { status=$?; echo "exit code $status" >> /opt/ml/output/failure; exit $status; }
trap 'handle_error' ERR
SM_PYTHON_CMD=$(command -v python3 || command -v python)
command -v pip3 || command -v pip
cat /opt/ml/input/config/resourceconfig.json /opt/ml/input/config/inputdataconfig.json; echo
$SM_PYTHON_CMD /opt/ml/input/data/sm_drivers/scripts/environment.py
source /opt/ml/input/sm_training.env
cd /opt/ml/input/data/code
if [ -f requirements.txt ]; then $SM_PYTHON_CMD -m pip install -r requirements.txt; fi
$SM_PYTHON_CMD /opt/ml/input/data/sm_drivers/distributed_drivers/basic_script_driver.py
echo "Training Container Execution Completed"
"""
ENVIRONMENT = r"""
import json, multiprocessing, os, subprocess

def read(name):
    with open(f"/opt/ml/input/config/{name}.json") as file:
        return json.load(file)

resources, channels, given = read("resourceconfig"), read("inputdataconfig"), read("hyperparameters")
hosts, current = sorted(resources["hosts"]), resources["current_host"]
values = {
    "SM_MODEL_DIR": "/opt/ml/model",
    **{f"SM_CHANNEL_{name.upper()}": f"/opt/ml/input/data/{name}" for name in channels},
    "SM_HPS": json.dumps({name: json.loads(value) for name, value in given.items()}),
    "SM_CURRENT_HOST": current,
    "SM_CURRENT_HOST_RANK": hosts.index(current),
    "SM_CURRENT_INSTANCE_TYPE": resources["current_instance_type"],
    "SM_NETWORK_INTERFACE_NAME": resources["network_interface_name"],
    "SM_NUM_CPUS": multiprocessing.cpu_count(),
    "SDK_JOB": os.environ["TRAINING_JOB_NAME"],
}
with open("/opt/ml/input/sm_training.env", "w") as file:
    file.writelines(f"export {name}='{value}'\n" for name, value in values.items())
"""
SCRIPT_DRIVER = r"""
import json, os, subprocess, sys
given = json.loads(os.environ["SM_HPS"]).items()
print("rank", os.environ["SM_CURRENT_HOST_RANK"], "job", os.environ["SDK_JOB"], flush=True)
command = [sys.executable, "train.py", *(part for name, value in given for part in (f"--{name}", str(value)))]
sys.exit(subprocess.run(command).returncode)
"""
DRIVERS = {
    "sm_train.sh": DRIVER.strip(),
    "scripts/environment.py": ENVIRONMENT,
    "distributed_drivers/basic_script_driver.py": SCRIPT_DRIVER,
}


class Trainer:
    """Sends what `ModelTrainer.train` sends, and what follows its job."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.prefix = f"output/sdk/{platform.name}/input"

    def upload(self, channel: str, files: dict[str, str | bytes]) -> None:
        for name, body in files.items():
            key = f"{self.prefix}/{channel}/{name}"
            data = body.encode() if isinstance(body, str) else body
            self.platform.client("s3").put_object(Bucket=self.platform.models, Key=key, Body=data)

    def channel(self, name: str, suffix: str = "") -> dict[str, Any]:
        source = {
            "S3DataType": "S3Prefix",
            "S3Uri": f"s3://{self.platform.models}/{self.prefix}/{name}{suffix}",
            "S3DataDistributionType": "FullyReplicated",
        }
        return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}

    def train(self, source: dict[str, str | bytes], instance_count: int = 1, **members: Any) -> None:
        self.upload("train", {"points.csv": POINTS})
        self.upload("code", source)
        self.upload("sm_drivers", dict(DRIVERS))
        self.platform.client("sagemaker").create_training_job(
            TrainingJobName=self.platform.name,
            HyperParameters={"steps": "50", "rate": "0.2"},
            AlgorithmSpecification={
                "TrainingInputMode": "File",
                "TrainingImage": IMAGE,
                "ContainerEntrypoint": ["/bin/bash"],
                "ContainerArguments": ["-c", f"chmod +x {START} && {START}"],
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
            },
            RoleArn=self.platform.role_arn,
            InputDataConfig=[
                self.channel("train", "/points.csv"), self.channel("code"), self.channel("sm_drivers")
            ],
            OutputDataConfig={"S3OutputPath": f"s3://{self.platform.models}/output/sdk", "CompressionType": "GZIP"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": instance_count, "VolumeSizeInGB": 30},
            StoppingCondition={"MaxRuntimeInSeconds": 3600},
            **members,
        )  # fmt: skip

    def describe(self) -> dict[str, Any]:
        found: dict[str, Any] = self.platform.client("sagemaker").describe_training_job(
            TrainingJobName=self.platform.name
        )
        return found

    def wait(self, instance_count: int = 1) -> tuple[dict[str, Any], list[str]]:
        """The job when it has ended, and its log, read as `TrainingJob.wait(logs=True)` reads it."""
        streams: dict[str, str] = {}
        lines: list[str] = []

        def has_ended() -> bool:
            # The status first: what the log has after it is all of it.
            status = self.describe()["TrainingJobStatus"]
            if len(streams) < instance_count:
                streams.update(self._streams())
            for stream in streams:
                lines.extend(self._new(streams, stream))
            return status in ("Completed", "Failed", "Stopped")

        self.platform.until(has_ended, 120.0)
        return self.describe(), lines

    def _streams(self) -> dict[str, str]:
        logs = self.platform.client("logs")
        asked = {"logGroupName": GROUP, "logStreamNamePrefix": f"{self.platform.name}/", "orderBy": "LogStreamName"}
        try:
            found = logs.describe_log_streams(**asked)
        except logs.exceptions.ResourceNotFoundException:
            return {}
        return {each["logStreamName"]: "" for each in found["logStreams"]}

    def _new(self, streams: dict[str, str], stream: str) -> Iterator[str]:
        while True:
            token = {"nextToken": streams[stream]} if streams[stream] else {}
            got = self.platform.client("logs").get_log_events(
                logGroupName=GROUP, logStreamName=stream, startFromHead=True, **token
            )
            streams[stream] = got["nextForwardToken"]
            if not got["events"]:
                return
            yield from (event["message"] for event in got["events"])


@pytest.fixture
def trainer(twin: TestTwin) -> Trainer:
    return Trainer(make_platform(twin))


def source(**files: str | bytes) -> dict[str, str | bytes]:
    return {"train.py": (SOURCE / "train.py").read_text(), **files}


def test_a_model_trainer_job_trains_with_its_log_and_its_metrics(trainer: Trainer) -> None:
    trainer.train(source())
    job, log = trainer.wait()
    assert job["TrainingJobStatus"] == "Completed", log
    losses = [line for line in log if "loss=" in line]
    assert len(losses) == 5
    assert log[-1] == "Training Container Execution Completed"
    assert f"rank 0 job {trainer.platform.name}" in log
    assert [each["MetricName"] for each in job["FinalMetricDataList"]] == ["loss"]
    assert job["ModelArtifacts"]["S3ModelArtifacts"].startswith(f"s3://{trainer.platform.models}/output/sdk/")
    sagemaker = trainer.platform.client("sagemaker")
    listed = sagemaker.list_training_jobs(NameContains=trainer.platform.name, SortBy="CreationTime")
    assert [each["TrainingJobName"] for each in listed["TrainingJobSummaries"]] == [trainer.platform.name]
    # `attach` of version 2 reads these of every job.
    assert job["OutputDataConfig"]["KmsKeyId"] == ""
    assert {(each["CompressionType"], each["RecordWrapperType"]) for each in job["InputDataConfig"]} == {
        ("None", "None")
    }


def test_requirements_of_the_source_code_are_installed_into_the_job(trainer: Trainer) -> None:
    script = "import tinytool\nprint('installed', tinytool.__file__)\n"
    files = {
        "train.py": script,
        "requirements.txt": "--no-index\n--find-links wheels\ntinytool==1\n",
        "wheels/tinytool-1-py3-none-any.whl": wheel("tinytool", "1", "NAME = 'tinytool'\n"),
    }
    trainer.train(files)
    job, log = trainer.wait()
    assert job["TrainingJobStatus"] == "Completed", log
    assert any(line.startswith("installed ") for line in log)


def test_each_host_of_a_gang_has_a_stream_and_a_rank(trainer: Trainer) -> None:
    trainer.train(source(), instance_count=2)
    job, log = trainer.wait(instance_count=2)
    assert job["TrainingJobStatus"] == "Completed", log
    ranks = {f"rank {rank} job {trainer.platform.name}" for rank in (0, 1)}
    assert ranks <= set(log)


def test_a_stopped_job_is_stopped_and_a_deleted_one_is_not_found(trainer: Trainer) -> None:
    trainer.train({"train.py": "import time\nprint('begun', flush=True)\ntime.sleep(600)\n"})
    sagemaker = trainer.platform.client("sagemaker")
    trainer.platform.until(lambda: trainer.describe()["SecondaryStatus"] == "Training", 120.0)
    sagemaker.stop_training_job(TrainingJobName=trainer.platform.name)
    job, _ = trainer.wait()
    assert job["TrainingJobStatus"] == "Stopped"
    sagemaker.delete_training_job(TrainingJobName=trainer.platform.name)
    # The SDK takes both codes for the end of its wait, and any other for an error.
    refused("ValidationException", trainer.describe)


def test_a_failed_script_leaves_the_reason_that_the_start_script_wrote(trainer: Trainer) -> None:
    trainer.train({"train.py": "raise SystemExit(3)\n"})
    job, log = trainer.wait()
    assert job["TrainingJobStatus"] == "Failed", log
    assert "exit code 3" in job["FailureReason"]


def test_the_bucket_is_looked_for_as_the_sdk_looks(trainer: Trainer) -> None:
    """`Session.default_bucket()` of a bucket that is there, then of one that is not, then where to put the code."""
    s3, models = trainer.platform.client("s3"), trainer.platform.models
    assert models in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    assert s3.list_objects_v2(Bucket=models, Prefix="output")["KeyCount"] == 0
    account = trainer.platform.client("sts").get_caller_identity()["Account"]
    s3.head_bucket(Bucket=models, ExpectedBucketOwner=account)
    refused("403", lambda: s3.head_bucket(Bucket=models, ExpectedBucketOwner="999999999999"))
    refused("404", lambda: s3.head_bucket(Bucket=f"{models}-none", ExpectedBucketOwner=account))


def test_the_sdks_check_of_a_role_asks_for_rights_on_every_resource(trainer: Trainer) -> None:
    """Why `trainworks env` turns it off: a role with rights on its own resources alone does not pass it, as on AWS."""
    iam = trainer.platform.client("iam")
    name = f"sdk-{trainer.platform.name}"
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    metrics = {"StringEquals": {"cloudwatch:namespace": GROUP}}
    interfaces = allow(["ec2:CreateNetworkInterface"], ["arn:aws:ec2:us-east-1:000000000000:network-interface/*"])
    least = policy(interfaces, {**allow(["cloudwatch:PutMetricData"], ["*"]), "Condition": metrics})
    asked = ["ec2:CreateNetworkInterface", "cloudwatch:PutMetricData", "ecr:GetAuthorizationToken"]

    def decisions() -> list[str]:
        pages = iam.get_paginator("simulate_principal_policy").paginate(PolicySourceArn=role, ActionNames=asked)
        return [each["EvalDecision"] for page in pages for each in page["EvaluationResults"]]

    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=least)
    assert decisions() == ["implicitDeny"] * 3
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(allow(asked, ["*"])))
    assert decisions() == ["allowed"] * 3
    stored = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    assert stored["Statement"][0]["Principal"]["Service"] == "sagemaker.amazonaws.com"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def refused(code: str, call: Callable[[], object]) -> None:
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == code

"""Environments of images, made while jobs wait for them: AWS's framework images and a user's own, by boto3."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from tests.functional.sagemaker.test_boto3 import Platform, make_platform
from tests.unit.twin.services.sagemaker.doubles import archive
from trainworks.aws.framework_contents import contents
from trainworks.errors import TwinError
from trainworks.jobs.image import build_image
from trainworks.testing import TestTwin
from trainworks.twin.control_client import ask

SCIKIT_LEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:{}-cpu-py3"
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"
PYTHON = "public.ecr.aws/docker/library/python:3.11"
TELLS = "import sklearn, pandas; print('runs', sklearn.__version__, sklearn.__file__, flush=True)"
SLOW = """\
import os, socket, time, zipfile

def may_go():
    with socket.socket() as asked:  # the network is all that a build shares with the test, wherever the clone lies
        return asked.connect_ex(("127.0.0.1", {port})) == 0

def get_requires_for_build_wheel(config_settings=None):
    return []

def build_wheel(folder, config_settings=None, metadata_directory=None):
    while not may_go():
        print("building slowly", flush=True)
        time.sleep(0.1)
    with zipfile.ZipFile(os.path.join(folder, "slow-1.0-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("slow.py", "VALUE = 42\\n")
        wheel.writestr("slow-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: slow\\nVersion: 1.0\\n")
        wheel.writestr("slow-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("slow-1.0.dist-info/RECORD", "")
    return "slow-1.0-py3-none-any.whl"
"""


def wheel(folder: Path, name: str, version: str, module: str = "") -> None:
    """A wheel with one module, made by hand."""
    file = name.replace("-", "_")
    facts = f"{file}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{file}-{version}-py3-none-any.whl", "w") as packed:
        packed.writestr(f"{module or file}.py", f"__version__ = {version!r}\n")
        # Some distributions write their names with underscores, whatever people ask for.
        packed.writestr(f"{facts}/METADATA", f"Metadata-Version: 2.1\nName: {file}\nVersion: {version}\n")
        packed.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{facts}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, which is all that pip finds: what AWS documents of its scikit-learn image, and no more."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in contents()["scikit-learn"].packages:
        if name != "retrying":
            wheel(folder, name, "1.0")
    for version in ("0.24.2", "1.4.1", "1.4.2", "1.9.0"):
        wheel(folder, "scikit-learn", version, "sklearn")
    (folder / "scikit-learn-1.4.9.tar.gz").write_bytes(b"")  # there to be compiled, which nobody does
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("TRAINWORKS_FRAMEWORK_IMAGES", "made")
    return folder


def start(platform: Platform, name: str, image: str, script: str = "print('ran', flush=True)") -> Platform:
    """A training job of this image; the platform with the job's name."""
    key = f"code/{name}.tar.gz"
    platform.client("s3").put_object(Bucket=platform.models, Key=key, Body=archive({"train.py": script}))
    job = Platform(platform.twin, platform.role_arn, platform.data, platform.models, name)
    request = job.request()
    request["AlgorithmSpecification"]["TrainingImage"] = image
    request["HyperParameters"]["sagemaker_submit_directory"] = f"s3://{platform.models}/{key}"
    platform.client("sagemaker").create_training_job(**request)
    return job


def ended(job: Platform) -> str:
    """How a job ended, which may take as long as an image takes to make."""

    def status_now() -> str:
        described = job.client("sagemaker").describe_training_job(TrainingJobName=job.name)
        return str(described["TrainingJobStatus"])

    job.until(lambda: status_now() not in ("InProgress", "Stopping"), 150.0)
    return status_now()


def message(job: Platform) -> str:
    described = job.client("sagemaker").describe_training_job(TrainingJobName=job.name)
    return str(described["SecondaryStatusTransitions"][-1]["StatusMessage"])


def test_a_framework_image_is_an_environment_of_its_own(index: Path, own_twin: TestTwin) -> None:
    assert re.search(r"^scikit-learn:1.4-2 \(default\) +not made$", listed(own_twin), re.MULTILINE)
    platform = make_platform(own_twin)
    first = start(platform, "first", SCIKIT_LEARN.format("1.4-2"), TELLS)
    said: set[str] = set()
    client = first.client("sagemaker")

    def has_ended() -> bool:
        said.add(message(first))
        described = client.describe_training_job(TrainingJobName="first")
        return str(described["TrainingJobStatus"]) != "InProgress"

    first.until(has_ended, 150.0)
    assert ended(first) == "Completed"
    making = [each for each in said if each.startswith("The image is being made, once: ")]
    assert making and all(len(each) <= 120 and not each.endswith("...") for each in making)
    assert "The image is being made, once: " not in said  # which would not say what
    log = "\n".join(first.log())
    [line] = [each for each in first.log() if each.startswith("runs")]
    assert line.startswith(f"runs 1.4.2 {own_twin.home.images_dir}/scikit-learn-1.4-cpu-")
    assert "making the environment of sagemaker-scikit-learn" in log
    # Of pip's own words the log has what came, and in the environment's folder there are all of them.
    assert "collected pandas 1.0" in first.log() and re.search(
        r"installed \d+ packages: .*scikit-learn 1.4.2", log, re.S
    )
    noise = ("WARNING: ", "Looking in", "Processing ", "Collecting ", str(index))
    assert not any(word in text for word in noise for text in [log, *making])
    assert max(map(len, first.log())) < 250
    [record] = [each.parent / "pip.log" for each in own_twin.home.images_dir.glob("*/made.json")]
    assert "Looking in links" in record.read_text() and "Successfully installed" in record.read_text()
    assert "retrying is left out" in log  # the index lacks it
    assert "this environment lacks: retrying, sagemaker-training, sagemaker-inference, multi-model-server" in log
    assert "scikit-learn 1.4.2 of" in log and "stands for sagemaker-scikit-learn:1.4-2-cpu-py3" in log

    line_of_list = r"^scikit-learn:1.4-2 \(default\) +20\S+ \S+ +\d+ MiB +scikit-learn 1.4.2 +20\S+ \S+$"
    assert re.search(line_of_list, listed(own_twin), re.MULTILINE)

    shutil.rmtree(index)  # there is no index any more: what was made once is used
    again = start(platform, "again", SCIKIT_LEARN.format("1.4-2"), TELLS)
    assert ended(again) == "Completed"
    assert line in again.log() and "making the environment" not in "\n".join(again.log())

    missing = start(platform, "missing", XGBOOST)
    assert ended(missing) == "Failed"
    reason = missing.client("sagemaker").describe_training_job(TrainingJobName="missing")["FailureReason"]
    assert "xgboost" in reason and "trainworks image make" in reason
    assert any("xgboost" in each for each in missing.log())
    assert "WARNING" not in reason and str(index) not in reason
    with pytest.raises(
        TwinError, match="no package index that pip is configured for has a wheel of xgboost"
    ) as refused:
        while True:
            ask(own_twin.server, "image", {"image_uri": XGBOOST, "waiter": "somebody"})
            time.sleep(0.1)
    assert refused.value.fix.startswith("make it once while there is a network") and "{" not in refused.value.message
    # What the twin itself puts at the head of the log is no part of why a script failed.
    bad = start(platform, "bad", SCIKIT_LEARN.format("1.4-2"), "print('hi', flush=True); raise SystemExit(3)")
    assert ended(bad) == "Failed"
    reason = bad.client("sagemaker").describe_training_job(TrainingJobName="bad")["FailureReason"]
    assert 'ErrorMessage "hi"' in reason and "stands for" not in reason
    assert any("stands for" in each for each in bad.log())
    # The twin's own interpreter has scikit-learn. It stands for an image only where somebody asked for that.
    other = start(platform, "other", SCIKIT_LEARN.format("1.2-1"), TELLS)
    assert ended(other) == "Failed" and not any(each.startswith("runs") for each in other.log())
    reason = other.client("sagemaker").describe_training_job(TrainingJobName="other")["FailureReason"]
    assert reason.startswith("ClientError: Cannot pull the training image") and "FRAMEWORK_IMAGES=in-use" in reason
    [kept] = own_twin.home.images_dir.glob("scikit-learn-1.2-*.pip.log")
    assert "Looking in links" in kept.read_text() and str(kept) in reason
    [place] = [each.parent for each in own_twin.home.images_dir.glob("*/ready")]
    [made] = ask(own_twin.server, "images", {})["images"]
    assert made["name"] == place.name and made["versions"] == "scikit-learn 1.4.2" and made["size_in_bytes"] > 0
    assert ask(own_twin.server, "images", {"image_uri": SCIKIT_LEARN.format("1.4-2")})["images"] == [made]
    assert ask(own_twin.server, "images", {"image_uri": XGBOOST})["images"] == []
    assert prune(own_twin)["counts"]["images"] == 0  # used a moment ago
    os.utime(place / "ready", (0, 0))
    assert prune(own_twin)["counts"]["images"] == 1
    assert not place.exists()


def listed(twin: TestTwin) -> str:
    """What `trainworks image list` prints, which needs no platform, on a terminal that is narrow."""
    done = subprocess.run(
        [sys.executable, "-m", "trainworks.cli.main", "image", "list"],
        env={**os.environ, "TRAINWORKS_HOME": str(twin.home.root), "COLUMNS": "60"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the platform is not deployed" in done.stdout
    return done.stdout


def prune(twin: TestTwin) -> dict[str, Any]:
    return ask(twin.server, "prune", {"older_than_seconds": 3600})


def kill_pip(twin: TestTwin) -> None:
    """`kill -9` what installs packages into an environment of this twin."""
    folder = str(twin.home.images_dir)
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "install" in words and any(word.startswith(folder) for word in words):
            process.kill()


def slow_image(twin: TestTwin, folder: Path, port: int) -> str:
    """A pushed image whose environment is being made until somebody listens at `port`."""
    package = folder / "slow"
    package.mkdir(parents=True)
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "slow"\nversion = "1.0"\n'
    )
    (package / "backend.py").write_text(SLOW.format(port=port))
    (folder / "requirements.txt").write_text("--no-index\n./slow\n")
    (folder / "Dockerfile").write_text("FROM python:3.11\nRUN pip install sagemaker-training\n")  # starts its script
    made = twin.client("ecr").create_repository(repositoryName=folder.name)["repository"]
    outputs = SimpleNamespace(ecr_repository_uri=made["repositoryUri"])
    platform = SimpleNamespace(environment=SimpleNamespace(is_twin=True), client=twin.client, outputs=outputs)
    return build_image(cast(Any, platform), folder, "v1").image_uri


def allow_pulling(platform: Platform) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}]}
    services = ["sagemaker.amazonaws.com", "ecs-tasks.amazonaws.com"]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    platform.client("iam").update_assume_role_policy(
        RoleName=platform.role_arn.rpartition("/")[2],
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    platform.client("iam").put_role_policy(
        RoleName=platform.role_arn.rpartition("/")[2], PolicyName="pull", PolicyDocument=json.dumps(document)
    )


def queue_of(platform: Platform, name: str) -> str:
    batch = platform.client("batch")
    ec2 = platform.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName=name, Description="g", VpcId=vpc)["GroupId"]
    resources = {"type": "FARGATE", "maxvCpus": 4, "subnets": [subnet], "securityGroupIds": [group]}
    batch.create_compute_environment(computeEnvironmentName=name, type="MANAGED", computeResources=resources)
    order = [{"order": 1, "computeEnvironment": name}]
    return str(batch.create_job_queue(jobQueueName=name, priority=1, computeEnvironmentOrder=order)["jobQueueArn"])


def submit(platform: Platform, queue: str, name: str, image: str) -> str:
    batch = platform.client("batch")
    definition = batch.register_job_definition(
        jobDefinitionName=name,
        type="container",
        platformCapabilities=["FARGATE"],
        containerProperties={
            "image": image,
            "command": ["python", "-c", "print(1)"],
            "resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}],
            "executionRoleArn": platform.role_arn,
        },
    )["jobDefinitionArn"]
    return str(batch.submit_job(jobName=name, jobQueue=queue, jobDefinition=definition)["jobId"])


def status(platform: Platform, job_id: str) -> tuple[str, str]:
    [job] = platform.client("batch").describe_jobs(jobs=[job_id])["jobs"]
    return job["status"], job.get("statusReason", "")


def test_jobs_wait_for_an_image_and_hold_up_no_others(own_twin: TestTwin, tmp_path: Path) -> None:
    platform = make_platform(own_twin)
    allow_pulling(platform)
    with socket.socket() as go:
        go.bind(("127.0.0.1", 0))
        image = slow_image(own_twin, tmp_path / "slow-image", go.getsockname()[1])
        unlucky = start(platform, "unlucky", image)
        unlucky.until(lambda: "preparing slow" in message(unlucky), 150.0)
        kill_pip(own_twin)
        assert ended(unlucky) == "Failed"  # and whoever comes next has the image made again
        reason = own_twin.client("sagemaker").describe_training_job(TrainingJobName="unlucky")["FailureReason"]
        assert reason.startswith(f"ClientError: Cannot pull the training image {image}: ")
        waiting = start(platform, "waiting", image, "import slow; print('ran', slow.VALUE)")
        stopped = start(platform, "stopped", image)
        waiting.until(lambda: "preparing slow" in message(waiting), 60.0)  # which is where it is slow
        # Another job runs to its end meanwhile, and one that waits is stopped.
        assert ended(start(platform, "quick", PYTHON)) == "Completed"
        queue = queue_of(platform, "queue")
        held = submit(platform, queue, "held", image)
        waiting.until(lambda: status(platform, held)[1].startswith("The image is being made"), 60.0)
        free = submit(platform, queue, "free", PYTHON)
        waiting.until(lambda: status(platform, free)[0] == "SUCCEEDED", 60.0)
        assert status(platform, held)[0] == "RUNNABLE"
        own_twin.client("sagemaker").stop_training_job(TrainingJobName="stopped")
        assert ended(stopped) == "Stopped"

        own_twin.kill()
        own_twin.start()
        waiting.until(lambda: "preparing slow" in message(waiting), 60.0)
        [place] = [each for each in own_twin.home.images_dir.iterdir() if each.is_dir()]
        assert not (place / "ready").exists()
        go.listen()
        assert ended(waiting) == "Completed"
        assert "ran 42" in waiting.log()
        waiting.until(lambda: status(platform, held)[0] == "SUCCEEDED", 60.0)

"""`twin stop` with everything busy: it ends within seconds and leaves no process behind."""

from __future__ import annotations

import io
import json
import tarfile
import time

import psutil
from tests.patience import PATIENCE_SECONDS

from trainworks.testing import TestTwin
from trainworks.twin import lifecycle

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_SPARSE = b"""
import os
with open(os.path.join(os.environ["SM_MODEL_DIR"], "weights"), "wb") as file:
    file.truncate(3 << 40)
"""


def test_stop_ends_a_busy_twin_within_seconds(own_twin: TestTwin) -> None:
    """Nine jobs upload without end, and two train."""
    iam, s3, sagemaker = own_twin.client("iam"), own_twin.client("s3"), own_twin.client("sagemaker")
    role = iam.create_role(RoleName="train", AssumeRolePolicyDocument=json.dumps(_TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="train", PolicyName="all", PolicyDocument=json.dumps(_ALL))
    s3.create_bucket(Bucket="models")
    for name, script in (("sparse", _SPARSE), ("sleep", b"import time; time.sleep(600)")):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            member = tarfile.TarInfo("train.py")
            member.size = len(script)
            tar.addfile(member, io.BytesIO(script))
        s3.put_object(Bucket="models", Key=f"{name}.tar.gz", Body=packed.getvalue())
    names = [f"sparse-{number}" for number in range(9)] + [f"sleep-{number}" for number in range(2)]
    for name in names:
        sagemaker.create_training_job(
            TrainingJobName=name,
            RoleArn=role,
            AlgorithmSpecification={
                "TrainingImage": "public.ecr.aws/docker/library/python:3.11",
                "TrainingInputMode": "File",
            },
            HyperParameters={
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": f"s3://models/{name.partition('-')[0]}.tar.gz",
            },
            OutputDataConfig={"S3OutputPath": "s3://models/out"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 16384},
            StoppingCondition={"MaxRuntimeInSeconds": 3600},
        )
    wanted = {name: "Uploading" if name.startswith("sparse") else "Training" for name in names}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        states = {name: sagemaker.describe_training_job(TrainingJobName=name)["SecondaryStatus"] for name in names}
        if states == wanted:
            break
        time.sleep(0.2)
    assert states == wanted
    home = str(own_twin.home.root)
    before = [each for each in psutil.process_iter(["cmdline"]) if home in " ".join(each.info["cmdline"] or [])]
    assert len(before) > 2
    started = time.monotonic()
    lifecycle.stop(own_twin.home)
    assert time.monotonic() - started < 100  # before the grace of a job that does not hear SIGTERM is over
    psutil.wait_procs(before, timeout=PATIENCE_SECONDS)
    assert [each for each in before if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []

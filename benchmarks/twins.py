"""A twin of its own for a measurement: a scratch home, a free port, clients.

The homes are deleted when all measurements are done. For minutes after a crowd of files was deleted ext4 makes each
new file slowly (`recently_deleted`: it passes over the inodes that were freed), which the next measurement would pay.
"""

from __future__ import annotations

import atexit
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from trainworks.twin import lifecycle
from trainworks.twin.home import DEFAULT_REGION, Home
from trainworks.twin.lifecycle import RunningServer

HERE = Path(__file__).resolve().parent


@dataclass
class ScratchTwin:
    home: Path
    server: RunningServer

    def client(self, name: str) -> Any:
        keys = self.server.credentials
        return boto3.client(
            name,
            endpoint_url=self.server.endpoint_url,
            region_name=DEFAULT_REGION,
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            config=Config(retries={"mode": "standard"}),
        )

    def environment(self) -> dict[str, str]:
        return {**os.environ, "TRAINWORKS_HOME": str(self.home), "XDG_CACHE_HOME": str(self.home.parent / "cache")}


@contextmanager
def scratch_twin() -> Iterator[ScratchTwin]:
    folder = tempfile.TemporaryDirectory(prefix="trainworks-bench-")
    atexit.register(folder.cleanup)
    root = Path(folder.name) / "home"
    server = lifecycle.start(Home(root), port=0)
    try:
        yield ScratchTwin(root, server)
    finally:
        lifecycle.stop(Home(root))


@contextmanager
def restart(twin: ScratchTwin) -> Iterator[None]:
    """The twin is stopped inside, and runs on the same port again afterwards: `twin.server` is the new one."""
    home = Home(twin.home)
    port = twin.server.port
    lifecycle.stop(home)
    yield
    twin.server = lifecycle.start(home, port=port)


def training_role(twin: ScratchTwin, bucket: str) -> str:
    """A role that SageMaker may assume, with the bucket and the training log group; gives its ARN."""
    iam = twin.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": ["sagemaker.amazonaws.com", "ecs-tasks.amazonaws.com"]},
             "Action": "sts:AssumeRole"}  # fmt: skip
    role = iam.create_role(
        RoleName="bench", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    allow = {"Effect": "Allow", "Action": ["s3:*", "logs:*", "cloudwatch:PutMetricData", "ecr:*"], "Resource": "*"}
    iam.put_role_policy(
        RoleName="bench", PolicyName="bench",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )  # fmt: skip
    twin.client("s3").create_bucket(Bucket=bucket)
    return str(role)

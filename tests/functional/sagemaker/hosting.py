"""Models and endpoints of a test's own on a twin, by boto3 alone."""

from __future__ import annotations

import sys
import uuid
from dataclasses import dataclass, field
from typing import Any

import boto3

from tests.functional.twin.iam import allow, role
from tests.patience import until
from tests.unit.twin.services.sagemaker.doubles import archive
from trainworks.testing import TestTwin

PYTHON_IMAGE = f"python:{sys.version_info.major}.{sys.version_info.minor}"
SERVICE = {"Service": "sagemaker.amazonaws.com"}
ECHO = """
import os, time
def model_fn(model_dir):
    return open(model_dir + "/weights").read()
def transform_fn(model, data, content_type, accept):
    if data == "exit":
        os.kill(os.getppid(), 9)
        time.sleep(60)
    if data == "sleep":
        time.sleep(0.2)
    if data == "fail":
        raise RuntimeError("this model cannot")
    return f"{model} {data} {content_type} {accept}", "text/plain"
"""


@dataclass
class Hosting:
    """A role and a bucket; what is made here is deleted by `close`."""

    twin: TestTwin
    bucket: str
    role_arn: str
    made: list[str] = field(default_factory=list)

    def client(self, name: str, session: boto3.Session | None = None) -> Any:
        return self.twin.client(name, session)

    def model(self, files: dict[str, str | bytes] | None = None, script: str = ECHO, **members: Any) -> str:
        """The name of a new model with these files beside `weights` and `code/inference.py`."""
        name = f"model-{uuid.uuid4().hex[:8]}"
        body = archive({"weights": "w", "code/inference.py": script, **(files or {})})
        self.client("s3").put_object(Bucket=self.bucket, Key=f"{name}.tar.gz", Body=body)
        container = {"Image": PYTHON_IMAGE, "ModelDataUrl": f"s3://{self.bucket}/{name}.tar.gz"}
        container |= members.pop("container", {})
        given = {"PrimaryContainer": container, "ExecutionRoleArn": self.role_arn, **members}
        self.client("sagemaker").create_model(ModelName=name, **given)
        return name

    def config(self, *variants: dict[str, Any]) -> str:
        """The name of a new configuration; a variant says what differs from one instance of `ModelName`."""
        name = f"config-{uuid.uuid4().hex[:8]}"
        usual = {"VariantName": "AllTraffic", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        self.client("sagemaker").create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**usual, **each} for each in variants]
        )
        return name

    def endpoint(self, *variants: dict[str, Any], wanted: str = "InService") -> str:
        """The name of a new endpoint, once it is what it should be."""
        name = f"endpoint-{uuid.uuid4().hex[:8]}"
        self.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=self.config(*variants))
        self.made.append(name)
        self.wait(name, wanted)
        return name

    def describe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client("sagemaker").describe_endpoint(EndpointName=name)
        return found

    def wait(self, name: str, wanted: str = "InService") -> dict[str, Any]:
        def settled() -> dict[str, Any] | None:
            found = self.describe(name)
            return None if found["EndpointStatus"] in ("Creating", "Updating", "Deleting") else found

        found = until(settled, f"an end of the change of {name}")
        assert found is not None
        assert found["EndpointStatus"] == wanted, found
        return found

    def invoke(self, name: str, body: str | bytes = "x", **members: Any) -> str:
        answer = self.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, Body=body, **{"ContentType": "text/csv", "Accept": "text/plain", **members}
        )
        return str(answer["Body"].read().decode())

    def log(self, name: str) -> list[str]:
        logs, group = self.client("logs"), f"/aws/sagemaker/Endpoints/{name}"
        try:
            streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]

    def delete(self, name: str) -> None:
        sagemaker = self.client("sagemaker")
        sagemaker.delete_endpoint(EndpointName=name)
        self.made.remove(name)

        def is_gone() -> bool:
            return all(
                each["EndpointName"] != name for each in sagemaker.list_endpoints(NameContains=name)["Endpoints"]
            )

        until(is_gone, f"the end of {name}")

    def close(self) -> None:
        for name in list(self.made):
            if self.describe(name)["EndpointStatus"] in ("InService", "Failed"):
                self.delete(name)


def make_hosting(twin: TestTwin) -> Hosting:
    bucket = f"models-{uuid.uuid4().hex[:8]}"
    twin.client("s3").create_bucket(Bucket=bucket)
    logs = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    readable = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    arn = role(twin, SERVICE, allow(["s3:GetObject", "s3:ListBucket"], readable), allow(logs))
    return Hosting(twin, bucket, arn)

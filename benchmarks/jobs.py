"""A script run as a training job of a scratch twin, and what it printed."""

from __future__ import annotations

import io
import json
import platform
import tarfile
import time
from dataclasses import dataclass

from twins import ScratchTwin

# The interpreter in use: what is measured is the way of a job, not the making of an image.
IMAGE = "public.ecr.aws/docker/library/python:{}.{}".format(*platform.python_version_tuple())
CODE = "code/sourcedir.tar.gz"


@dataclass(frozen=True)
class Scripted:
    """A script in S3 that jobs of this twin run, as a role, with the bucket that it lies in."""

    twin: ScratchTwin
    role: str
    bucket: str

    def upload(self, script: str) -> None:
        body, text = io.BytesIO(), script.encode()
        with tarfile.open(fileobj=body, mode="w:gz") as archive:
            entry = tarfile.TarInfo("script.py")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
        self.twin.client("s3").put_object(Bucket=self.bucket, Key=CODE, Body=body.getvalue())

    def seconds_until_seen(self, name: str, input_uri: str | None = None) -> tuple[float, dict[str, float]]:
        """Seconds from the request until the time `at` in the JSON object that the script printed, and that object."""
        sagemaker, logs = self.twin.client("sagemaker"), self.twin.client("logs")
        sagemaker.list_training_jobs()  # the connection is open before the clock starts
        started = time.time()
        sagemaker.create_training_job(**self.request(name, input_uri))
        sagemaker.get_waiter("training_job_completed_or_stopped").wait(
            TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        found = logs.filter_log_events(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{name}/", filterPattern='"at"'
        )["events"]
        printed: dict[str, float] = json.loads(found[0]["message"])
        return printed["at"] - started, printed

    def request(self, name: str, input_uri: str | None = None) -> dict[str, object]:
        """A CreateTrainingJob that runs the script."""
        program = {"sagemaker_program": "script.py", "sagemaker_submit_directory": f"s3://{self.bucket}/{CODE}"}
        request: dict[str, object] = {
            "TrainingJobName": name,
            "RoleArn": self.role,
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "HyperParameters": {key: json.dumps(value) for key, value in program.items()},
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/output"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        }
        if input_uri:
            source = {"S3DataType": "S3Prefix", "S3Uri": input_uri, "S3DataDistributionType": "FullyReplicated"}
            request["InputDataConfig"] = [{"ChannelName": "training", "DataSource": {"S3DataSource": source}}]
        return request

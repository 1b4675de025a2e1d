"""Training jobs, on demand and on spot: each that was taken in ends, and a model that was said to be there is."""

from __future__ import annotations

import io
import json
import tarfile
import time

from customer import Customer
from kills import HURTS_TASKS

BUCKET = "drill-training"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
CODE_KEY = "code/sourcedir.tar.gz"
CHECKPOINTS = "/opt/ml/checkpoints"
SCRIPT = f"""import os, pathlib, time, uuid
print("run", uuid.uuid4(), flush=True)
if os.path.isdir("{CHECKPOINTS}"):
    steps = pathlib.Path("{CHECKPOINTS}")
    begun = len(list(steps.iterdir()))
    print("from step", begun, flush=True)
    for step in range(begun, 3):
        (steps / f"step-{{step}}").write_text(os.environ["SM_HP_NAME"])
        time.sleep(0.1)
time.sleep(float(os.environ.get("SM_HP_SECONDS", "0.5")))
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(os.environ["SM_HP_NAME"])
print("loss=0.25", flush=True)
"""
ENDED = ("Completed", "Failed", "Stopped")
MOST_OPEN = 4


class Training(Customer):
    def prepare(self) -> None:
        self.s3, self.sagemaker, self.logs = (self.twin.client(each) for each in ("s3", "sagemaker", "logs"))
        self.role = self.twin.role(
            "drill-training", "sagemaker.amazonaws.com", "s3:*", "logs:*", "cloudwatch:PutMetricData"
        )
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_object(Bucket=BUCKET, Key=CODE_KEY, Body=_archive())
        self.open: dict[str, float] = {}
        self.number = 0

    def step(self) -> None:
        time.sleep(0.5)
        if len(self.open) >= MOST_OPEN:
            self._look()
            return
        self.number += 1
        name, submitted_at = f"drill-{self.number}", time.time()
        self.open[name] = submitted_at
        try:
            self.ack(self.sagemaker.create_training_job(**self._request(name)))
        except BaseException:
            del self.open[name]
            raise

    def audit(self) -> None:
        def none_open() -> bool:
            self._look()
            return not self.open

        self.wait(none_open, 180, f"the end of training jobs {sorted(self.open)}")

    def _look(self) -> None:
        for name in list(self.open):
            job = self.ack(self.sagemaker.describe_training_job(TrainingJobName=name))
            if job["TrainingJobStatus"] in ENDED:
                self._judge(job, self.open.pop(name))

    def _judge(self, job: dict[str, object], submitted_at: float) -> None:
        name, status = str(job["TrainingJobName"]), job["TrainingJobStatus"]
        excused = self.ledger.kills_since(submitted_at, *HURTS_TASKS) > 0
        reason = job.get("FailureReason")
        self.ledger.check(self.name, status == "Completed" or excused, "wrong", f"{name} is {status}: {reason}")
        if status != "Completed":
            return
        key = str(job["ModelArtifacts"]["S3ModelArtifacts"]).removeprefix(f"s3://{BUCKET}/")  # type: ignore[index]
        with tarfile.open(fileobj=io.BytesIO(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())) as archive:
            member = archive.extractfile("model.txt")
            content = member.read().decode() if member else ""
        self.ledger.check(self.name, content == name, "lost", f"the model of {name} holds {content!r}")
        found = self.logs.filter_log_events(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{name}/", filterPattern='"run"'
        )["events"]
        runs = {event["message"] for event in found if event["message"].startswith("run ")}
        attempts = sum(each["Status"] == "Training" for each in job["SecondaryStatusTransitions"])  # type: ignore[attr-defined]
        self.ledger.check(self.name, len(runs) >= 1, "lost", f"{name} is Completed and its log is empty")
        self.ledger.check(
            self.name, len(runs) <= attempts, "twice", f"{name} trained {attempts} times, ran {len(runs)}"
        )
        self._judge_checkpoints(job)
        metrics = {each["MetricName"]: each["Value"] for each in job.get("FinalMetricDataList", [])}  # type: ignore[attr-defined]
        self.ledger.check(self.name, metrics.get("loss") == 0.25, "lost", f"{name} has the metrics {metrics}")

    def _judge_checkpoints(self, job: dict[str, object]) -> None:
        """A job that is Completed has made every step once, by whatever attempt, and S3 has them all."""
        name = str(job["TrainingJobName"])
        if "CheckpointConfig" not in job:
            return
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"checkpoints/{name}/").get("Contents", [])
        steps = {each["Key"].rpartition("/")[2] for each in listed}
        self.ledger.check(self.name, steps == {"step-0", "step-1", "step-2"}, "lost", f"{name} has saved {steps}")

    def _request(self, name: str) -> dict[str, object]:
        spot = self.chance.random() < 0.5
        parameters = {
            "sagemaker_program": "script.py", "sagemaker_submit_directory": f"s3://{BUCKET}/{CODE_KEY}",
            "name": name, "seconds": self.chance.choice([0.1, 0.5, 2.0]),
        }  # fmt: skip
        request: dict[str, object] = {
            "TrainingJobName": name,
            "RoleArn": self.role,
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE, "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
            },
            "HyperParameters": {key: json.dumps(value) for key, value in parameters.items()},
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/output"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 120},
            "EnableManagedSpotTraining": spot,
        }  # fmt: skip
        if spot:
            request["StoppingCondition"] = {"MaxRuntimeInSeconds": 120, "MaxWaitTimeInSeconds": 600}
            request["CheckpointConfig"] = {"S3Uri": f"s3://{BUCKET}/checkpoints/{name}"}
        return request


def _archive() -> bytes:
    body, text = io.BytesIO(), SCRIPT.encode()
    with tarfile.open(fileobj=body, mode="w:gz") as archive:
        entry = tarfile.TarInfo("script.py")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return body.getvalue()

"""Training jobs with something really wrong with them, on a running twin: the first cause is the right one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from tests.functional.doctor.conftest import Bench, allow, until
from tests.unit.twin.services.sagemaker.doubles import archive
from trainworks.doctor.finding import Outcome

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
ENDED = ("Completed", "Failed", "Stopped")


class Jobs:
    """Training jobs of one test: a bucket, and a role that may do all that a job needs in it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.bucket = bench.name
        self.sagemaker = bench.twin.client("sagemaker")
        self.s3 = bench.twin.client("s3")
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_object(Bucket=self.bucket, Key="datasets/a", Body=b"1")
        self.started: list[str] = []

    def role(self, *prefixes: str, image: bool = True) -> str:
        """May read everything, write below `prefixes`, and pull images if asked for."""
        objects = [f"arn:aws:s3:::{self.bucket}/{prefix}*" for prefix in prefixes]
        basics = ["logs:*", "cloudwatch:PutMetricData", "s3:GetObject", "s3:ListBucket", "ec2:*"]
        both = [allow([*basics, *(["ecr:*"] if image else [])], "*"), allow(["s3:PutObject"], *objects)]
        return self.bench.role("sagemaker.amazonaws.com", *both)

    def train(self, script: str, role_arn: str, **members: Any) -> str:
        name = f"{self.bench.name}-{len(self.started)}"
        key = f"code/{name}/sourcedir.tar.gz"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=archive({"train.py": script}))
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.bucket}/datasets/"}
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "RoleArn": role_arn,
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/output/"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "HyperParameters": {
                "sagemaker_program": '"train.py"',
                "sagemaker_submit_directory": f'"s3://{self.bucket}/{key}"',
            },
            **members,
        }
        self.sagemaker.create_training_job(**request)
        self.started.append(name)
        return name

    def status(self, name: str) -> Any:
        return self.sagemaker.describe_training_job(TrainingJobName=name)

    def ended(self, name: str) -> Any:
        return until(lambda: self.status(name), lambda job: job["TrainingJobStatus"] in ENDED)

    def interrupt(self, name: str) -> None:
        body = json.dumps({"training_job_name": name, "notice_seconds": 0.1}).encode()
        request = AWSRequest("POST", f"{self.bench.twin.endpoint_url}/_trainworks/interrupt", data=body)
        SigV4Auth(self.bench.twin.session().get_credentials(), "ec2", "us-east-1").add_auth(request)  # type: ignore[no-untyped-call]
        assert URLLib3Session().send(request.prepare()).status_code == 200


@pytest.fixture
def jobs(bench: Bench) -> Iterator[Jobs]:
    made = Jobs(bench)
    yield made
    for name in made.started:
        if made.status(name)["TrainingJobStatus"] == "InProgress":
            made.sagemaker.stop_training_job(TrainingJobName=name)


def spot(jobs: Jobs, checkpoints: str = "") -> dict[str, Any]:
    members: dict[str, Any] = {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
    }
    if checkpoints:
        members["CheckpointConfig"] = {"S3Uri": f"s3://{jobs.bucket}/{checkpoints}"}
    return members


def test_a_script_that_failed_with_what_it_wrote_as_its_failure(jobs: Jobs) -> None:
    script = "open('/opt/ml/output/failure', 'w').write('the labels are empty'); raise SystemExit(7)"
    name = jobs.train(script, jobs.role("output/"))
    jobs.ended(name)
    first = jobs.bench.first(name)
    assert (first.code, first.what) == ("script-failed", "the script failed with exit code 7")
    assert "the labels are empty" in first.evidence[0].value


def test_a_disk_that_is_full_is_called_full(jobs: Jobs) -> None:
    name = jobs.train("import errno, os; raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))", jobs.role("output/"))
    jobs.ended(name)
    assert jobs.bench.first(name).code == "disk-full"


def test_a_role_that_may_not_write_the_model(jobs: Jobs) -> None:
    name = jobs.train("open('/opt/ml/model/weights', 'w').write('1')", jobs.role("elsewhere/"))
    assert jobs.ended(name)["TrainingJobStatus"] == "Failed"
    found = jobs.bench.diagnose(name)
    assert found.findings[0].code == "access-denied"
    assert "s3:PutObject" in found.findings[0].what
    simulated = next(finding for finding in found.findings if finding.code == "role-lacks-permission")
    assert "implicitDeny" in simulated.evidence[0].value
    assert f"arn:aws:s3:::{jobs.bucket}/output/{name}/output/model.tar.gz" in simulated.fix


def test_a_role_that_may_not_save_checkpoints_is_found_before_the_interruption(jobs: Jobs) -> None:
    name = jobs.train("import time; time.sleep(60)", jobs.role("output/"), **spot(jobs, "checkpoints/x"))
    until(lambda: jobs.status(name), lambda job: job["SecondaryStatus"] == "Training")
    found = jobs.bench.diagnose(name)
    assert [finding.code for finding in found.causes] == ["checkpoints-denied"]
    assert f"arn:aws:s3:::{jobs.bucket}/checkpoints/x/state" in found.findings[0].what
    assert "implicitDeny" in found.findings[0].evidence[0].value


def test_an_interruption_without_checkpoints(jobs: Jobs) -> None:
    name = jobs.train("import time; time.sleep(60)", jobs.role("output/"), **spot(jobs))
    until(lambda: jobs.status(name), lambda job: job["SecondaryStatus"] == "Training")
    assert [(f.code, f.outcome) for f in jobs.bench.diagnose(name).causes] == [
        ("no-checkpoint-config", Outcome.WARNING)
    ]
    jobs.interrupt(name)
    until(lambda: jobs.status(name), lambda job: len(job["SecondaryStatusTransitions"]) > 5)
    causes = jobs.bench.diagnose(name).causes
    assert [(f.code, f.outcome) for f in causes][:2] == [
        ("no-checkpoint-config", Outcome.PROBLEM),
        ("interrupted", Outcome.WARNING),
    ]


def test_an_interruption_that_saved_nothing(jobs: Jobs) -> None:
    role = jobs.role("output/", "checkpoints/")
    name = jobs.train("import time; time.sleep(60)", role, **spot(jobs, "checkpoints/y"))
    until(lambda: jobs.status(name), lambda job: job["SecondaryStatus"] == "Training")
    jobs.interrupt(name)
    until(lambda: jobs.status(name), lambda job: len(job["SecondaryStatusTransitions"]) > 5)
    assert jobs.bench.first(name).code == "no-checkpoints-saved"


def test_a_role_that_may_not_pull_its_image_which_is_not_there_either(jobs: Jobs) -> None:
    jobs.bench.twin.client("ecr").create_repository(repositoryName=jobs.bench.name)
    image = f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{jobs.bench.name}:v9"
    algorithm = {"TrainingImage": image, "TrainingInputMode": "File"}
    name = jobs.train("", jobs.role("output/", image=False), AlgorithmSpecification=algorithm)
    jobs.ended(name)
    causes = jobs.bench.diagnose(name).causes
    assert [finding.code for finding in causes][:2] == ["access-denied", "image-missing"]
    assert "ecr:BatchGetImage" in causes[0].what or "ecr:" in causes[0].what
    assert any("cannot pull its image" in finding.what for finding in causes)


def test_an_input_that_is_not_there(jobs: Jobs) -> None:
    manifest = json.dumps([{"prefix": f"s3://{jobs.bucket}/nothing/"}, "a.csv"])
    jobs.bench.twin.client("s3").put_object(Bucket=jobs.bucket, Key="manifest", Body=manifest.encode())
    source = {"S3DataType": "ManifestFile", "S3Uri": f"s3://{jobs.bucket}/manifest"}
    name = jobs.train(
        "", jobs.role("output/"), InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}]
    )
    jobs.ended(name)
    assert jobs.bench.first(name).code == "input-missing"


def test_the_limit_of_its_running_time(jobs: Jobs) -> None:
    name = jobs.train("import time; time.sleep(60)", jobs.role("output/"), StoppingCondition={"MaxRuntimeInSeconds": 1})
    jobs.ended(name)
    first = jobs.bench.first(name)
    assert first.code == "max-runtime-exceeded"
    assert "raise max_runtime_seconds" in first.fix


def test_a_subnet_without_a_way_to_s3_is_seen_until_it_has_one(jobs: Jobs) -> None:
    vpc = {"Subnets": [jobs.bench.subnet_id], "SecurityGroupIds": [jobs.bench.group_id]}
    role = jobs.bench.role("sagemaker.amazonaws.com", allow(["logs:*", "ec2:*", "ecr:*"], "*"))
    name = jobs.train("", role, VpcConfig=vpc)
    jobs.ended(name)
    found = jobs.bench.diagnose(name)
    assert found.findings[0].code == "access-denied"
    unreachable = next(finding for finding in found.causes if finding.code == "s3-unreachable")
    assert jobs.bench.subnet_id in unreachable.what
    assert "gateway endpoint for S3" in unreachable.fix
    assert not any("servicequotas" in finding.what for finding in found.findings)
    jobs.bench.s3_gateway()
    assert "s3-unreachable" not in [finding.code for finding in jobs.bench.diagnose(name).findings]


def test_a_job_that_does_well(jobs: Jobs) -> None:
    name = jobs.train("print('trained')", jobs.role("output/"))
    assert jobs.ended(name)["TrainingJobStatus"] == "Completed"
    found = jobs.bench.diagnose(f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}")
    assert (found.exit_code, [finding.code for finding in found.findings]) == (0, ["as-it-should-be"])

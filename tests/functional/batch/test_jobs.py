"""Batch by boto3 alone on a real twin: what containers see, how they end, and that a crash changes nothing."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from tests.functional.compute.agents import freeze, kill
from tests.functional.twin.test_events import queue
from tests.patience import PATIENCE_SECONDS
from trainworks.testing import TestTwin

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Platform:
    """A queue over one compute environment, by names of its own, in the twin's usual region or another one."""

    def __init__(self, twin: TestTwin, region: str | None = None) -> None:
        self.twin = twin
        self._session = None if region is None else twin.session(region_name=region)
        self.batch = twin.client("batch", self._session)
        self.name = f"b{uuid.uuid4().hex[:8]}"
        ec2 = twin.client("ec2", self._session)
        vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.1.0/24")["Subnet"]["SubnetId"]
        twin.client("iam").create_instance_profile(InstanceProfileName=self.name)
        self.batch.create_compute_environment(
            computeEnvironmentName=self.name,
            type="MANAGED",
            computeResources={
                "type": "SPOT",
                "allocationStrategy": "SPOT_PRICE_CAPACITY_OPTIMIZED",
                "maxvCpus": 8,
                "instanceTypes": ["m5.large"],
                "subnets": [subnet],
                "instanceRole": self.name,
            },
        )
        order = [{"order": 1, "computeEnvironment": self.name}]
        self.batch.create_job_queue(jobQueueName=self.name, priority=1, computeEnvironmentOrder=order)

    def delete(self) -> None:
        self.batch.update_job_queue(jobQueue=self.name, state="DISABLED")
        self.batch.delete_job_queue(jobQueue=self.name)
        self.batch.update_compute_environment(computeEnvironment=self.name, state="DISABLED")
        self.batch.delete_compute_environment(computeEnvironment=self.name)

    def submit(
        self, command: list[str], *, memory: int = 128, container: dict[str, Any] | None = None, **more: Any
    ) -> str:
        requirements = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": str(memory)}]
        definition = self.batch.register_job_definition(
            jobDefinitionName=self.name,
            type="container",
            containerProperties={
                "image": "python:3",
                "command": command,
                "resourceRequirements": requirements,
                **(container or {}),
            },
        )["jobDefinitionArn"]
        answer = self.batch.submit_job(jobName="job", jobQueue=self.name, jobDefinition=definition, **more)
        return str(answer["jobId"])

    def job(self, job_id: str) -> Any:
        return self.batch.describe_jobs(jobs=[job_id])["jobs"][0]

    def until(self, job_id: str, done: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            job = self.job(job_id)
            if done(job):
                return job
            assert time.monotonic() < deadline, job
            time.sleep(0.05)

    def ended(self, job_id: str) -> Any:
        return self.until(job_id, lambda job: job["status"] in ("SUCCEEDED", "FAILED"))

    def output(self, job: Any, group: str = "/aws/batch/job") -> list[str]:
        """All lines of a job's log; they follow its end within a moment."""
        logs = self.twin.client("logs", self._session)
        stream = job["container"]["logStreamName"]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = []
            with suppress(logs.exceptions.ResourceNotFoundException):  # the first line makes the group
                found = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]
            if found:
                events = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
                if events and events[-1]["message"].endswith("end"):
                    return [event["message"] for event in events]
            time.sleep(0.05)
        raise AssertionError(f"no output in {group} {stream}")


@pytest.fixture
def platform(twin: TestTwin) -> Iterator[Platform]:
    made = Platform(twin)
    yield made
    made.delete()


def script(*lines: str) -> list[str]:
    return ["python", "-c", "\n".join(lines)]


def test_each_of_many_jobs_that_start_alike_says_in_its_log_what_stands_for_its_image(platform: Platform) -> None:
    ids = [platform.submit(["true"]) for _ in range(5)]
    jobs = [platform.ended(job_id) for job_id in ids]
    assert {job["status"] for job in jobs} == {"SUCCEEDED"}
    logs = platform.twin.client("logs")
    for job in jobs:
        stream = job["container"]["logStreamName"]
        events = logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=stream)["events"]
        said = [event["message"] for event in events]
        assert sum(each.startswith(f"trainworks: {sys.executable} stands for ") for each in said) == 1, said


def test_a_container_has_its_own_folder_and_knows_its_job(platform: Platform) -> None:
    job_id = platform.submit(
        script(
            "import json, os",
            "open('mine', 'x').write('x')",
            "print(json.dumps({name: value for name, value in os.environ.items() if name.startswith('AWS_')}))",
            "print(os.getcwd(), 'end')",
        )
    )
    job = platform.ended(job_id)
    assert job["status"] == "SUCCEEDED", job
    lines = platform.output(job)
    assert lines[-1] == "/tmp end"
    env = json.loads(lines[-2])
    assert env["AWS_BATCH_JOB_ID"] == job_id
    assert env["AWS_BATCH_JOB_ATTEMPT"] == "1"
    assert env["AWS_BATCH_JQ_NAME"] == env["AWS_BATCH_CE_NAME"] == platform.name
    assert env["AWS_ENDPOINT_URL"] == platform.twin.endpoint_url
    assert "AWS_SECRET_ACCESS_KEY" not in env


def test_a_container_acts_as_its_job_role_and_no_more(platform: Platform) -> None:
    bucket = platform.name
    platform.twin.client("s3").create_bucket(Bucket=bucket)
    iam = platform.twin.client("iam")
    role = iam.create_role(RoleName=platform.name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    allowed = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/predictions/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=platform.name, PolicyName="p", PolicyDocument=policy)
    job_id = platform.submit(
        script(
            "import boto3, botocore",
            "s3 = boto3.client('s3')",
            f"s3.put_object(Bucket='{bucket}', Key='predictions/a', Body=b'yes')",
            "try:",
            f"    s3.put_object(Bucket='{bucket}', Key='elsewhere/a', Body=b'no')",
            "except botocore.exceptions.ClientError as error:",
            "    print(error.response['Error']['Code'])",
            "print('end')",
        ),
        container={"jobRoleArn": role},
    )
    job = platform.ended(job_id)
    assert job["status"] == "SUCCEEDED", platform.output(job)
    assert platform.output(job)[-2:] == ["AccessDenied", "end"]
    listed = platform.twin.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert [each["Key"] for each in listed] == ["predictions/a"]


def test_output_needs_no_group_that_somebody_made_but_for_one_of_ones_own(twin: TestTwin) -> None:
    """A role that may write streams, as CDK makes it. Batch makes its own group; another one the role has to make."""
    platform = Platform(twin, "eu-south-2")
    iam = twin.client("iam")
    role = iam.create_role(RoleName=platform.name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]

    def allow(*actions: str) -> None:
        allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_role_policy(RoleName=platform.name, PolicyName="p", PolicyDocument=policy)

    def ended(**options: str) -> Any:
        configuration = {"logConfiguration": {"logDriver": "awslogs", "options": options}} if options else {}
        return platform.ended(platform.submit(["echo", "end"], container={"executionRoleArn": role, **configuration}))

    try:
        allow("logs:CreateLogStream", "logs:PutLogEvents")
        assert platform.output(ended())[-1] == "end"
        own = {"awslogs-group": platform.name, "awslogs-create-group": "true"}
        reason = ended(**own)["container"]["reason"]
        assert "failed to create Cloudwatch log group: AccessDenied" in reason
        allow("logs:CreateLogStream", "logs:PutLogEvents", "logs:CreateLogGroup")
        assert platform.output(ended(**own), platform.name)[-1] == "end"
    finally:
        platform.delete()


def test_a_program_is_found_by_path_and_never_by_a_shell(platform: Platform) -> None:
    job_id = platform.submit(["echo", "$HOME; true", "end"])
    job = platform.ended(job_id)
    assert platform.output(job)[-1] == "$HOME; true end"


def test_too_much_memory_is_said_so(platform: Platform) -> None:
    job = platform.ended(
        platform.submit(script("data = bytearray(400_000_000)", "import time; time.sleep(600)"), memory=64)
    )
    assert job["status"] == "FAILED"
    assert job["container"]["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_an_interrupted_spot_instance_fails_the_attempt_and_the_strategy_retries(platform: Platform) -> None:
    strategy = {
        "attempts": 2,
        "evaluateOnExit": [
            {"onStatusReason": "Host EC2*", "action": "RETRY"},
            {"onReason": "*", "action": "EXIT"},
        ],
    }
    code = script("import os, time", "time.sleep(600 if os.environ['AWS_BATCH_JOB_ATTEMPT'] == '1' else 0)")
    job_id = platform.submit(code, retryStrategy=strategy)
    platform.until(job_id, lambda job: job["status"] == "RUNNING")
    interrupt(platform.twin, job_id)
    job = platform.ended(job_id)
    assert job["status"] == "SUCCEEDED"
    assert [attempt["statusReason"].split(" (")[0] for attempt in job["attempts"]] == [
        "Host EC2",
        "Essential container in task exited",
    ]


def interrupt(twin: TestTwin, job_id: str) -> None:
    body = json.dumps({"job_id": job_id, "notice_seconds": 0.2}).encode()
    request = AWSRequest("POST", f"{twin.endpoint_url}/_trainworks/interrupt", data=body)
    SigV4Auth(twin.session().get_credentials(), "ec2", "us-east-1").add_auth(request)  # type: ignore[no-untyped-call]
    answer = URLLib3Session().send(request.prepare())  # type: ignore[no-untyped-call]
    assert answer.status_code == 200, answer.text


def test_a_running_job_is_terminated(platform: Platform) -> None:
    job_id = platform.submit(script("import time", "time.sleep(60)"))
    platform.until(job_id, lambda job: job["status"] == "RUNNING")
    platform.batch.terminate_job(jobId=job_id, reason="enough")
    job = platform.ended(job_id)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "enough", True)


def test_a_failed_job_reaches_the_queue_of_a_rule(platform: Platform) -> None:
    sqs, events = platform.twin.client("sqs"), platform.twin.client("events")
    url, arn = queue(platform.twin, platform.name)
    pattern = {"source": ["aws.batch"], "detail-type": ["Batch Job State Change"], "detail": {"status": ["FAILED"]}}
    events.put_rule(Name=platform.name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=platform.name, Targets=[{"Id": "q", "Arn": arn}])
    job_id = platform.submit(["false"])
    assert platform.ended(job_id)["status"] == "FAILED"
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    detail = json.loads(message["Body"])["detail"]
    assert (detail["jobId"], detail["container"]["exitCode"]) == (job_id, 1)
    events.remove_targets(Rule=platform.name, Ids=["q"])
    events.delete_rule(Name=platform.name)


def test_a_fargate_job_runs(platform: Platform) -> None:
    name = f"{platform.name}f"
    ec2, iam, batch = platform.twin.client("ec2"), platform.twin.client("iam"), platform.batch
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    logs = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [logs]})
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName=name, Description="g", VpcId=vpc)["GroupId"]
    resources = {"type": "FARGATE", "maxvCpus": 4, "subnets": [subnet], "securityGroupIds": [group]}
    batch.create_compute_environment(computeEnvironmentName=name, type="MANAGED", computeResources=resources)
    batch.create_job_queue(
        jobQueueName=name, priority=1, computeEnvironmentOrder=[{"order": 1, "computeEnvironment": name}]
    )
    requirements = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
    batch.register_job_definition(
        jobDefinitionName=name,
        type="container",
        platformCapabilities=["FARGATE"],
        containerProperties={
            "image": "python:3",
            "command": ["echo", "end"],
            "resourceRequirements": requirements,
            "executionRoleArn": role,
        },
    )
    job = platform.ended(batch.submit_job(jobName="job", jobQueue=name, jobDefinition=name)["jobId"])
    assert job["status"] == "SUCCEEDED", job
    assert "containerInstanceArn" not in job["container"]
    assert platform.output(job)[-1] == "end"


def test_a_host_that_fails_before_a_job_begins_costs_no_attempt(own_twin: TestTwin) -> None:
    platform = Platform(own_twin)
    frozen = freeze(own_twin.home.root)
    assert frozen, "the spare instance"
    job_id = platform.submit(["echo", "end"])
    claimed = platform.until(job_id, lambda job: job["status"] == "STARTING")
    kill(frozen)
    job = platform.ended(job_id)
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 1)
    assert job["attempts"][0]["container"]["containerInstanceArn"] != claimed["container"]["containerInstanceArn"]
    assert platform.output(job).count("end") == 1


def test_jobs_go_on_when_the_server_is_killed_and_nothing_runs_twice(own_twin: TestTwin) -> None:
    platform = Platform(own_twin)
    code = script(
        "import os, time, uuid",
        "print(os.environ['AWS_BATCH_JOB_ARRAY_INDEX'], uuid.uuid4(), flush=True)",
        "time.sleep(0.5)",
        "print('end')",
    )
    job_id = platform.submit(code, arrayProperties={"size": 12})
    platform.until(f"{job_id}:0", lambda job: job["status"] in ("RUNNING", "SUCCEEDED"))
    own_twin.kill()
    own_twin.start()
    job = platform.ended(job_id)
    assert job["status"] == "SUCCEEDED"
    for index in range(12):
        child = platform.job(f"{job_id}:{index}")
        assert len(child["attempts"]) == 1
        # A line that was on its way into Logs at the kill may come twice; a second run would print another id.
        lines = list(dict.fromkeys(line for line in platform.output(child) if not line.startswith("trainworks:")))
        assert [line.split()[0] for line in lines] == [str(index), "end"]

"""Who subscribes to the deployed platform's topic reads what went wrong, and nothing of anybody else's jobs."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from tests.functional.twin.test_events import eventually, queue
from tests.patience import PATIENCE_SECONDS
from trainworks.testing import TestTwin

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
RETRY = {"attempts": 2, "evaluateOnExit": [{"onStatusReason": "Host EC2*", "action": "RETRY"}]}


class Inbox:
    """Everything that the topic sent since this was made, through a queue that is subscribed to it."""

    def __init__(self, twin: TestTwin, topic_arn: str) -> None:
        self._sqs = twin.client("sqs")
        self._url, arn = queue(twin, f"inbox-{secrets.token_hex(4)}")
        twin.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
        self._messages: list[str] = []

    def messages(self) -> list[str]:
        found = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", [])
        for each in found:
            self._messages.append(json.loads(each["Body"])["Message"])
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=each["ReceiptHandle"])
        return self._messages

    def words(self) -> list[list[str]]:
        """The lines of what was written for people; what alarms send is JSON. EventBridge leaves each in quotes."""
        texts = [message for message in self.messages() if not message.startswith("{")]
        return [[line.strip('"') for line in text.splitlines()] for text in texts]

    def about(self, name: str) -> list[str]:
        """The lines of the first message that names a job."""
        found: list[str] = eventually(
            lambda: next((lines for lines in self.words() if name in lines[0]), None), PATIENCE_SECONDS
        )
        return found


class Jobs:
    """Starts jobs on the platform, and outside it."""

    def __init__(self, twin: TestTwin, outputs: dict[str, str]) -> None:
        self.twin, self.outputs = twin, outputs
        self.sagemaker, self.batch = twin.client("sagemaker"), twin.client("batch")

    def train(self, *command: str, role_arn: str | None = None) -> str:
        name = f"{self.outputs['EnvironmentSuffix']}-{secrets.token_hex(4)}"
        config = json.loads(self.outputs["TrainingJobConfig"])
        config["CheckpointConfig"]["S3Uri"] += name
        config |= {"RoleArn": role_arn} if role_arn else {}
        self.sagemaker.create_training_job(
            **config,
            TrainingJobName=name,
            AlgorithmSpecification={
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": list(command),
            },
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        )
        return name

    def submit(
        self, *command: str, queue_arn: str | None = None, vcpus: int = 1, array_size: int = 0
    ) -> tuple[str, str]:
        """(name, id) of a batch job."""
        name = f"b-{secrets.token_hex(4)}"
        needs = [{"type": "VCPU", "value": str(vcpus)}, {"type": "MEMORY", "value": "256"}]
        definition = self.batch.register_job_definition(
            jobDefinitionName=name,
            type="container",
            containerProperties={"image": IMAGE, "command": list(command), "resourceRequirements": needs},
            retryStrategy=RETRY,
        )["jobDefinitionArn"]
        array = {"arrayProperties": {"size": array_size}} if array_size else {}
        job_id = self.batch.submit_job(
            jobName=name, jobQueue=queue_arn or self.outputs["JobQueueArn"], jobDefinition=definition, **array
        )["jobId"]
        return name, job_id

    def batch_status(self, job_id: str) -> str:
        return str(self.batch.describe_jobs(jobs=[job_id])["jobs"][0]["status"])

    def training(self, name: str) -> dict[str, Any]:
        return dict(self.sagemaker.describe_training_job(TrainingJobName=name))

    def interrupt(self, **job: str) -> None:
        body = json.dumps({**job, "notice_seconds": 0.2}).encode()
        request = AWSRequest("POST", f"{self.twin.endpoint_url}/_trainworks/interrupt", data=body)
        SigV4Auth(self.twin.session().get_credentials(), "ec2", "us-east-1").add_auth(request)  # type: ignore[no-untyped-call]
        answer = URLLib3Session().send(request.prepare())  # type: ignore[no-untyped-call]
        assert answer.status_code == 200, answer.text


@pytest.fixture
def inbox(twin: TestTwin, outputs: dict[str, str]) -> Inbox:
    return Inbox(twin, outputs["FailureTopicArn"])


@pytest.fixture
def jobs(twin: TestTwin, outputs: dict[str, str]) -> Jobs:
    return Jobs(twin, outputs)


def ends(look: Callable[[], str], *states: str) -> None:
    eventually(lambda: look() in states, PATIENCE_SECONDS)


def test_a_failed_training_job_is_told_by_name_reason_and_place(inbox: Inbox, jobs: Jobs) -> None:
    name = jobs.train("sh", "-c", "exit 3")
    lines = inbox.about(name)
    suffix = jobs.outputs["EnvironmentSuffix"]
    assert lines[0] == f"Training job {name} of environment {suffix} failed."
    assert lines[1] == f"Reason: {jobs.training(name)['FailureReason']}".strip('"')
    assert lines[2].endswith(f"/sagemaker/home#/jobs/{name}")


def test_the_alarm_on_failures_goes_off(jobs: Jobs, twin: TestTwin) -> None:
    jobs.train("sh", "-c", "exit 3")
    alarms = twin.client("cloudwatch")

    def alarm() -> dict[str, Any] | None:
        pages = alarms.get_paginator("describe_alarms").paginate()
        found = [each for page in pages for each in page["MetricAlarms"]]
        return next(
            (
                a
                for a in found
                if jobs.outputs["FailureTopicArn"] in a["AlarmActions"] and "Training" in a["AlarmDescription"]
            ),
            None,
        )

    assert eventually(lambda: (a := alarm()) and a["StateValue"] == "ALARM", PATIENCE_SECONDS)


def test_a_training_job_that_loses_its_spot_instances_is_told(inbox: Inbox, jobs: Jobs) -> None:
    name = jobs.train("sleep", "60")
    ends(lambda: jobs.training(name)["SecondaryStatus"], "Training")
    jobs.interrupt(training_job_name=name)
    assert "lost its spot instances" in inbox.about(name)[0]
    jobs.sagemaker.stop_training_job(TrainingJobName=name)


def test_a_failed_batch_job_is_told_once_an_array_too(inbox: Inbox, jobs: Jobs) -> None:
    name, job_id = jobs.submit("sh", "-c", "exit 3", array_size=3)
    lines = inbox.about(name)
    assert lines[0].startswith(f"Batch job {name} ({job_id}) of environment")
    assert lines[1].startswith("Reason: ")
    time.sleep(0.5)
    assert [each[0] for each in inbox.words() if name in each[0]] == [lines[0]]


def test_a_job_that_blocks_the_queue_is_told_with_the_reason_of_batch(inbox: Inbox, jobs: Jobs) -> None:
    name, job_id = jobs.submit("true", vcpus=999)
    lines = inbox.about(name)
    assert "blocks the job queue" in lines[0]
    assert lines[1].startswith("Reason: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - ")
    jobs.batch.terminate_job(jobId=job_id, reason="seen")


def test_a_lost_spot_host_is_warned_of_by_ec2_and_told_with_the_job(twin: TestTwin, inbox: Inbox, jobs: Jobs) -> None:
    url, arn = queue(twin, f"warnings-{secrets.token_hex(4)}")
    events, rule = twin.client("events"), f"warnings-{secrets.token_hex(4)}"
    warning = {"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]}
    events.put_rule(Name=rule, EventPattern=json.dumps(warning))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
    name, job_id = jobs.submit("sleep", "60")
    ends(lambda: jobs.batch_status(job_id), "RUNNING")
    jobs.interrupt(job_id=job_id)
    assert "lost its host" in inbox.about(name)[0]
    event = json.loads(eventually(lambda: twin.client("sqs").receive_message(QueueUrl=url).get("Messages"))[0]["Body"])
    assert event["detail"]["instance-action"] == "terminate"
    assert event["resources"] == [f"arn:aws:ec2:us-east-1a:instance/{event['detail']['instance-id']}"]
    jobs.batch.terminate_job(jobId=job_id, reason="seen")


def test_jobs_of_others_are_not_told(twin: TestTwin, inbox: Inbox, jobs: Jobs) -> None:
    iam, name = twin.client("iam"), f"other-{secrets.token_hex(4)}"
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    anything = {"Effect": "Allow", "Action": ["s3:*", "logs:*", "ecr:*", "kms:*", "ec2:*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [anything]})
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    order = [{"order": 1, "computeEnvironment": jobs.outputs["ComputeEnvironmentArn"]}]
    other = jobs.batch.create_job_queue(jobQueueName=name, priority=1, computeEnvironmentOrder=order)["jobQueueArn"]

    training = jobs.train("sh", "-c", "exit 3", role_arn=role)
    _, batch = jobs.submit("sh", "-c", "exit 3", queue_arn=other)
    ends(lambda: jobs.training(training)["TrainingJobStatus"], "Failed")
    ends(lambda: jobs.batch_status(batch), "FAILED")
    # Events are published in order: what comes after theirs says that theirs were passed over.
    own, _ = jobs.submit("sh", "-c", "exit 3")
    inbox.about(own)
    told = "\n".join(line for lines in inbox.words() for line in lines)
    assert training not in told
    assert batch not in told

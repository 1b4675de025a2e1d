"""What the customers of AWS Batch share: one queue, one definition, and how a job's end is judged."""

from __future__ import annotations

import platform
from typing import Any

from customer import ACCOUNT_ID, Customer, Twin
from kills import HURTS_TASKS
from ledger import Ledger

QUEUE = "drill"
COMMAND = "echo ran $(cat /proc/sys/kernel/random/uuid); exit {}"
"""Prints a text that no other process prints, so that a task that ran twice is told from a line that was sent twice."""
ENDED = ("SUCCEEDED", "FAILED")
HOST_LOST = "Host EC2"


def prepare(twin: Twin) -> None:
    """A role, an environment, a queue and a definition; does nothing when they are there."""
    batch, ec2, iam = twin.client("batch"), twin.client("ec2"), twin.client("iam")
    if batch.describe_job_queues(jobQueues=[QUEUE])["jobQueues"]:
        return
    twin.role("drill-batch", ["ecs-tasks.amazonaws.com", "ec2.amazonaws.com"])
    role = iam.create_instance_profile(InstanceProfileName="drill-batch")["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName="drill-batch", RoleName="drill-batch")
    batch.create_compute_environment(
        computeEnvironmentName=QUEUE, type="MANAGED",
        computeResources={
            "type": "EC2", "minvCpus": 0, "maxvCpus": 16, "instanceTypes": ["m5.large"],
            "subnets": [ec2.describe_subnets()["Subnets"][0]["SubnetId"]],
            "securityGroupIds": [ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]],
            "instanceRole": role,
        },
    )  # fmt: skip
    batch.create_job_queue(
        jobQueueName=QUEUE, priority=1, computeEnvironmentOrder=[{"order": 1, "computeEnvironment": QUEUE}]
    )
    batch.register_job_definition(
        jobDefinitionName=QUEUE, type="container",
        containerProperties={
            "image": f"public.ecr.aws/docker/library/python:{'.'.join(platform.python_version_tuple()[:2])}",
            "command": ["/bin/true"],
            "jobRoleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/drill-batch",
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
        },
    )  # fmt: skip


def judge(customer: Customer, logs: Any, job: dict[str, Any], code: int, submitted_at: float) -> None:
    """Whether a job that ended did so rightly: by its own exit code once, or by a kill that there was."""
    ledger: Ledger = customer.ledger
    name, status = job["jobName"], job["status"]
    attempts = job.get("attempts", [])
    last = attempts[-1]["container"] if attempts else job.get("container", {})
    said = f"{status}, exit code {last.get('exitCode')}, {last.get('reason') or job.get('statusReason')}"
    as_told = last.get("exitCode") == code and status == ("FAILED" if code else "SUCCEEDED")
    excused = status == "FAILED" and ledger.kills_since(submitted_at, *HURTS_TASKS) > 0
    ledger.check(customer.name, as_told or excused, "wrong", f"job {name} should exit with {code}: {said}")
    stream = last.get("logStreamName")
    if not stream:
        return
    try:
        events = logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=stream, startFromHead=True)["events"]
    except logs.exceptions.ResourceNotFoundException:
        events = []  # a stream appears with the first output, and a task may be killed before it
    lines = [event["message"] for event in events]
    runs = len({line for line in lines if line.startswith("ran ")})
    ledger.check(customer.name, runs <= 1, "twice", f"attempt {len(attempts)} of job {name} ran {runs} times")
    ledger.check(customer.name, runs == 1 or not as_told, "lost", f"job {name} is {status} and its log is empty")

"""Facts for tests: looks with answers, absences and refusals, all at one time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from trainworks.doctor.batch.facts import BatchFacts, BatchJob, ComputeEnvironment, JobQueue
from trainworks.doctor.finding import Diagnosis
from trainworks.doctor.looking import Look
from trainworks.doctor.network import Network, RouteTable, Rule, SecurityGroup, Subnet
from trainworks.doctor.training.facts import TrainingFacts, TrainingJob

T = TypeVar("T")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def seen(value: T, call: str = "service:Call") -> Look[T]:
    return Look(call, NOW, value)


def absent(call: str = "service:Call") -> Look[Any]:
    return Look(call, NOW)


def refused(call: str = "service:Call", why_not: str = "denied: not authorized") -> Look[Any]:
    return Look(call, NOW, why_not=why_not)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def codes(found: Diagnosis) -> list[str]:
    return [finding.code for finding in found.findings]


def batch_facts(
    *, environments: tuple[ComputeEnvironment, ...] = (), queue: JobQueue | None = None, **members: Any
) -> BatchFacts:
    """A job in a healthy queue, unless told otherwise; `job_` members are the job's, the rest the facts'."""
    own = {name.removeprefix("job_"): members.pop(name) for name in list(members) if name.startswith("job_")}
    job = BatchJob(**{"job_id": "j", "job_name": "name", "job_queue": "q", "status": "RUNNABLE", **own})
    kinds = environments or (ComputeEnvironment("ce", instance_types=("m5.large",)),)
    return BatchFacts(NOW, seen(job, "batch:DescribeJobs"), seen(queue or JobQueue("q")), seen(kinds), **members)


def training_facts(**members: Any) -> TrainingFacts:
    """A training job; `job_` members are the job's, the rest the facts'."""
    own = {name.removeprefix("job_"): members.pop(name) for name in list(members) if name.startswith("job_")}
    if own.get("status") == "Failed":
        own.setdefault("secondary_status", "Failed")
    arn = "arn:aws:sagemaker:us-east-1:111111111111:training-job/t"
    job = TrainingJob(**{"name": "t", "arn": arn, "status": "InProgress", "secondary_status": "Training", **own})
    return TrainingFacts(NOW, seen(job, "sagemaker:DescribeTrainingJob"), **members)


def network(*, route: str = "nat-1", ips: int = 100, egress: tuple[Rule, ...] | None = None, **members: Any) -> Network:
    """One subnet with a default route, one open security group."""
    rules = (Rule("-1", 0, 65535, ("0.0.0.0/0",)),) if egress is None else egress
    return Network(
        ("subnet-1",),
        ("sg-1",),
        members.get("subnets", seen((Subnet("subnet-1", "vpc-1", ips),))),
        seen((RouteTable("rtb-1", "vpc-1", ("subnet-1",), default_target=route),)),
        seen(members.get("endpoints", ())),
        seen((SecurityGroup("sg-1", rules), *members.get("groups", ()))),
    )

"""Facts for tests: looks with answers, absences and refusals, all at one time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from trainworks.aws.ec2_network import DescribedNat, DescribedTable, described_table
from trainworks.aws.security_groups import EVERYTHING, Group, Permission
from trainworks.doctor.batch.facts import BatchFacts, BatchJob, ComputeEnvironment, JobQueue
from trainworks.doctor.finding import Diagnosis
from trainworks.doctor.looking import Look
from trainworks.doctor.network import Network, SecurityGroup, Subnet
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


def route_table(table_id: str, *subnet_ids: str, route: str = "") -> DescribedTable:
    """A table whose default route goes to a NAT gateway (`nat-...`) or an internet gateway (`igw-...`)."""
    routes = [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}]
    if route:
        members = {"nat": "NatGatewayId", "igw": "GatewayId", "tgw": "TransitGatewayId"}
        member = members[route.partition("-")[0]]
        routes.append({"DestinationCidrBlock": "0.0.0.0/0", member: route, "State": "active"})
    associations = [{"SubnetId": each, "Main": False} for each in subnet_ids]
    body = {"RouteTableId": table_id, "VpcId": "vpc-1", "Routes": routes, "Associations": associations}
    return described_table(body)


def network(
    *, route: str = "nat-1", ips: int = 100, egress: tuple[Permission, ...] | None = None, **members: Any
) -> Network:
    """One subnet with a default route, one open security group; the NAT gateway is in a public subnet."""
    outward = (EVERYTHING,) if egress is None else egress
    tables = (route_table("rtb-1", "subnet-1", route=route), route_table("rtb-2", "subnet-2", route="igw-1"))
    return Network(
        ("subnet-1",),
        ("sg-1",),
        members.get("subnets", seen((Subnet("subnet-1", "vpc-1", ips, cidr_block="10.0.0.0/24"),))),
        seen(members.get("tables", tables)),
        seen(members.get("endpoints", ())),
        seen((SecurityGroup("sg-1", Group((), outward)), *members.get("groups", ()))),
        members.get("nat_gateways", seen((DescribedNat("nat-1", "vpc-1", "subnet-2"),))),
        members.get("attached", seen({"vpc-1": frozenset({"igw-1"})})),
        members.get("private_names", seen({"vpc-1": True})),
        members.get("zones", seen({"vpc-1": False})),
        members.get("resolvers", seen({"vpc-1": True})),
        members.get("acls"),
        members.get("around"),
    )

"""The share of a host that a batch job has, and what an hour of it costs.

AWS bills hosts, not batch jobs: on EC2 a job's cost is an attribution, the larger of its shares of vCPU and of memory,
on the cheapest to the dearest type that Batch may have chosen. On Fargate the task itself is billed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trainworks.aws.instance_types import InstanceType, expand_instance_types, instance_type, schedulable_memory_mib
from trainworks.cost.money import Money
from trainworks.cost.prices import PriceTable

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

_MIB_PER_GB = Decimal(1024)
FARGATE = "FARGATE"
_DESCRIBED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Size:
    """What one container of a job asks for."""

    vcpus: Decimal
    memory_mib: Decimal


@dataclass(frozen=True, slots=True)
class Hosts:
    """What a queue's compute environment may run jobs on: `kind` is EC2, SPOT, FARGATE or FARGATE_SPOT."""

    kind: str
    instance_types: tuple[str, ...] = ()

    @property
    def market(self) -> str:
        return "spot" if self.kind.endswith("SPOT") else "on demand"

    @property
    def is_attribution(self) -> bool:
        return not self.kind.startswith(FARGATE)

    def holds(self, size: Size) -> bool:
        """Whether any of the hosts has room for a container of `size`."""
        return not self.is_attribution or any(_share(size, kind) <= 1 for kind in self._kinds())

    def per_hour(self, size: Size, prices: PriceTable) -> Money | None:
        """What an hour of a container of `size` costs here; None if a price is unknown or no host holds it."""
        if not self.is_attribution:
            return self._fargate(size, prices)
        shares = list(self._shares(size, prices))
        known = [share for share in shares if share is not None]
        if not known or len(known) != len(shares):
            return None
        return Money(min(share.low for share in known), max(share.high for share in known))

    def _shares(self, size: Size, prices: PriceTable) -> Iterator[Money | None]:
        market = self.market.replace(" ", "_")
        for kind in self._kinds():
            share = _share(size, kind)
            if share <= 1:
                price = prices.find(f"ec2.{market}.{kind.name}")
                yield None if price is None else price.figure.times(share)

    def _kinds(self) -> Iterator[InstanceType]:
        return map(instance_type, expand_instance_types(self.instance_types))

    def _fargate(self, size: Size, prices: PriceTable) -> Money | None:
        spot = "spot_" if self.market == "spot" else ""
        vcpu, memory = prices.find(f"fargate.{spot}vcpu"), prices.find(f"fargate.{spot}memory")
        if vcpu is None or memory is None:
            return None
        return vcpu.figure.times(size.vcpus) + memory.figure.times(size.memory_mib / _MIB_PER_GB)


def _share(size: Size, kind: InstanceType) -> Decimal:
    return max(size.vcpus / kind.vcpus, size.memory_mib / schedulable_memory_mib(kind))


def hosts_of_queue(batch: BatchClient, job_queue: str) -> tuple[Hosts, ...]:
    """The hosts behind a job queue, in the order in which Batch tries them."""
    queues = batch.describe_job_queues(jobQueues=[job_queue])["jobQueues"]
    names = [each["computeEnvironment"] for queue in queues for each in queue["computeEnvironmentOrder"]]
    described = batch.describe_compute_environments(computeEnvironments=names)["computeEnvironments"] if names else []
    by_arn = {each["computeEnvironmentArn"]: each.get("computeResources", {}) for each in described}
    found = [by_arn[name] for name in names if name in by_arn]
    return tuple(Hosts(str(each["type"]), tuple(each.get("instanceTypes", ()))) for each in found if "type" in each)


def children_of(batch: BatchClient, job_id: str, size: int) -> Iterator[Mapping[str, Any]]:
    """`DescribeJobs` of every child of an array job, by index."""
    identifiers = [f"{job_id}:{index}" for index in range(size)]
    for start in range(0, size, _DESCRIBED_AT_ONCE):
        yield from batch.describe_jobs(jobs=identifiers[start : start + _DESCRIBED_AT_ONCE])["jobs"]

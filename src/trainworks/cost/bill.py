"""What a job that has run cost, from the times that AWS reports.

A training job: `BillableTimeInSeconds` x instances x price; for managed spot training the difference to
`TrainingTimeInSeconds` is what spot saved (shape `DescribeTrainingJobResponse`). A batch job: the time of its attempts
times its share of a host (`cost.hosts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trainworks.cost.hosts import Hosts, Size
from trainworks.cost.money import HOURS_PER_MONTH, SECONDS_PER_HOUR, Money
from trainworks.cost.prices import PriceTable


@dataclass(frozen=True, slots=True)
class BillLine:
    """A part of the cost. `amount` None: `why` says what is not known."""

    what: str
    amount: Money | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class JobBill:
    """The cost of a job's run so far, and for spot what that saved."""

    name: str
    kind: str
    region: str
    lines: tuple[BillLine, ...]
    is_attribution: bool = False
    saved: Money | None = None
    saved_percent: Decimal | None = None

    @property
    def total(self) -> Money | None:
        """The sum, or None if a part is unknown."""
        amounts = [line.amount for line in self.lines if line.amount is not None]
        if not amounts or len(amounts) != len(self.lines):
            return None
        return sum(amounts[1:], amounts[0])


def training_bill(described: Mapping[str, Any], prices: PriceTable) -> JobBill | None:
    """The bill of a training job from `DescribeTrainingJob`; None before it has billable seconds."""
    billable = described.get("BillableTimeInSeconds")
    if billable is None:
        return None
    training = Decimal(described.get("TrainingTimeInSeconds", billable))
    resources = described["ResourceConfig"]
    kind, count = resources["InstanceType"], Decimal(resources["InstanceCount"])
    what = f"{count} x {kind} for {billable} billable seconds"
    price = prices.find(f"sagemaker.training.{kind}")
    rate = None if price is None else price.figure.times(count / SECONDS_PER_HOUR)
    lines = [_line(what, rate, Decimal(billable), f"sagemaker.training.{kind}", prices)]
    size = Decimal(resources.get("VolumeSizeInGB", 0)) * count
    if size:
        volume = prices.find("sagemaker.training_volume")
        per_second = None if volume is None else volume.figure.times(size / HOURS_PER_MONTH / SECONDS_PER_HOUR)
        lines.append(_line(f"volumes of {size} GB", per_second, training, "sagemaker.training_volume", prices))
    saved = percent = None
    if described.get("EnableManagedSpotTraining") and training:
        percent = (1 - Decimal(billable) / training) * 100
        saved = None if rate is None else rate.times(training - Decimal(billable))
    return JobBill(described["TrainingJobName"], "training", prices.region, tuple(lines), False, saved, percent)


def batch_bill(
    name: str, containers: Iterable[Mapping[str, Any]], hosts: Sequence[Hosts], prices: PriceTable
) -> JobBill | None:
    """The bill of a batch job: `containers` are the job, or an array job's children, as `DescribeJobs` tells them."""
    seconds, size = Decimal(0), None
    count = 0
    for described in containers:
        ran = _seconds(described)
        if ran:
            count, seconds, size = count + 1, seconds + ran, _size(described)
    if size is None:
        return None
    rates = [each.per_hour(size, prices) for each in hosts]
    known = [rate for rate in rates if rate is not None]
    complete = bool(known) and len(known) == len(rates)
    rate = Money(min(each.low for each in known), max(each.high for each in known)) if complete else None
    jobs = f"{count} containers" if count > 1 else "container"
    what = f"{jobs} of {size.vcpus.normalize():f} vCPU and {size.memory_mib} MiB, {seconds.normalize():f} s in all"
    amount = None if rate is None else rate.times(seconds / SECONDS_PER_HOUR)
    line = BillLine(what, amount, "" if amount else f"a price of its hosts is unknown in {prices.region}")
    return JobBill(name, "batch", prices.region, (line,), any(each.is_attribution for each in hosts))


def _line(what: str, per_second: Money | None, seconds: Decimal, key: str, prices: PriceTable) -> BillLine:
    if per_second is None:
        return BillLine(what, None, f"no price of {key} in {prices.region}")
    return BillLine(what, per_second.times(seconds))


def _seconds(described: Mapping[str, Any]) -> Decimal:
    """How long its attempts ran; times are in milliseconds."""
    attempts = described.get("attempts") or [described]
    spans = [(each.get("startedAt"), each.get("stoppedAt")) for each in attempts]
    return sum((Decimal(stop - start) / 1000 for start, stop in spans if None not in (start, stop)), Decimal(0))


def _size(described: Mapping[str, Any]) -> Size:
    container = described.get("container", {})
    sizes = {each["type"]: each["value"] for each in container.get("resourceRequirements", [])}
    vcpus, memory = sizes.get("VCPU", container.get("vcpus", 1)), sizes.get("MEMORY", container.get("memory", 0))
    return Size(Decimal(str(vcpus)), Decimal(str(memory)))

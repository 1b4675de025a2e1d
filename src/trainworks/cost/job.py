"""What a job costs at most, from its spec, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from trainworks.config.job import BatchJobSpec, TrainingJobSpec
from trainworks.config.profile import BatchProfile, TrainingProfile
from trainworks.cost.hosts import Hosts, Size
from trainworks.cost.money import HOURS_PER_MONTH, SECONDS_PER_HOUR, ZERO, Money
from trainworks.cost.prices import PriceTable
from trainworks.errors import RequestError

ON_DEMAND, SPOT, VOLUMES = "on demand", "spot", "volumes"
_NO_SPOT_PRICE = (
    "no price of spot is known here: it is never above the on-demand price, which is used as the upper bound; after "
    "the job, its billable seconds show what spot saved"
)
_SHARE = (
    "AWS bills hosts: this is the job's share of one, on the cheapest to the dearest type that Batch may choose; "
    "volumes and addresses of hosts are not in it"
)


@dataclass(frozen=True, slots=True)
class JobLine:
    """One way to pay: the price of an hour, and the most that the job can cost. None: no price is known."""

    market: str
    what: str
    per_hour: Money | None
    at_most: Money | None


@dataclass(frozen=True, slots=True)
class JobEstimate:
    """The upper bound of a job's cost: `hours` at its limits, of instances or of containers, all together."""

    name: str
    kind: str
    region: str
    hours: Decimal
    lines: tuple[JobLine, ...]
    notes: tuple[str, ...] = ()

    def at_most(self, market: str) -> Money | None:
        """The cost with volumes, if it runs wholly in `market`; None if a price is unknown."""
        paid = [line for line in self.lines if line.market in {market, VOLUMES}]
        if not any(line.market == market for line in paid):
            return None
        return _sum(line.at_most for line in paid)


def training_estimate(spec: TrainingJobSpec, defaults: TrainingProfile, prices: PriceTable) -> JobEstimate:
    """Instances and volumes for the whole run time that the job is allowed."""
    seconds = spec.max_runtime_seconds or defaults.max_runtime_seconds
    hours, count = Decimal(seconds) / SECONDS_PER_HOUR, Decimal(spec.instance_count)
    instances = f"{spec.instance_count} x {spec.instance_type}"
    price = prices.find(f"sagemaker.training.{spec.instance_type}")
    lines = [_line(ON_DEMAND, instances, None if price is None else price.figure.times(count), hours)]
    notes: tuple[str, ...] = ()
    if spec.spot:
        spot = prices.find(f"sagemaker.spot_training.{spec.instance_type}")
        per_hour = None if spot is None else spot.figure.times(count)
        lines.append(_spot_line(instances, per_hour, hours, lines[0]))
        notes = () if spot else (_NO_SPOT_PRICE,)
    volume = prices.find("sagemaker.training_volume")
    gb = Decimal(spec.volume_size_in_gb) * count
    lines.append(
        _line(VOLUMES, f"{gb} GB", None if volume is None else volume.figure.times(gb / HOURS_PER_MONTH), hours)
    )
    return JobEstimate(spec.base_name, "training", prices.region, hours * count, tuple(lines), notes)


def batch_estimate(spec: BatchJobSpec, defaults: BatchProfile, prices: PriceTable) -> JobEstimate:
    """Every container for the whole time of all its attempts. Raises `RequestError` if no host holds one."""
    size = Size(Decimal(str(spec.vcpus or defaults.job_vcpus)), Decimal(spec.memory_mib or defaults.job_memory_mib))
    attempts = defaults.job_attempts if spec.retries is None else spec.retries + 1
    containers = spec.array_size or 1
    seconds = (spec.timeout_seconds or defaults.job_timeout_seconds) * attempts * containers
    hours = Decimal(seconds) / SECONDS_PER_HOUR
    what = f"{containers} x {size.vcpus.normalize():f} vCPU, {size.memory_mib} MiB, {attempts} attempts"
    on_demand, spot = Hosts("EC2", defaults.instance_types), Hosts("SPOT", defaults.instance_types)
    if not on_demand.holds(size):
        raise RequestError(
            f"no host of {', '.join(defaults.instance_types)} has {size.vcpus} vCPUs and {size.memory_mib} MiB for "
            "a job",
            fix="ask for less, or set batch.instance_types",
        )
    bound = _line(ON_DEMAND, what, on_demand.per_hour(size, prices), hours)
    lines = (bound, _spot_line(what, spot.per_hour(size, prices), hours, bound))
    return JobEstimate(spec.base_name, "batch", prices.region, hours, lines, (_SHARE,))


def _line(market: str, what: str, per_hour: Money | None, hours: Decimal) -> JobLine:
    return JobLine(market, what, per_hour, None if per_hour is None else per_hour.times(hours))


def _spot_line(what: str, per_hour: Money | None, hours: Decimal, on_demand: JobLine) -> JobLine:
    """Where no price of spot is known, the most is that on demand, which spot without a bid never exceeds.

    SageMaker takes no bid; Batch's default is 100 % of the On-Demand price (botocore: `ComputeResource.bidPercentage`).
    """
    line = _line(SPOT, what, per_hour, hours)
    return line if line.at_most is not None else replace(line, at_most=on_demand.at_most)


def _sum(amounts: Iterable[Money | None]) -> Money | None:
    result = ZERO
    for amount in amounts:
        if amount is None:
            return None
        result += amount
    return result

"""What a job can come to, and what it came to."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cost.counted import SHIPPED, prices_of
from trainworks.config.job import BatchJobSpec, TrainingJobSpec
from trainworks.config.profile import PROFILES, BatchProfile, ProfileName, TrainingProfile
from trainworks.cost.bill import batch_bill, training_bill
from trainworks.cost.hosts import Hosts, Size
from trainworks.cost.job import batch_estimate, training_estimate
from trainworks.cost.money import Money
from trainworks.errors import RequestError

TRAINING = {"script": Path("train.py"), "max_runtime_seconds": 7200, "instance_count": 2}


def _cents(money: Money | None) -> str:
    assert money is not None
    return str(money)


def _batch_profile() -> BatchProfile:
    profile = PROFILES[ProfileName.DEV].batch
    assert profile is not None
    return profile


def test_a_training_job_costs_its_instances_and_volumes_for_the_time_it_may_run() -> None:
    estimate = training_estimate(TrainingJobSpec.model_validate(TRAINING), TrainingProfile(), SHIPPED)
    assert estimate.hours == 4
    on_demand, spot, volumes = estimate.lines
    assert _cents(on_demand.at_most) == "$0.46"  # 2 x 2 h x 0.115
    assert volumes.what == "60 GB"
    assert _cents(estimate.at_most("on demand")) == "$0.48"  # and 60 GB for 2 of 730 hours x 0.14
    assert spot.per_hour is None
    assert spot.at_most == on_demand.at_most  # never above the price on demand
    assert _cents(estimate.at_most("spot")) == "$0.48"
    assert "billable seconds" in estimate.notes[0]


def test_a_job_on_demand_has_no_spot_line() -> None:
    spec = TrainingJobSpec.model_validate({**TRAINING, "spot": False})
    estimate = training_estimate(spec, TrainingProfile(), SHIPPED)
    assert [line.market for line in estimate.lines] == ["on demand", "volumes"]
    assert estimate.at_most("spot") is None


def test_a_run_time_that_the_spec_leaves_open_is_the_platforms() -> None:
    spec = TrainingJobSpec.model_validate({"script": Path("train.py")})
    assert training_estimate(spec, TrainingProfile(max_runtime_seconds=3600), SHIPPED).hours == 1


def test_an_instance_without_a_price_is_unknown_not_free() -> None:
    spec = TrainingJobSpec.model_validate({**TRAINING, "instance_type": "ml.p99.large"})
    estimate = training_estimate(spec, TrainingProfile(), SHIPPED)
    assert estimate.lines[0].per_hour is None
    assert estimate.at_most("on demand") is None
    assert estimate.at_most("spot") is None


def test_a_batch_job_has_a_share_of_a_host_for_all_its_attempts() -> None:
    spec = BatchJobSpec.model_validate({"command": ("true",), "array_size": 10, "timeout_seconds": 360, "retries": 1})
    estimate = batch_estimate(spec, _batch_profile(), SHIPPED)
    assert estimate.hours == 2  # 10 containers x 360 s x 2 attempts
    on_demand, spot = estimate.lines
    assert on_demand.per_hour == Money(Decimal("0.048"), Decimal("0.048"))
    assert spot.per_hour == Money(Decimal("0.0601") / 4, Decimal("0.0453") / 2)
    assert "share" in estimate.notes[0]


def test_the_larger_of_the_two_shares_counts() -> None:
    hosts = Hosts("EC2", ("m5.large",))
    table = prices_of({"ec2.on_demand.m5.large": "1"})
    half = hosts.per_hour(Size(Decimal(1), Decimal(100)), table)
    most = hosts.per_hour(Size(Decimal(1), Decimal(8032)), table)
    assert half is not None
    assert half.low == Decimal("0.5")
    assert most is not None
    assert most.low == 1


def test_hosts_on_spot_without_a_price_cost_at_most_what_they_do_on_demand() -> None:
    spec = BatchJobSpec.model_validate({"command": ("true",), "timeout_seconds": 3600, "retries": 0})
    table = prices_of({"ec2.on_demand.m5.large": "1", "ec2.on_demand.m5.xlarge": "2"})
    on_demand, spot = batch_estimate(spec, _batch_profile(), table).lines
    assert spot.per_hour is None
    assert spot.at_most == on_demand.at_most == Money(Decimal("0.5"), Decimal("0.5"))


def test_a_batch_job_that_fits_no_host_is_refused() -> None:
    spec = BatchJobSpec.model_validate({"command": ("true",), "memory_mib": 1_000_000})
    with pytest.raises(RequestError, match="no host of m5"):
        batch_estimate(spec, _batch_profile(), SHIPPED)


def test_a_task_on_fargate_is_billed_itself() -> None:
    hosts = Hosts("FARGATE")
    cost = hosts.per_hour(Size(Decimal("0.5"), Decimal(1024)), SHIPPED)
    assert cost == Money.exactly(Decimal("0.5") * Decimal("0.04048") + Decimal("0.004445"))
    assert not hosts.is_attribution
    assert Hosts("FARGATE_SPOT").per_hour(Size(Decimal(1), Decimal(2048)), SHIPPED) is None


DESCRIBED: dict[str, Any] = {
    "TrainingJobName": "digits",
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 30},
    "EnableManagedSpotTraining": True,
    "TrainingTimeInSeconds": 3600,
    "BillableTimeInSeconds": 1080,
}


def test_a_spot_job_costs_its_billable_seconds_and_the_rest_was_saved() -> None:
    bill = training_bill(DESCRIBED, SHIPPED)
    assert bill is not None
    instances, volumes = bill.lines
    assert instances.amount == Money.exactly(Decimal("0.115") * 2 / 3600 * 1080)
    assert volumes.amount is not None
    assert bill.saved_percent == 70
    assert bill.saved is not None
    assert round(bill.saved.low, 3) == Decimal("0.161")  # 2520 s x 2 x 0.115
    assert bill.total is not None


def test_a_job_on_demand_saved_nothing_and_says_nothing_of_it() -> None:
    bill = training_bill({**DESCRIBED, "EnableManagedSpotTraining": False}, SHIPPED)
    assert bill is not None
    assert (bill.saved, bill.saved_percent) == (None, None)


def test_a_job_that_has_not_run_has_no_bill() -> None:
    waiting = {key: value for key, value in DESCRIBED.items() if not key.endswith("Seconds")}
    assert training_bill(waiting, SHIPPED) is None
    assert batch_bill("waiting", [{"attempts": []}], [Hosts("EC2", ("m5.large",))], SHIPPED) is None


def test_a_bill_without_a_price_keeps_the_percentage() -> None:
    bill = training_bill({**DESCRIBED, "ResourceConfig": {"InstanceType": "ml.new.large", "InstanceCount": 1}}, SHIPPED)
    assert bill is not None
    assert bill.total is None
    assert bill.lines[0].why == "no price of sagemaker.training.ml.new.large in us-east-1"
    assert bill.saved_percent == 70


def _container(*spans: tuple[int, int]) -> dict[str, Any]:
    return {
        "attempts": [{"startedAt": start, "stoppedAt": stop} for start, stop in spans],
        "container": {"resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "1024"}]},
    }


def test_a_batch_job_costs_its_attempts_on_one_of_its_hosts() -> None:
    children = [_container((0, 1_800_000)), _container((0, 900_000), (1_000_000, 1_900_000))]
    bill = batch_bill("array", children, [Hosts("SPOT", ("m5.large",)), Hosts("EC2", ("m5.large",))], SHIPPED)
    assert bill is not None
    assert bill.is_attribution
    assert bill.total == Money(Decimal("0.0319") / 2, Decimal("0.096") / 2)


def test_a_batch_job_on_hosts_without_a_price_is_unknown() -> None:
    bill = batch_bill("job", [_container((0, 1000))], [Hosts("EC2", ("m5.large",))], prices_of({}))
    assert bill is not None
    assert bill.total is None
    assert "unknown" in bill.lines[0].why

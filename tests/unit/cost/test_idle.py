"""Totals, and what must hold of them whatever is counted."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.cost.counted import REGION, SHIPPED, idle
from trainworks.assembly.graph import load_graph
from trainworks.cost.idle import IdleCost, idle_cost
from trainworks.cost.metering import Assumptions
from trainworks.cost.money import total
from trainworks.cost.price_files import shipped_prices
from trainworks.cost.prices import PriceTable

REFERENCE = Path(__file__).resolve().parents[2] / "reference" / "cdk.out"

HOSTS = {"Type": "SPOT", "InstanceTypes": ["m5.large", "m5.xlarge"], "MinvCpus": 4}
RESOURCES = st.sampled_from(
    [
        ("AWS::KMS::Key", {}),
        ("AWS::EC2::NatGateway", {}),
        ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b", "c"]}),
        ("AWS::CloudWatch::Dashboard", {}),
        ("AWS::CloudWatch::Alarm", {"Period": 10}),
        ("AWS::SageMaker::NotebookInstance", {"InstanceType": "ml.t3.medium"}),
        ("AWS::SageMaker::NotebookInstance", {"InstanceType": "ml.nobody.large"}),
        ("AWS::Batch::ComputeEnvironment", {"ComputeResources": HOSTS}),
        ("AWS::S3::Bucket", {}),
        ("AWS::IAM::Role", {}),
        ("AWS::Kinesis::Stream", {}),
        ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface"}),
    ]
)
Chosen = list[tuple[str, dict[str, Any]]]


def _count(chosen: Chosen, hours: int = 0, table: PriceTable = SHIPPED) -> IdleCost:
    return idle({f"R{number}": each for number, each in enumerate(chosen)}, table, hours)


@settings(deadline=None)
@given(st.lists(RESOURCES, min_size=1, max_size=8), st.integers(0, 744))
def test_the_total_is_the_sum_of_what_is_known(chosen: Chosen, hours: int) -> None:
    cost = _count(chosen, hours)
    known = [charge.amount for each in cost.resources for charge in each.charges if charge.amount is not None]
    assert cost.total == total(known)
    assert cost.total == total(total(each.amount for each in stack) for stack in cost.by_stack.values())


@settings(deadline=None)
@given(st.lists(RESOURCES, min_size=1, max_size=8), RESOURCES)
def test_one_more_resource_never_lowers_the_total(chosen: Chosen, more: tuple[str, dict[str, Any]]) -> None:
    before, after = _count(chosen).total, _count([*chosen, more]).total
    assert before.low <= after.low
    assert before.high <= after.high


@settings(deadline=None)
@given(st.lists(RESOURCES, min_size=1, max_size=8))
def test_without_prices_nothing_is_known_and_nothing_is_added(chosen: Chosen) -> None:
    cost = _count(chosen, 100, PriceTable(REGION))
    assert cost.total.is_zero
    metered = [each for each in cost.resources if any(not charge.is_by_use for charge in each.charges)]
    assert all(not each.is_known for each in metered)


@settings(deadline=None)
@given(st.lists(RESOURCES, min_size=1, max_size=8))
def test_every_resource_is_accounted_for_in_one_way(chosen: Chosen) -> None:
    for each in _count(chosen).resources:
        assert bool(each.charges) + bool(each.unknown) + bool(each.free) >= 1
        assert not (each.free and (each.charges or each.unknown))


def _reference(hours: int) -> IdleCost:
    graph = load_graph(REFERENCE, account="111111111111", region=REGION)
    return idle_cost(graph, SHIPPED, Assumptions(Decimal(hours)))


def test_the_reference_costs_what_it_was_measured_at() -> None:
    running = _reference(730)
    endpoints = total(each.amount for each in running.resources if each.resource_type == "AWS::EC2::VPCEndpoint")
    (notebook,) = [each for each in running.resources if each.resource_type == "AWS::SageMaker::NotebookInstance"]
    instance, _ = notebook.charges
    assert instance.amount is not None
    assert round(endpoints.low, 2) == Decimal("58.40")
    assert round(instance.amount.low, 2) == Decimal("36.50")
    assert round((endpoints + instance.amount).low, 2) == Decimal("94.90")
    assert round(running.total.low, 2) == Decimal("98.70")
    assert not running.unknown


def test_a_stopped_notebook_leaves_its_volume() -> None:
    assert round((_reference(730).total - _reference(0).total).low, 2) == Decimal("36.50")


@pytest.mark.parametrize("region", ["eu-west-1", "sa-east-1"])
def test_a_region_with_few_prices_says_what_it_does_not_know(region: str) -> None:
    graph = load_graph(REFERENCE, account="111111111111", region=region)
    cost = idle_cost(graph, shipped_prices(region))
    assert any("no price of sagemaker.notebook_volume" in why for each in cost.unknown for why in each.unknown)

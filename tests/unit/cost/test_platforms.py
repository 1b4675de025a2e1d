"""What the shipped profiles cost, at the prices that ship."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from trainworks.assembly import CloudAssembly
from trainworks.assembly.graph import load_graph
from trainworks.cost.idle import IdleCost, idle_cost
from trainworks.cost.price_files import shipped_prices
from trainworks.spec.profile import ProfileName

DEV_GOAL = Decimal("2.00")


@pytest.fixture(params=list(ProfileName), ids=str)
def cost(request: pytest.FixtureRequest, assemblies: Mapping[ProfileName, CloudAssembly]) -> tuple[str, IdleCost]:
    graph = load_graph(assemblies[request.param].directory, region="us-east-1")
    return request.param.value, idle_cost(graph, shipped_prices("us-east-1"))


def test_everything_that_ships_has_a_known_cost(cost: tuple[str, IdleCost]) -> None:
    _, counted = cost
    assert [(each.place, each.unknown) for each in counted.unknown] == []


def test_dev_without_a_notebook_running_costs_two_dollars_at_most(
    assemblies: Mapping[ProfileName, CloudAssembly],
) -> None:
    graph = load_graph(assemblies[ProfileName.DEV].directory, region="us-east-1")
    assert idle_cost(graph, shipped_prices("us-east-1")).total.high <= DEV_GOAL

"""Costs of small templates at prices that are easy to add up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from trainworks.assembly.graph import graph_of_template
from trainworks.cost.idle import Charge, IdleCost, ResourceCost, idle_cost
from trainworks.cost.keys import unit_of
from trainworks.cost.metering import Assumptions
from trainworks.cost.money import Money
from trainworks.cost.price_files import shipped_prices
from trainworks.cost.prices import Price, PriceSource, PriceTable

REGION = "us-east-1"
SHIPPED = shipped_prices(REGION)
SOURCE = PriceSource("a test", date(2026, 1, 1), True)


def prices(**figures: str) -> PriceTable:
    """A table with just these; dots of keys are written as two underscores."""
    return prices_of({name.replace("__", "."): figure for name, figure in figures.items()})


def prices_of(figures: Mapping[str, str]) -> PriceTable:
    found = {}
    for key, figure in figures.items():
        unit = unit_of(key)
        assert unit is not None, key
        found[key] = Price(key, Money.exactly(figure), unit, SOURCE)
    return PriceTable(REGION, found)


def template(resources: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    bodies = {name: {"Type": type_, "Properties": dict(properties)} for name, (type_, properties) in resources.items()}
    return {"Resources": bodies}


def idle(
    resources: Mapping[str, tuple[str, Mapping[str, Any]]], table: PriceTable = SHIPPED, notebook_hours: int = 0
) -> IdleCost:
    return idle_cost(graph_of_template(template(resources)), table, Assumptions(Decimal(notebook_hours)))


def one(
    type_: str, properties: Mapping[str, Any] | None = None, table: PriceTable = SHIPPED, notebook_hours: int = 0
) -> ResourceCost:
    """The cost of a single resource."""
    (cost,) = idle({"It": (type_, properties or {})}, table, notebook_hours).resources
    return cost


def amount(cost: ResourceCost) -> Decimal:
    """What it costs, to the cent; known to the end and no range."""
    assert cost.is_known, cost.unknown
    assert cost.amount.is_exact
    return cost.amount.low.quantize(Decimal("0.01"), ROUND_HALF_UP)


def by_use(cost: ResourceCost) -> tuple[Charge, ...]:
    return tuple(charge for charge in cost.charges if charge.is_by_use)

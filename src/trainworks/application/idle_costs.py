"""What platforms cost in a month in which nobody uses them, and which prices that needs and nobody has."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from trainworks.assembly.graph import Graph
from trainworks.cost.idle import IdleCost, idle_cost
from trainworks.cost.metering import Assumptions
from trainworks.cost.money import HOURS_PER_MONTH
from trainworks.cost.price_files import load_prices
from trainworks.cost.price_list import is_asked_for
from trainworks.cost.prices import PriceTable


@dataclass(frozen=True, slots=True)
class Counted:
    """The idle cost of what is called `name`, that with every notebook running, and the prices of both."""

    name: str
    cost: IdleCost
    running: IdleCost
    prices: PriceTable

    @property
    def missing(self) -> MissingPrices:
        """The prices that are not known; what else is unknown no price can fix."""
        charges = (charge for each in self.cost.unknown for charge in each.charges if charge.amount is None)
        keys = sorted({key for charge in charges for key in charge.keys if self.prices.find(key) is None})
        return MissingPrices(
            tuple(key for key in keys if is_asked_for(key)), tuple(key for key in keys if not is_asked_for(key))
        )


@dataclass(frozen=True, slots=True)
class MissingPrices:
    """Keys of prices that a refresh asks AWS for, and of those that only the user can write down."""

    refreshable: tuple[str, ...]
    own: tuple[str, ...]


def counted(name: str, graph: Graph, notebook_hours: int = 0, price_path: Path | None = None) -> Counted:
    """Count a graph at the prices of its region; those of the file at `price_path` go before all others."""
    prices = load_prices(graph.region, price_path)
    return Counted(
        name,
        idle_cost(graph, prices, Assumptions(Decimal(notebook_hours))),
        idle_cost(graph, prices, Assumptions(HOURS_PER_MONTH)),
        prices,
    )

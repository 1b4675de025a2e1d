"""Unit prices of one region, each with where it comes from and how old that is.

A price that is not in the table is unknown: `find` says None, and nothing is scaled from another region or size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from trainworks.cost.keys import Unit
from trainworks.cost.money import Money


@dataclass(frozen=True, slots=True)
class PriceSource:
    """Where a figure was read: `day` is when it was published, or, if that is not known, when it was retrieved."""

    title: str
    day: date
    is_published: bool

    def __str__(self) -> str:
        return f"{self.title}, {'published' if self.is_published else 'retrieved'} {self.day.isoformat()}"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Another source's figure for the same thing, and why it is not the one that is used."""

    figure: Decimal
    source: PriceSource
    why: str


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one unit: one figure, or for spot the lowest and highest that were seen."""

    key: str
    figure: Money
    unit: Unit
    source: PriceSource
    note: str = ""
    disagreements: tuple[Disagreement, ...] = ()


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices of `region`. A later source's figure replaces an earlier one's."""

    region: str
    prices: Mapping[str, Price] = field(default_factory=dict)

    def find(self, key: str) -> Price | None:
        """The price of a key, or None: unknown."""
        return self.prices.get(key)

    def range_of(self, keys: tuple[str, ...]) -> Money | None:
        """From the lowest to the highest of several prices; None if one of them is unknown, or if there is none."""
        found = [price for key in keys if (price := self.find(key)) is not None]
        if not keys or len(found) != len(keys):
            return None
        return Money(min(price.figure.low for price in found), max(price.figure.high for price in found))

    def over(self, other: PriceTable) -> PriceTable:
        """This table's prices, and below them those of `other`."""
        return PriceTable(self.region, {**other.prices, **self.prices})

    def __iter__(self) -> Iterator[Price]:
        return iter(self.prices.values())

    @property
    def oldest_and_newest(self) -> tuple[date, date] | None:
        """Days of the sources, or None if the table is empty."""
        days = [price.source.day for price in self]
        return (min(days), max(days)) if days else None

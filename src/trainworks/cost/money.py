"""Amounts of money as ranges: exact if the two ends are equal, as with every list price except spot's.

Decimal all the way; figures are rounded where they are shown and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

HOURS_PER_MONTH = Decimal(730)
"""AWS's own month: 365 days x 24 hours / 12."""
DAYS_PER_MONTH = HOURS_PER_MONTH / 24
SECONDS_PER_HOUR = Decimal(3600)


@dataclass(frozen=True, slots=True)
class Money:
    """Between `low` and `high` US dollars."""

    low: Decimal
    high: Decimal

    @classmethod
    def exactly(cls, figure: Decimal | int | str) -> Money:
        return cls(Decimal(figure), Decimal(figure))

    def __add__(self, other: Money) -> Money:
        return Money(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Money) -> Money:
        """The change from `other` to this, end by end."""
        return Money(self.low - other.low, self.high - other.high)

    def times(self, quantity: Decimal) -> Money:
        return Money(self.low * quantity, self.high * quantity)

    @property
    def is_exact(self) -> bool:
        return self.low == self.high

    @property
    def is_zero(self) -> bool:
        return not self.low and not self.high

    def __str__(self) -> str:
        """`$1.70`, or `$1.00 to $2.00`."""
        low, high = dollars(self.low), dollars(self.high)
        return low if low == high else f"{low} to {high}"


ZERO = Money.exactly(0)


def total(amounts: Iterable[Money]) -> Money:
    """Their sum."""
    return sum(amounts, ZERO)


def dollars(figure: Decimal) -> str:
    """`$1,234.50`; below a cent two digits that count (`$0.00043`), so that a unit price is never shown as nothing."""
    sign = "-" if figure < 0 else ""
    size = abs(figure)
    if size and size < Decimal("0.01"):
        places = -size.adjusted() + 1
        return f"{sign}${size.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
    return f"{sign}${size.quantize(Decimal('0.01'), ROUND_HALF_UP):,f}"


def unit_price(figure: Decimal) -> str:
    """A unit price with all the digits that it has, at least two: `$0.045`, `$1.00`."""
    exact = figure.normalize()
    places = max(2, -int(exact.as_tuple().exponent))
    return f"${exact:,.{places}f}"

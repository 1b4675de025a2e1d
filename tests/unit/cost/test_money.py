"""Amounts are exact, and rounded where they are shown."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trainworks.cost.money import Money, dollars, total, unit_price


@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        ("0", "$0.00"),
        ("1.695", "$1.70"),
        ("-3", "-$3.00"),
        ("1234.5", "$1,234.50"),
        ("0.01", "$0.01"),
        ("0.0001369863", "$0.00014"),
        ("0.00999", "$0.0100"),
    ],
)
def test_dollars_are_shown_to_the_cent_and_never_as_nothing(figure: str, shown: str) -> None:
    assert dollars(Decimal(figure)) == shown


@pytest.mark.parametrize(
    ("figure", "shown"), [("1", "$1.00"), ("0.0450", "$0.045"), ("0.0000166667", "$0.0000166667"), ("1E+1", "$10.00")]
)
def test_unit_prices_keep_their_digits(figure: str, shown: str) -> None:
    assert unit_price(Decimal(figure)) == shown


def test_a_range_is_shown_as_one_figure_where_its_ends_are_one() -> None:
    assert str(Money(Decimal("1.001"), Decimal("1.002"))) == "$1.00"
    assert str(Money(Decimal(1), Decimal(2))) == "$1.00 to $2.00"


def test_sums_are_exact() -> None:
    assert total([Money.exactly("0.1")] * 3) == Money.exactly("0.3")
    assert Money.exactly("0.3") - Money.exactly("0.1") == Money.exactly("0.2")

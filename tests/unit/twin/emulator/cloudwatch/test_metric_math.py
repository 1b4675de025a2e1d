"""Metric math: what expressions give over small series, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.emulator.cloudwatch.metric_math import REFUSED, Array, Frame, MathError, compute, names_in

FRAME = Frame(
    {"a": {0: 1.0, 60: 2.0, 180: 4.0}, "b": {0: 10.0, 60: 0.0, 120: 5.0}, "none": {}, "two": 2.0},
    ("a", "b"),
    60,
    0,
    240,
)

EXPRESSIONS: list[tuple[str, Any]] = [
    ("1 + 2 * 3 ^ 2", 19.0),
    ("-(2 - 5) * two", 6.0),
    ("a + b", {0: 11.0, 60: 2.0}),
    ("a / b", {0: 0.1}),
    ("a * 100", {0: 100.0, 60: 200.0, 180: 400.0}),
    ("a > 1 && a < 4", {0: 0.0, 60: 1.0, 180: 0.0}),
    ("a == 1 OR b == 0", {0: 1.0, 60: 1.0}),
    ("SUM(a)", 7.0),
    ("MAX(b) - MIN(b)", 10.0),
    ("AVG([a, b])", {0: 5.5, 60: 1.0, 120: 5.0, 180: 4.0}),
    ("SUM(METRICS())", {0: 11.0, 60: 2.0, 120: 5.0, 180: 4.0}),
    ("SUM(METRICS('b'))", {0: 10.0, 60: 0.0, 120: 5.0}),
    ("FILL(a, 0)", {0: 1.0, 60: 2.0, 120: 0.0, 180: 4.0}),
    ("FILL(a, REPEAT)", {0: 1.0, 60: 2.0, 120: 2.0, 180: 4.0}),
    ("FILL(a, LINEAR)", {0: 1.0, 60: 2.0, 120: 3.0, 180: 4.0}),
    ("FILL(a, b)", {0: 1.0, 60: 2.0, 120: 5.0, 180: 4.0}),
    ("RATE(a)", {60: 1 / 60, 180: 2 / 120}),
    ("DIFF(a)", {60: 1.0, 180: 2.0}),
    ("RUNNING_SUM(a)", {0: 1.0, 60: 3.0, 180: 7.0}),
    ("IF(a > 1, a, 0)", {0: 0.0, 60: 2.0, 180: 4.0}),
    ("IF(a > 1, b)", {60: 0.0}),
    ("IF(SUM(a) > 100, a, b)", {0: 10.0, 60: 0.0, 120: 5.0}),
    ("ABS(0 - a) + CEIL(0.5) + FLOOR(1.5)", {0: 3.0, 60: 4.0, 180: 6.0}),
    ("LOG10(b)", {0: 1.0, 120: math.log10(5)}),
    ("a * PERIOD(a)", {0: 60.0, 60: 120.0, 180: 240.0}),
    ("DATAPOINT_COUNT(a)", 3.0),
    ("FIRST([b, a])", {0: 10.0, 60: 0.0, 120: 5.0}),
    ("METRICS() * 2", {"a": {0: 2.0, 60: 4.0, 180: 8.0}, "b": {0: 20.0, 60: 0.0, 120: 10.0}}),
    ("none + a", {}),
]


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS)
def test_expressions(expression: str, expected: Any) -> None:
    found = compute(expression, FRAME)
    assert found == (pytest.approx(expected) if not isinstance(found, Array) else expected)


@pytest.mark.parametrize("name", sorted(REFUSED - {"SELECT"}))
def test_what_is_not_computed_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(MathError, match=f"does not compute {name}"):
        compute(f"{name}(a)", FRAME)
    with pytest.raises(MathError, match="does not compute SELECT"):
        compute("SELECT AVG(x) FROM y", FRAME)


BAD = ["", "1 +", "(a", "unknown", "NOPE(a)", "SUM()", "IF(a)", "a b", "'x' + 1", "RATE(1)", "a $ b", "(" * 1000]


@pytest.mark.parametrize("expression", BAD)
def test_what_is_no_expression_says_why(expression: str) -> None:
    with pytest.raises(MathError):
        compute(expression, FRAME)


@given(st.text(alphabet="ab12+-*/^()[],. <>=&|'\"SUMIFLRATEMETRICS", max_size=40))
def test_whatever_is_written_is_computed_or_refused(expression: str) -> None:
    try:
        names_in(expression)
        compute(expression, FRAME)
    except MathError:
        pass


def test_a_range_of_too_many_periods_is_refused() -> None:
    with pytest.raises(MathError, match="more than 100800"):
        compute("FILL(a, 0)", Frame(FRAME.values, ("a",), 1, 0, 2_000_000_000))


def test_ids_are_told_from_functions_and_words() -> None:
    assert names_in("IF(a > 1 AND b, FILL(c, REPEAT), SUM(METRICS('d')))") == {"a", "b", "c"}

"""Metric math: expressions over series of values, as `GetMetricData` and alarms have them.

After "Using math expressions with CloudWatch metrics" (CloudWatch User Guide). A value is a number, a series, or an
array of series by name; functions that are not computed are refused by their name. Pure.
"""

from __future__ import annotations

import math
import operator
import re
import statistics
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from trainworks.twin.lexing import UnreadableError, pieces

Series = dict[int, float]
"""Value by the second at which its period begins."""
Value = Any
"""A float, a `Series`, an `Array` or a text."""


class Array(dict[str, Series]):
    """Series by their names."""


_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<operator>&&|\|\||==|!=|<=|>=|[-+*/^<>(),\[\]]))"
)
_BINARY: tuple[dict[str, Callable[[float, float], float]], ...] = (
    {"||": lambda a, b: float(bool(a) or bool(b)), "OR": lambda a, b: float(bool(a) or bool(b))},
    {"&&": lambda a, b: float(bool(a) and bool(b)), "AND": lambda a, b: float(bool(a) and bool(b))},
    {"==": operator.eq, "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt},
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": operator.truediv},
    {"^": operator.pow},
)
"""Operators by how closely they bind, the loosest first."""
_MOST_DEPTH = 50
MOST_POINTS = 100_800
_COMBINED: dict[str, Callable[[list[float]], float]] = {
    "SUM": math.fsum, "AVG": statistics.fmean, "MIN": min, "MAX": max, "STDDEV": statistics.pstdev,
}  # fmt: skip
_EACH: dict[str, Callable[[float], float]] = {
    "ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor, "LOG": math.log, "LOG10": math.log10, "EXP": math.exp,
    "SQRT": math.sqrt,
}  # fmt: skip
REFUSED = frozenset(
    {"ANOMALY_DETECTION_BAND", "DB_PERF_INSIGHTS", "INSIGHT_RULE_METRIC", "LAMBDA", "METRIC_COUNT", "REMOVE_EMPTY",
     "SEARCH", "SELECT", "SERVICE_QUOTA", "SLICE", "SORT", "ANOMALY_DETECTION", "MINUTE", "HOUR", "DAY", "DATE",
     "MONTH", "YEAR", "EPOCH", "DIFF_TIME", "TIME_SERIES"}
)  # fmt: skip
"""Functions that CloudWatch has and that are not computed here."""


class MathError(ValueError):
    """An expression that cannot be computed; the text says why."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What an expression is computed over: `values` by their ids, `metrics` the ids of metrics, the period in seconds,
    and the range from `start` to `end`. Periods begin at multiples of their length after `origin`."""

    values: Mapping[str, Value]
    metrics: tuple[str, ...]
    period: int
    start: int
    end: int
    origin: int = 0


def names_in(expression: str) -> set[str]:
    """The ids that an expression refers to; `METRICS()` is none. Raises `MathError`."""
    tokens = _tokens(expression)
    return {
        text
        for place, (kind, text) in enumerate(tokens)
        if kind == "name" and text not in ("AND", "OR", "REPEAT", "LINEAR") and tokens[place + 1][1] != "("
    }


def compute(expression: str, frame: Frame) -> Value:
    """The value of an expression. Raises `MathError`."""
    parser = _Parser(_tokens(expression), frame)
    value = parser.expression()
    if parser.kind != "end":
        raise MathError(f"Unexpected '{parser.text}'")
    return value


def _tokens(expression: str) -> list[tuple[str, str]]:
    try:
        found = [(str(match.lastgroup), match[str(match.lastgroup)]) for match in pieces(_TOKEN, expression)]
    except UnreadableError as error:
        raise MathError(f"Unexpected '{str(error)[:20]}'") from None
    if not found:
        raise MathError("The expression is empty")
    if found[0] == ("name", "SELECT"):
        raise MathError("trainworks does not compute SELECT; see docs/reference/fidelity.md")
    return [*found, ("end", "")]


class _Parser:
    """Computes while it reads: expressions are short, and nothing is computed twice."""

    def __init__(self, tokens: list[tuple[str, str]], frame: Frame) -> None:
        self._tokens = tokens
        self._frame = frame
        self._place = 0
        self._depth = 0

    @property
    def kind(self) -> str:
        return self._tokens[self._place][0]

    @property
    def text(self) -> str:
        return self._tokens[self._place][1]

    def expression(self, level: int = 0) -> Value:
        if level == len(_BINARY):
            return self._unary()
        self._depth += level == 0
        if self._depth > _MOST_DEPTH:
            raise MathError("The expression is nested too deeply")
        left = self.expression(level + 1)
        while self.kind in ("operator", "name") and self.text in _BINARY[level]:
            function = _BINARY[level][self._take()]
            left = _joined(function, left, self.expression(level + 1))
        self._depth -= level == 0
        return left

    def _take(self, expected: str = "") -> str:
        text = self.text
        if expected and text != expected:
            raise MathError(f"Expected '{expected}' and found '{text or 'the end'}'")
        self._place += 1
        return text

    def _unary(self) -> Value:
        if self.kind == "operator" and self.text == "-":
            self._take()
            return _joined(operator.mul, -1.0, self.expression(len(_BINARY) - 1))
        if self.kind == "operator" and self.text == "(":
            self._take()
            inner = self.expression()
            self._take(")")
            return inner
        if self.kind == "operator" and self.text == "[":
            return self._array()
        if self.kind == "number":
            return float(self._take())
        if self.kind == "text":
            return self._take()[1:-1]
        if self.kind != "name":
            raise MathError(f"Unexpected '{self.text or 'end'}'")
        name = self._take()
        return self._call(name) if self.text == "(" else self._named(name)

    def _named(self, name: str) -> Value:
        if name in self._frame.values:
            return self._frame.values[name]
        if name in ("REPEAT", "LINEAR"):
            return name
        raise MathError(f"'{name}' is not an id of a query")

    def _array(self) -> Value:
        self._take("[")
        found = Array()
        while self.text != "]":
            value = self.expression()
            if isinstance(value, dict):
                found |= _many(value, f"{len(found)}")
            if self.text != "]":
                self._take(",")
        self._take("]")
        return found

    def _call(self, name: str) -> Value:
        self._take("(")
        arguments: list[Value] = []
        while self.text != ")":
            arguments.append(self.expression())
            if self.text != ")":
                self._take(",")
        self._take(")")
        return _called(name, arguments, self._frame)


def _called(name: str, arguments: list[Value], frame: Frame) -> Value:  # noqa: PLR0911 - a line for each function
    if name in REFUSED:
        raise MathError(f"trainworks does not compute {name}; see docs/reference/fidelity.md")
    if name == "METRICS":
        part = str(arguments[0]) if arguments else ""
        chosen = {each: frame.values[each] for each in frame.metrics if part in each}
        return Array({each: value for each, value in chosen.items() if isinstance(value, dict)})
    if name == "IF":
        _count(name, arguments, 2, 3)
        return _if(arguments)
    if name == "FILL":
        _count(name, arguments, 2)
        return _for_each(arguments[0], lambda series: _filled(series, arguments[1], frame))
    _count(name, arguments, 1)
    (value,) = arguments
    if name in _COMBINED:
        return _combined(_COMBINED[name], value)
    if name in _EACH:
        return _map(_EACH[name], value)
    if name == "PERIOD":
        return float(frame.period)
    if name == "DATAPOINT_COUNT":
        return _combined(lambda values: float(len(values)), value)
    if name in ("FIRST", "LAST"):
        listed = list(_many(value, "").values())
        if not listed:
            raise MathError(f"{name} of nothing")
        return listed[0 if name == "FIRST" else -1]
    steps: dict[str, Callable[[Series], Series]] = {"RATE": _rate, "DIFF": _diff, "RUNNING_SUM": _running_sum}
    if name in steps:
        return _for_each(value, steps[name])
    raise MathError(f"There is no function {name}")


def _count(name: str, arguments: list[Value], least: int, most: int | None = None) -> None:
    if not least <= len(arguments) <= (most or least):
        raise MathError(f"{name} does not take {len(arguments)} arguments")


def _many(value: Value, name: str) -> Array:
    """An array of series of whatever is one."""
    if not isinstance(value, dict):
        raise MathError("A series is needed where a number is")
    return value if isinstance(value, Array) else Array({name: value})


def _for_each(value: Value, function: Callable[[Series], Series]) -> Value:
    if not isinstance(value, dict):
        raise MathError("A series is needed where a number is")
    if isinstance(value, Array):
        return Array({name: function(series) for name, series in value.items()})
    return function(value)


def _map(function: Callable[[float], float], value: Value) -> Value:
    if isinstance(value, float | int):
        return _one(function, value)
    return _for_each(value, lambda series: _finite({at: _one(function, each) for at, each in series.items()}))


def _one(function: Callable[..., Any], *values: Any) -> float:
    """The result, NaN if there is none: such points are left out, as on AWS."""
    try:
        found = function(*values)
    except (ArithmeticError, ValueError):
        return math.nan
    return float(found) if isinstance(found, float | int) else math.nan


def _finite(series: Series) -> Series:
    return {at: value for at, value in series.items() if math.isfinite(value)}


def _joined(  # noqa: PLR0911 - a line for each pair of kinds
    function: Callable[[float, float], float], left: Value, right: Value
) -> Value:
    """Number by number, at the times that both have."""
    if isinstance(left, str) or isinstance(right, str):
        raise MathError("Text is not a number")
    if isinstance(left, Array) and isinstance(right, Array):
        return Array({name: _joined(function, series, right[name]) for name, series in left.items() if name in right})
    if isinstance(left, Array):
        return Array({name: _joined(function, series, right) for name, series in left.items()})
    if isinstance(right, Array):
        return Array({name: _joined(function, left, series) for name, series in right.items()})
    if isinstance(left, dict) and isinstance(right, dict):
        return _finite({at: _one(function, left[at], right[at]) for at in left if at in right})
    if isinstance(left, dict):
        return _finite({at: _one(function, value, right) for at, value in left.items()})
    if isinstance(right, dict):
        return _finite({at: _one(function, left, value) for at, value in right.items()})
    return _one(function, left, right)


def _combined(function: Callable[[list[float]], float], value: Value) -> Value:
    """One number of a series; of an array the series of what its members have at a time."""
    if isinstance(value, float | int):
        return float(value)
    if not isinstance(value, Array):
        numbers = list(value.values())
        return _one(function, numbers) if numbers else math.nan
    at_once: dict[int, list[float]] = {}
    for series in value.values():
        for at, each in series.items():
            at_once.setdefault(at, []).append(each)
    return {at: _one(function, at_once[at]) for at in sorted(at_once)}


def _if(arguments: list[Value]) -> Value:
    condition, then = arguments[0], arguments[1]
    otherwise: Value = arguments[2] if len(arguments) == 3 else {}
    if not isinstance(condition, dict):
        return then if condition else otherwise
    found: Series = {}
    for moment, holds in condition.items():
        chosen = then if holds else otherwise
        value = chosen.get(moment) if isinstance(chosen, dict) else chosen
        if value is not None:
            found[moment] = value
    return found


def beginning(at: float, period: int, origin: int = 0) -> int:
    """The start of the period that contains a time."""
    return int((at - origin) // period) * period + origin


def times(start: int, end: int, period: int, origin: int = 0) -> range:
    """The beginnings of all periods of a range. Raises `MathError` if there are too many."""
    found = range(beginning(start, period, origin), end, period)
    if len(found) > MOST_POINTS:
        raise MathError(f"The range has {len(found)} periods of {period} seconds, more than {MOST_POINTS}")
    return found


def _filled(series: Series, how: Value, frame: Frame) -> Series:
    if isinstance(how, dict):
        return {**how, **series}
    if isinstance(how, float | int):
        return {at: series.get(at, float(how)) for at in times(frame.start, frame.end, frame.period, frame.origin)}
    known = sorted(series)
    found: Series = {}
    for at in times(frame.start, frame.end, frame.period, frame.origin):
        place = bisect_right(known, at)
        before, after = known[place - 1 : place] if place else [], known[place : place + 1]
        if at in series:
            found[at] = series[at]
        elif how == "REPEAT" and before:
            found[at] = series[before[0]]
        elif how == "LINEAR" and before and after:
            share = (at - before[0]) / (after[0] - before[0])
            found[at] = series[before[0]] + share * (series[after[0]] - series[before[0]])
    return found


def _diff(series: Series) -> Series:
    times = sorted(series)
    return {at: series[at] - series[before] for before, at in pairwise(times)}


def _rate(series: Series) -> Series:
    times = sorted(series)
    return {at: (series[at] - series[before]) / (at - before) for before, at in pairwise(times)}


def _running_sum(series: Series) -> Series:
    total, found = 0.0, {}
    for at in sorted(series):
        total += series[at]
        found[at] = total
    return found

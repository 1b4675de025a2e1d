"""Condition blocks of policies, decided as far as the request is known.

IAM User Guide, "IAM JSON policy elements: Condition operators". A key that the caller does not state may be there or
not, so what depends on it is undecided; so is an operator that is not modelled (dates, addresses, binary).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from trainworks.assembly.graph import Unknown
from trainworks.preflight.wildcards import covers

Context = Mapping[str, str | tuple[str, ...]]
"""Condition keys of a request, lower case, with the value or values that are known; `()`: surely not in the request."""


class Verdict(Enum):
    """Whether a condition holds."""

    TRUE = "true"
    FALSE = "false"
    UNDECIDED = "undecided"


def _equals(pattern: str, value: str) -> bool:
    return pattern == value


def _equals_ignoring_case(pattern: str, value: str) -> bool:
    return pattern.lower() == value.lower()


_POSITIVE: dict[str, Callable[[str, str], bool]] = {
    "stringequals": _equals,
    "stringequalsignorecase": _equals_ignoring_case,
    "stringlike": covers,
    "arnequals": covers,
    "arnlike": covers,
    "bool": _equals_ignoring_case,
    "numericequals": lambda pattern, value: float(pattern) == float(value),
}
_NEGATIVE = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "numericnotequals": "numericequals",
}


def values_of(value: Any) -> tuple[str, ...]:
    """The one value or the list of values of a policy element, as texts."""
    each = value if isinstance(value, list) else [value]
    return tuple(_text(item) for item in each)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)


def tests_of(condition: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(operator, key, values) of each test of a condition block, operator and key in lower case."""
    for operator, block in condition.items() if isinstance(condition, Mapping) else ():
        if isinstance(block, Mapping):
            for key, value in block.items():
                yield operator.lower(), key.lower(), values_of(value)


def decide(condition: Any, context: Context) -> Verdict:
    """Whether the condition block holds for a request of which `context` is known."""
    if not condition:
        return Verdict.TRUE
    if not isinstance(condition, Mapping):
        return Verdict.UNDECIDED
    verdicts = {_decide(*test, context) for test in tests_of(condition)}
    for verdict in (Verdict.FALSE, Verdict.UNDECIDED):
        if verdict in verdicts:
            return verdict
    return Verdict.TRUE


def _decide(operator: str, key: str, wanted: Sequence[str], context: Context) -> Verdict:
    present = context.get(key)
    if present is None or any(isinstance(each, Unknown) or "${" in each for each in wanted):
        return Verdict.UNDECIDED
    if operator == "null":
        return _verdict(all((each.lower() == "true") is (present == ()) for each in wanted))
    quantifier, _, written = operator.rpartition(":")
    name = written.removesuffix("ifexists")
    if present == ():
        return _verdict(name != written or name in _NEGATIVE or quantifier == "forallvalues")
    return _compare(name, quantifier, wanted, (present,) if isinstance(present, str) else present)


def _compare(name: str, quantifier: str, wanted: Sequence[str], given: Sequence[str]) -> Verdict:
    negative = name in _NEGATIVE
    matches = _POSITIVE.get(_NEGATIVE.get(name, name))
    if matches is None or any(isinstance(each, Unknown) for each in given):
        return Verdict.UNDECIDED
    results = [any(matches(pattern, value) for pattern in wanted) is not negative for value in given]
    return _verdict(all(results) if quantifier == "forallvalues" or negative else any(results))


def _verdict(holds: bool) -> Verdict:
    return Verdict.TRUE if holds else Verdict.FALSE

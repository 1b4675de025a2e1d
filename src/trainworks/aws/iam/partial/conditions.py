"""Condition blocks of policies, decided as far as the request is known.

What is known is decided by the twin's own operators (`aws.iam.conditions`). A key that the caller does not state may
be there or not, so what depends on it is undecided; so is what depends on a value that the deploy alone knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from trainworks.aws.iam.conditions import Condition, parse_conditions
from trainworks.aws.iam.variables import variable_keys
from trainworks.aws.unknown import Unknown

Context = Mapping[str, str | tuple[str, ...]]
"""Condition keys of a request, lower case, with the value or values that are known; `()`: surely not in the request."""


class Verdict(Enum):
    """Whether a condition holds."""

    TRUE = "true"
    FALSE = "false"
    UNDECIDED = "undecided"


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


def decide(condition: Any, context: Context, variables: bool = True) -> Verdict:
    """Whether the condition block holds for a request, as far as `context` is known.

    `variables`: whether `${...}` is one, as in documents of version 2012-10-17.
    """
    if not condition:
        return Verdict.TRUE
    if not isinstance(condition, Mapping):
        return Verdict.UNDECIDED
    verdicts = {_decide(*test, context, variables) for test in tests_of(condition)}
    for verdict in (Verdict.FALSE, Verdict.UNDECIDED):
        if verdict in verdicts:
            return verdict
    return Verdict.TRUE


def stated(context: Context) -> Mapping[str, str | tuple[str, ...]]:
    """The keys of a context whose values are known, for `aws.iam`."""
    return {key: value for key, value in context.items() if not _is_unknown(value)}


def _decide(operator: str, key: str, wanted: tuple[str, ...], context: Context, variables: bool) -> Verdict:
    present = context.get(key)
    if present is None or _is_unknown(present) or any(isinstance(each, Unknown) for each in wanted):
        return Verdict.UNDECIDED
    named = {name for each in wanted if "${" in each for name in variable_keys(each)} if variables else set()
    if any(not isinstance(context.get(name), str) or _is_unknown(context[name]) for name in named):
        return Verdict.UNDECIDED
    condition = _parsed(operator, key, wanted, variables)
    if condition is None:
        return Verdict.UNDECIDED
    return Verdict.TRUE if condition.holds(context) else Verdict.FALSE


@lru_cache(maxsize=4096)
def _parsed(operator: str, key: str, wanted: tuple[str, ...], variables: bool) -> Condition | None:
    """The test as the twin reads it; None for an operator that there is not."""
    try:
        return parse_conditions({operator: {key: list(wanted)}}, variables=variables)[0]
    except ValueError:
        return None


def _is_unknown(value: str | tuple[str, ...]) -> bool:
    return isinstance(value, Unknown) or (isinstance(value, tuple) and any(isinstance(each, Unknown) for each in value))

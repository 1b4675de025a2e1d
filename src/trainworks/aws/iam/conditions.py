"""Condition blocks: every operator, `...IfExists`, `ForAllValues:` and `ForAnyValue:`.

After "IAM JSON policy elements: Condition operators" and "Multivalued context keys". All operators of a block and all
keys of an operator must hold; of a key's values one suffices, and for a negated operator none may fit. Values that
are not of the operator's kind (a word for a number, say) fit nothing.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from trainworks.aws.iam.variables import Context, Template, Value, template
from trainworks.aws.wildcards import Pattern

Test = Callable[[str, Template, Context], bool]
"""Whether a request's value fits one value of the policy."""


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator by its name in a document, with prefix and suffix read."""

    base: str
    negated: bool
    quantifier: str
    if_exists: bool

    @property
    def test(self) -> Test:
        return _TESTS[self.base]


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key (in lower case). `values` are the policy's, as templates."""

    operator: Operator
    key: str
    values: tuple[Template, ...]

    def holds(self, context: Context) -> bool:
        actual = _present(context.get(self.key))
        operator = self.operator
        if operator.base == "null":
            return any((value.text(context) or "").lower() == str(actual is None).lower() for value in self.values)
        if actual is None:
            without = operator.quantifier == "forallvalues" if operator.quantifier else operator.negated
            return operator.if_exists or without
        # Several values without a prefix: a negated operator asks that none of them fits, any other that one does.
        every = operator.quantifier == "forallvalues" or (operator.negated and not operator.quantifier)
        fits = (self._fits(value, context) for value in actual)
        return all(fits) if every else any(fits)

    def _fits(self, actual: str, context: Context) -> bool:
        test = self.operator.test
        return any(test(actual, value, context) for value in self.values) is not self.operator.negated


def parse_conditions(block: object, *, variables: bool) -> tuple[Condition, ...]:
    """The conditions of a statement. Raises `ValueError` for what is not a block of conditions or no operator."""
    if not isinstance(block, Mapping):
        raise ValueError("a Condition is an object of operators")
    conditions = []
    for name, keys in block.items():
        operator = parse_operator(str(name))
        if operator is None:
            raise ValueError(f"Invalid Condition type : {name}")
        if not isinstance(keys, Mapping):
            raise ValueError(f"the operator {name} takes an object of condition keys")
        takes_variables = variables and operator.base.startswith(("string", "arn"))
        wild = operator.base in _PATTERNS
        for key, values in keys.items():
            texts = [_text(value) for value in (values if isinstance(values, list) else [values])]
            templates = tuple(template(text, takes_variables, wild) for text in texts)
            conditions.append(Condition(operator, str(key).lower(), templates))
    return tuple(conditions)


@lru_cache(maxsize=512)
def parse_operator(name: str) -> Operator | None:
    """An operator by its name, or None for a name that no operator has."""
    rest, quantifier = name.lower(), ""
    for prefix in ("forallvalues", "foranyvalue"):
        if rest.startswith(f"{prefix}:"):
            rest, quantifier = rest[len(prefix) + 1 :], prefix
    if_exists = rest.endswith("ifexists")
    rest = rest.removesuffix("ifexists")
    if rest == "null":
        return None if quantifier or if_exists else Operator("null", False, "", False)
    found = _NAMES.get(rest)
    return None if found is None else Operator(found[0], found[1], quantifier, if_exists)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    raise ValueError(f"{value!r} is not a value of a condition")


def _present(value: Value | None) -> Sequence[str] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return (value,)
    return value or None


def _equal(actual: str, expected: Template, context: Context) -> bool:
    return actual == expected.text(context)


def _equal_ignoring_case(actual: str, expected: Template, context: Context) -> bool:
    text = expected.text(context)
    return text is not None and actual.casefold() == text.casefold()


def _like(actual: str, expected: Template, context: Context) -> bool:
    return expected.matches(actual, context)


def _arn_like(actual: str, expected: Template, context: Context) -> bool:
    """The six components of an ARN are compared each for itself; a wildcard never reaches over a colon between them.

    A pattern of fewer components, `*` say, is compared with the whole.
    """
    components = expected.components(context)
    if components is None:
        return False
    if len(components) < 6:
        return expected.matches(actual, context)
    given = actual.split(":", 5)
    if len(given) != 6:
        return False
    return all(Pattern(parts).matches(text) for parts, text in zip(components, given, strict=True))


def _number(compare: Callable[[Decimal, Decimal], bool]) -> Test:
    def test(actual: str, expected: Template, context: Context) -> bool:
        left, right = _decimal(actual), _decimal(expected.text(context) or "")
        return left is not None and right is not None and compare(left, right)

    return test


def _date(compare: Callable[[Decimal, Decimal], bool]) -> Test:
    def test(actual: str, expected: Template, context: Context) -> bool:
        left, right = _seconds(actual), _seconds(expected.text(context) or "")
        return left is not None and right is not None and compare(left, right)

    return test


def _bool(actual: str, expected: Template, context: Context) -> bool:
    return actual.lower() == (expected.text(context) or "").lower()


def _binary(actual: str, expected: Template, context: Context) -> bool:
    left, right = _bytes(actual), _bytes(expected.text(context) or "")
    return left is not None and left == right


def _ip_address(actual: str, expected: Template, context: Context) -> bool:
    network = _network(expected.text(context) or "")
    try:
        return network is not None and ipaddress.ip_address(actual) in network
    except ValueError:
        return False


def _decimal(text: str) -> Decimal | None:
    if len(text) > 64:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


@lru_cache(maxsize=1024)
def _seconds(text: str) -> Decimal | None:
    """Seconds since the epoch, from ISO 8601 or from such a number."""
    number = _decimal(text)
    if number is not None:
        return number
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return Decimal(str((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()))


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


@lru_cache(maxsize=1024)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


# As documents spell them: the test of each operator by its affirmative name, and the name of its negation.
_SPELLED: dict[str, tuple[Test, str]] = {
    "StringEquals": (_equal, "StringNotEquals"),
    "StringEqualsIgnoreCase": (_equal_ignoring_case, "StringNotEqualsIgnoreCase"),
    "StringLike": (_like, "StringNotLike"),
    "ArnEquals": (_arn_like, "ArnNotEquals"),
    "ArnLike": (_arn_like, "ArnNotLike"),
    "NumericEquals": (_number(lambda left, right: left == right), "NumericNotEquals"),
    "NumericLessThan": (_number(lambda left, right: left < right), ""),
    "NumericLessThanEquals": (_number(lambda left, right: left <= right), ""),
    "NumericGreaterThan": (_number(lambda left, right: left > right), ""),
    "NumericGreaterThanEquals": (_number(lambda left, right: left >= right), ""),
    "DateEquals": (_date(lambda left, right: left == right), "DateNotEquals"),
    "DateLessThan": (_date(lambda left, right: left < right), ""),
    "DateLessThanEquals": (_date(lambda left, right: left <= right), ""),
    "DateGreaterThan": (_date(lambda left, right: left > right), ""),
    "DateGreaterThanEquals": (_date(lambda left, right: left >= right), ""),
    "Bool": (_bool, ""),
    "BinaryEquals": (_binary, ""),
    "IpAddress": (_ip_address, "NotIpAddress"),
}
_TESTS = {name.lower(): test for name, (test, _) in _SPELLED.items()}
_PATTERNS = frozenset({"stringlike", "arnequals", "arnlike"})
_NAMES: dict[str, tuple[str, bool]] = {name: (name, False) for name in _TESTS} | {
    negation.lower(): (name.lower(), True) for name, (_, negation) in _SPELLED.items() if negation
}


def known_operators() -> list[str]:
    """The operators as documents spell them, without prefix and suffix."""
    return [*_SPELLED, *(negation for _, negation in _SPELLED.values() if negation), "Null"]

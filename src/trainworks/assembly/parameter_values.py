"""Values of template parameters: given or by default, against what the template declares of them.

Source: "Parameters" in the CloudFormation user guide; the words are the service's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MAX_VALUE_BYTES = 4096
SSM_VALUE = "AWS::SSM::Parameter::Value<"

Matches = Callable[[str, str], bool]
"""Whether the whole of a text (second) matches a regular expression (first)."""


def is_list(kind: str) -> bool:
    """Whether a parameter of this type is a list, written with commas."""
    return "List" in kind


def members(kind: str, value: str) -> list[str]:
    """The members of a value, each of which has to be allowed by itself."""
    return [part.strip() for part in value.split(",")] if is_list(kind) else [value]


def name_refusals(declared: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[str]:
    """Names that the template lacks, and parameters that have neither a value nor a default."""
    unknown = [name for name in given if name not in declared]
    if unknown:
        yield f"Parameters: [{', '.join(unknown)}] do not exist in the template"
    missing = [name for name, body in declared.items() if name not in given and "Default" not in body]
    if missing:
        yield f"Parameters: [{', '.join(missing)}] must have values"


def value_refusal(name: str, declared: Mapping[str, Any], value: str, matches: Matches) -> str | None:
    """Why the declaration does not allow the value, or None."""
    kind = str(declared.get("Type", "String"))
    if len(value.encode("utf-8", "replace")) > MAX_VALUE_BYTES:
        return f"Parameter '{name}' length is greater than {MAX_VALUE_BYTES}."
    reason = next(_broken(kind, declared, members(kind, value), matches), None)
    if reason is None:
        return None
    described = declared.get("ConstraintDescription")
    return (
        f"Parameter {name} failed to satisfy constraint: {described}" if described else f"Parameter '{name}' {reason}"
    )


def _broken(kind: str, declared: Mapping[str, Any], values: list[str], matches: Matches) -> Iterator[str]:
    numeric = kind in ("Number", "List<Number>")
    if numeric and any(_number(value) is None for value in values):
        yield "must be a number" if kind == "Number" else "must be a list of numbers"
        return
    allowed = declared.get("AllowedValues")
    if isinstance(allowed, list) and not all(_is_allowed(value, allowed, numeric) for value in values):
        yield "must be one of AllowedValues"
    if numeric:
        yield from _beyond(declared, [float(value) for value in values])
        return
    pattern = declared.get("AllowedPattern")
    if pattern is not None and not all(matches(str(pattern), value) for value in values):
        yield f"must match pattern {pattern}"
    if not is_list(kind):
        yield from _too_long(declared, len(values[0]))


def _beyond(declared: Mapping[str, Any], numbers: list[float]) -> Iterator[str]:
    least, most = _number(declared.get("MinValue")), _number(declared.get("MaxValue"))
    if least is not None and any(number < least for number in numbers):
        yield f"must be a number not less than {declared['MinValue']}"
    if most is not None and any(number > most for number in numbers):
        yield f"must be a number not greater than {declared['MaxValue']}"


def _too_long(declared: Mapping[str, Any], length: int) -> Iterator[str]:
    least, most = _number(declared.get("MinLength")), _number(declared.get("MaxLength"))
    if least is not None and length < least:
        yield f"must contain at least {declared['MinLength']} characters"
    if most is not None and length > most:
        yield f"must contain at most {declared['MaxLength']} characters"


def text(value: Any) -> str:
    """A default or an allowed value as CloudFormation reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_allowed(value: str, allowed: list[Any], numeric: bool) -> bool:
    if value in [text(each) for each in allowed]:
        return True
    return numeric and _number(value) in [_number(each) for each in allowed]


def _number(value: Any) -> float | None:
    if (
        value is None
        or isinstance(value, bool)
        or not re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", str(value))
    ):
        return None
    return float(value)

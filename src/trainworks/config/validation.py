"""Values from outside made into frozen dataclasses, checked by pydantic.

Imported only where there are such values: the import of pydantic would be most of the time that a command takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

T = TypeVar("T")


class InvalidValueError(ValueError):
    """One value is wrong: `keys` lead to it, `message` says what it is and what is allowed, `fix` what to do."""

    def __init__(self, keys: tuple[str, ...], message: str, fix: str) -> None:
        super().__init__(f"{'.'.join(keys)}: {message}" if keys else message)
        self.keys = keys
        self.message = message
        self.fix = fix


def checked(record: type[T], values: Mapping[str, object]) -> T:
    """A `record` (a frozen dataclass) of `values`. Raises `InvalidValueError` for the first value that is wrong."""
    try:
        return _adapter(record).validate_python(values)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        raise _invalid(record, details) from None


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}
"""Building one takes longer than what it is used for."""


def _adapter(record: type[T]) -> TypeAdapter[T]:
    if record not in _ADAPTERS:
        _ADAPTERS[record] = TypeAdapter(record)
    return _ADAPTERS[record]


def _invalid(record: type[Any], details: ErrorDetails) -> InvalidValueError:
    keys = tuple(part for part in details["loc"] if isinstance(part, str))
    if details["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
        allowed = sorted(_fields_at(record, keys[:-1]))
        close = get_close_matches(keys[-1], allowed, n=1)
        fix = f"did you mean {close[0]}?" if close else "remove the key"
        return InvalidValueError(keys, f"unknown key; allowed: {', '.join(allowed)}", fix)
    if details["type"] in {"missing", "missing_argument", "missing_keyword_only_argument"}:
        return InvalidValueError(keys, "is missing", f"add {keys[-1]}")
    if details["type"] == "value_error":
        fix = getattr(details.get("ctx", {}).get("error"), "fix", "change one of the values named")
        return InvalidValueError(keys, details["msg"].removeprefix("Value error, "), fix)
    return InvalidValueError(keys, f"is {details['input']!r}; allowed: {_allowed(details)}", "give an allowed value")


def _allowed(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    if "expected" in context:
        return str(context["expected"])
    if "pattern" in context:
        return f"text matching {context['pattern']}"
    if details["type"] == "too_short":
        fewest = context["min_length"]
        return f"at least {fewest} value{'s' if fewest > 1 else ''}"
    return _KINDS.get(details["type"]) or details["msg"].removeprefix("Input should be ")


_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
}
"""What values are called in TOML, by pydantic's type of error."""


def _fields_at(record: type[Any], keys: Sequence[str]) -> set[str]:
    """Names of the fields of the record that `keys` lead to."""
    current = record
    for key in keys:
        hint = get_type_hints(current)[key]
        current = next(each for each in (hint, *get_args(hint)) if is_dataclass(each) and isinstance(each, type))
    return {each.name for each in fields(current)}

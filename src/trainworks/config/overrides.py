"""Single values of a profile that ships, replaced by those of an environment's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_type_hints

from trainworks.config.profile import EnvironmentProfile
from trainworks.config.validation import InvalidValueError, checked


def overridden(profile: EnvironmentProfile, overrides: Mapping[str, object]) -> EnvironmentProfile:
    """`profile` with `overrides`, which have its shape; `False` takes away a value or a table that may be absent.

    Raises `InvalidValueError` for the first value that is wrong.
    """
    return checked(EnvironmentProfile, _merged(EnvironmentProfile, asdict(profile), overrides, ()))


def _merged(
    record: type[Any], values: Mapping[str, Any], overrides: Mapping[str, object], keys: tuple[str, ...]
) -> dict[str, Any]:
    hints, merged = get_type_hints(record), dict(values)
    for key, value in overrides.items():
        kinds = (hints[key], *get_args(hints[key])) if key in hints else ()
        table = next((kind for kind in kinds if is_dataclass(kind) and isinstance(kind, type)), None)
        optional = NoneType in kinds
        if value is False and optional:
            merged[key] = None
        elif table is None:
            merged[key] = value
        elif isinstance(value, Mapping):
            merged[key] = _merged(table, values[key] or {}, value, (*keys, key))
        else:
            allowed = "a table, or false to leave it out" if optional else "a table"
            names = ", ".join(each.name for each in fields(table))
            raise InvalidValueError((*keys, key), f"is {value!r}; allowed: {allowed}", f"write a table of {names}")
    return merged

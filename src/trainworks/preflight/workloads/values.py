"""Resolved template values as Python ones. What is unknown before the deploy stays `Unknown`, what is absent `None`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainworks.assembly.graph import Unknown

Number = float | Unknown | None


def text(value: object) -> str:
    """A text, `Unknown` for what is neither text nor number; empty where absent."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else Unknown("not a text")


def texts(value: object) -> tuple[str, ...]:
    """A list of texts. A list that is unknown as a whole is one unknown text, so that it does not count as empty."""
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(text(each) for each in value)
    if isinstance(value, Unknown):
        return (value,)
    return tuple(part.strip() for part in text(value).split(",") if part.strip())


def number(value: object) -> Number:
    """A number, also one written as text."""
    if value is None or isinstance(value, Unknown):
        return value
    if isinstance(value, bool):
        return Unknown("true or false instead of a number")
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(str(value))
    except ValueError:
        return Unknown(f"no number: {value}")


def flag(value: object) -> bool | Unknown | None:
    """A truth value, also one written as text."""
    if value is None or isinstance(value, bool | Unknown):
        return value
    written = str(value).lower()
    return {"true": True, "false": False}.get(written, Unknown(f"neither true nor false: {value}"))


def table(value: object) -> Mapping[str, Any]:
    """An object; empty if it is absent or unknown."""
    return value if isinstance(value, Mapping) else {}


def tables(value: object) -> tuple[Mapping[str, Any], ...]:
    """The objects of a list."""
    return tuple(each for each in value if isinstance(each, Mapping)) if isinstance(value, list | tuple) else ()


def known(value: object) -> bool:
    """Whether the value is there and not unknown."""
    return value is not None and not isinstance(value, Unknown)


def values_at(value: object, path: str) -> Iterator[object]:
    """The values at a property path, in which `*` is every item of a list: `Outputs.*.S3Output.S3Uri`."""
    first, _, rest = path.partition(".")
    items = [value[first]] if isinstance(value, Mapping) and first in value else []
    if first == "*" and isinstance(value, list):
        items = value
    for item in items:
        yield from values_at(item, rest) if rest else (item,)

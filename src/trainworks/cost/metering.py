"""What AWS meters of a resource: the words in which a family of resource types says it. Prices come later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trainworks.assembly.graph import Graph, Resource

BY_USE = Decimal(0)
"""The quantity of what costs only when it is used: it is shown with its unit price."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the templates leave open: how long a month each notebook instance runs."""

    notebook_hours: Decimal = BY_USE


@dataclass(frozen=True, slots=True)
class Meter:
    """`quantity` units a month of what has the price `keys`; of several keys AWS chooses one, so it is a range.

    Without a key the price is in no table. `note` says what the figure leaves out. `at_most` is the quantity of a
    month in which what may stop never does, or what may grow is as large as its limit.
    """

    what: str
    keys: tuple[str, ...]
    quantity: Decimal
    note: str = ""
    at_most: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Unmetered:
    """A part of a resource that costs something by itself, but nobody can tell from the template how much."""

    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several things, from which AWS chooses: from the cheapest to the dearest; `at_most` as in a `Meter`."""

    what: str
    options: tuple[Meter, ...]


Reading = Meter | Choice | Unmetered
Family = Callable[[Resource, Graph, Assumptions], Iterator[Reading]]


def meter(
    what: str, key: str, quantity: Decimal | int = BY_USE, note: str = "", at_most: Decimal | int | None = None
) -> Meter:
    """One metered thing with one price."""
    return Meter(what, (key,), Decimal(quantity), note, None if at_most is None else Decimal(at_most))


def is_true(value: object) -> bool:
    """A truth value of a template, which may write it as text."""
    return value is True or str(value).lower() == "true"


def names(value: object) -> list[str]:
    """The texts in a list of a template; nothing if it is not a list."""
    return [str(each) for each in value] if isinstance(value, list) else []


def mapping(value: object) -> Mapping[str, Any]:
    """An object in a template; empty if the value is not an object, or not known before the deploy."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Mapping[str, Any]]:
    """The tables in a list of a template; nothing if it is not a list, or not known before the deploy."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def whole_number(value: object) -> int | None:
    """A count or size in a template, which may write it as text; None if it is not a number, or not known yet."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if number >= 0 else None

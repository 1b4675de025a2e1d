"""Which availability zones a platform uses: how many, or their letters; and which letters regions have.

Most regions have the zones a, b and c. The table holds those that are known to have others, from AWS documentation,
"Regions and Zones". Which zone of the region a letter stands for is, in the older regions, shuffled for each account.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trainworks.config.constraints import NotAllowedError
from trainworks.errors import ConfigurationError

FEWEST, MOST = 2, 6
"""How many zones a platform may have."""
_NAME = "network.availability_zones"


@dataclass(frozen=True, slots=True)
class _Letters:
    """`usual` are those that every account has, in the order in which they are taken; `some` are there for some."""

    usual: str
    some: str = ""
    most: int = MOST
    """How many of all of them one account has."""

    @property
    def known(self) -> str:
        return "".join(sorted(self.usual + self.some))


_ELSEWHERE = _Letters("abc")
_LETTERS = {
    "ap-northeast-1": _Letters("acd", some="b"),
    "ap-northeast-2": _Letters("abcd"),
    "ca-central-1": _Letters("abd"),
    "us-east-1": _Letters("abcdef"),
    "us-west-1": _Letters("abc", most=2),
    "us-west-2": _Letters("abcd"),
}


@dataclass(frozen=True, slots=True)
class CountOrLetters:
    """How many zones, 2 to 6, or at least two letters, each once."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        return {"type": "function-plain", "function": {"type": "no-info", "function": checked_zones}}


def checked_zones(value: object) -> int | tuple[str, ...]:
    """`value` if it can be `network.availability_zones`, else `NotAllowedError` with what is allowed."""
    if isinstance(value, int) and not isinstance(value, bool):
        if FEWEST <= value <= MOST:
            return value
        raise _not_allowed(f"is {value}; allowed: {FEWEST} to {MOST} zones")
    if not isinstance(value, list | tuple):
        raise _not_allowed(f"is {value!r}; allowed: how many zones, or a list of their letters")
    for letter in value:
        if not isinstance(letter, str) or not re.fullmatch("[a-z]", letter):
            raise _not_allowed(f"holds {letter!r}; allowed: letters only, such as a")
    if len(value) < FEWEST:
        raise _not_allowed(f"is {list(value)!r}; allowed: at least {FEWEST} values")
    if len(set(value)) < len(value):
        raise _not_allowed(f"{', '.join(value)} names a zone twice; allowed: each letter once")
    return tuple(value)


def _not_allowed(message: str) -> NotAllowedError:
    return NotAllowedError(message, 'write how many zones, such as 2, or their letters, such as ["a", "b"]')


def zone_letters(availability_zones: int | tuple[str, ...], region: str) -> tuple[str, ...]:
    """The letters of the zones in `region`: those that are named, or so many of the region's own, the first ones.

    Raises `ConfigurationError` for a letter that the region is known not to have, and for more zones than it is known
    to have. Letters are not checked in regions that the table does not hold.
    """
    letters = _LETTERS.get(region, _ELSEWHERE)
    count = availability_zones if isinstance(availability_zones, int) else len(availability_zones)
    named = () if isinstance(availability_zones, int) else availability_zones
    unknown = [letter for letter in named if region in _LETTERS and letter not in letters.known]
    if unknown:
        raise ConfigurationError(
            f"{_NAME} {', '.join(named)}: {region} has no zone {', '.join(unknown)}; "
            f"allowed: {', '.join(letters.known)}",
            fix="name zones that the region has, or only how many you want",
        )
    most = min(letters.most, MOST if named else len(letters.usual))
    if count > most:
        raise ConfigurationError(
            f"{_NAME} {', '.join(named) or count}: {region} is known to give an account {most} zones, not {count}; "
            f"allowed: {most} at most" + ("" if named or region in _LETTERS else ", or letters that you know of"),
            fix=f"set {_NAME} to {most}",
        )
    return named or tuple(letters.usual[:count])


def first_letters(availability_zones: int | tuple[str, ...]) -> tuple[str, ...]:
    """The letters before a region is known: those that are named, or the first ones of the alphabet."""
    if isinstance(availability_zones, int):
        return tuple("abcdef"[:availability_zones])
    return availability_zones

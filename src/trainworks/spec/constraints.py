"""Limits of single values, written as annotations: `Annotated[int, Between(1, 10)]`.

Pydantic reads them where values come from outside; declaring them costs no import of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

_Handler = Callable[[Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Between:
    """A whole number from `minimum` to `maximum`, both included."""

    minimum: int
    maximum: int | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: _Handler) -> dict[str, Any]:
        limits = {"ge": self.minimum} | ({} if self.maximum is None else {"le": self.maximum})
        # Strict: `true` and "3" are no numbers in TOML either.
        return {**handler(source), **limits, "strict": True}


@dataclass(frozen=True, slots=True)
class Matching:
    """Text in which `pattern`, a regular expression, is found."""

    pattern: str

    def __get_pydantic_core_schema__(self, source: Any, handler: _Handler) -> dict[str, Any]:
        return {**handler(source), "pattern": self.pattern}


@dataclass(frozen=True, slots=True)
class NotFewerThan:
    """A list of at least `count` items."""

    count: int

    def __get_pydantic_core_schema__(self, source: Any, handler: _Handler) -> dict[str, Any]:
        return {**handler(source), "min_length": self.count}


class Record:
    """Base of records that refuse keys they do not know."""

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

"""Limits of single values, written as annotations: `Annotated[int, Between(1, 10)]`.

Pydantic reads them where values come from outside; declaring them costs no import of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

_Handler = Callable[[Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Between:
    """A whole number from `minimum` to `maximum`, both included."""

    minimum: int
    maximum: int | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: _Handler) -> dict[str, Any]:
        limits = {"ge": self.minimum} | ({} if self.maximum is None else {"le": self.maximum})
        # Strict: `true` and "3" are not numbers in TOML either.
        return {**handler(source), **limits, "strict": True}


@dataclass(frozen=True, slots=True)
class Matching:
    """Text in which `pattern`, a regular expression, is found. `meaning` says in words what is allowed."""

    pattern: str
    meaning: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: _Handler) -> dict[str, Any]:
        schema = {**handler(source), "pattern": self.pattern}
        if not self.meaning:
            return schema
        said = {"custom_error_type": "not_matching", "custom_error_message": self.meaning}
        return {"type": "custom-error", "schema": schema, **said}


class NotAllowedError(ValueError):
    """What the check of a `Passing` raises: what is wrong with the value, and the fix."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Passing:
    """A value that `check` lets pass; it raises `NotAllowedError` for others."""

    check: Callable[[Any], None]

    def __get_pydantic_core_schema__(self, source: Any, handler: _Handler) -> dict[str, Any]:
        return {
            "type": "function-after",
            "function": {"type": "no-info", "function": self._passed},
            "schema": handler(source),
        }

    def _passed(self, value: Any) -> Any:
        self.check(value)
        return value


@dataclass(frozen=True, slots=True)
class NotFewerThan:
    """A list of at least `count` items."""

    count: int

    def __get_pydantic_core_schema__(self, source: Any, handler: _Handler) -> dict[str, Any]:
        return {**handler(source), "min_length": self.count}


@dataclass(frozen=True, slots=True)
class Exactly:
    """A value of the type itself and nothing that could be read as one: `"yes"` and `1` are not booleans."""

    def __get_pydantic_core_schema__(self, source: Any, handler: _Handler) -> dict[str, Any]:
        return {**handler(source), "strict": True}


Flag = Annotated[bool, Exactly()]


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few whole numbers."""

    values: tuple[int, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: _Handler) -> dict[str, Any]:
        # The first step keeps `true` out, which equals 1.
        return {"type": "chain", "steps": [{**handler(source), "strict": True}, self._choice]}

    @property
    def _choice(self) -> dict[str, Any]:
        return {"type": "literal", "expected": list(self.values)}


class Record:
    """Base of records that refuse keys they do not know."""

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

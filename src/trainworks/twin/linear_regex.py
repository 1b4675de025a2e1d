"""Regular expressions that users give, matched in time linear in the text, by RE2.

Python's `re` backtracks: one expression such as `((a|aa)+)$` over one line can hold the interpreter for ever. Whatever
comes from a user and is a pattern goes through here. RE2 has no look-around, backreferences or possessive quantifiers:
an expression that needs them is refused with `UnsupportedPatternError`, never matched by something slower.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

import re2

_MAX_MEMORY_BYTES = 1 << 20
_KEPT_PATTERNS = 256
_LACKS = re.compile(r"\(\?(?:<?[=!]|>|\()|\\[1-9]|\(\?P=|[*+?}]\+")


class UnsupportedPatternError(Exception):
    """The text says what is wrong with the expression: that it is none, or that it needs what RE2 lacks."""


class Match(Protocol):
    """What is used of a match; groups are of the type of the text."""

    def group(self, group: int = 0) -> Any: ...
    def span(self, group: int = 0) -> tuple[int, int]: ...
    def groupdict(self) -> dict[str, Any]: ...


class LinearPattern(Protocol):
    """What is used of a compiled pattern. Text is `str`, or UTF-8 as `bytes`, which is faster."""

    @property
    def groups(self) -> int: ...
    def search(self, text: str | bytes) -> Match | None: ...
    def match(self, text: str | bytes) -> Match | None: ...
    def fullmatch(self, text: str | bytes) -> Match | None: ...
    def finditer(self, text: str | bytes) -> Iterator[Match]: ...


@lru_cache(maxsize=_KEPT_PATTERNS)
def compile_linear(pattern: str, *, dot_matches_newline: bool = False, ignore_case: bool = False) -> LinearPattern:
    r"""Compile a pattern in Python's or Java's words. Raises `UnsupportedPatternError`.

    `\Z` is RE2's `\z`; `\d`, `\w` and `\s` mean ASCII.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY_BYTES
    options.dot_nl = dot_matches_newline
    options.case_sensitive = not ignore_case
    translated = re.sub(r"((?:^|[^\\])(?:\\\\)*)\\Z", r"\1\\z", pattern)
    try:
        compiled: LinearPattern = re2.compile(translated, options)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if error.args and isinstance(error, re2.error) else str(error)
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        lacking = ": look-around, backreferences and possessive quantifiers are not matched here"
        raise UnsupportedPatternError(f"{text}{lacking if _LACKS.search(pattern) else ''}") from None
    return compiled


def encodable(text: str) -> str:
    """The text without halves of surrogate pairs, which JSON can spell and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()

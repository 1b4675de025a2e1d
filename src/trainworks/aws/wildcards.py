"""Patterns with `*` (any characters) and `?` (one), matched from left to right without going back.

The only matcher there is: for policies of IAM, names in `check`, filters of logs and topics, choices of state machines.
Between two `*` the first place where a part fits is as good as any later one, so each part is looked for once.
`covers` asks it about a text that is a pattern itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


class Wild:
    """A wildcard in a list of a pattern's parts; text is text there, whatever it contains."""

    __slots__ = ("sign",)

    def __init__(self, sign: str) -> None:
        self.sign = sign

    def __repr__(self) -> str:
        return f"Wild({self.sign})"


ANY = Wild("*")
ONE = Wild("?")

Part = str | Wild

COVERED = "[^*]"
"""What a `?` covers of a text that is a pattern itself."""


class Pattern:
    """A compiled pattern. `*` and `?` match any character, line ends and `/` included; `?` only `one` if that is given.

    `one` is a regular expression of one character.
    """

    __slots__ = ("_first", "_last", "_middle", "_shortest", "_single")

    def __init__(self, parts: Iterable[Part], one: str = ".") -> None:
        runs: list[list[Part]] = [[]]
        for part in parts:
            if part is ANY:
                runs.append([])
            else:
                runs[-1].append(part)
        compiled = [_Run(run, one) for run in runs]
        self._single = len(compiled) == 1
        self._first, self._last = compiled[0], compiled[-1]
        self._middle = [run for run in compiled[1:-1] if run.length]
        self._shortest = sum(run.length for run in compiled)

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` fits."""
        if self._single:
            return len(text) == self._first.length and self._first.at(text, 0)
        end = len(text) - self._last.length
        if len(text) < self._shortest or not self._first.at(text, 0) or not self._last.at(text, end):
            return False
        start = self._first.length
        for run in self._middle:
            found = run.find(text, start, end)
            if found < 0:
                return False
            start = found + run.length
        return start <= end


class _Run:
    """A stretch of a pattern without `*`: text, or text with `?` in it as an expression without repetition."""

    __slots__ = ("_expression", "_text", "length")

    def __init__(self, parts: list[Part], one: str) -> None:
        self.length = sum(len(part) if isinstance(part, str) else 1 for part in parts)
        self._text = "".join(part for part in parts if isinstance(part, str))
        self._expression: re.Pattern[str] | None = None
        if len(self._text) != self.length:
            source = "".join(re.escape(part) if isinstance(part, str) else one for part in parts)
            self._expression = re.compile(source, re.DOTALL)

    def at(self, text: str, position: int) -> bool:
        if self._expression is None:
            return text.startswith(self._text, position)
        return self._expression.match(text, position) is not None

    def find(self, text: str, start: int, end: int) -> int:
        if self._expression is None:
            return text.find(self._text, start, end)
        found = self._expression.search(text, start, end)
        return -1 if found is None else found.start()


def parts_of(text: str) -> list[Part]:
    """A pattern's text as parts: every `*` and `?` is a wildcard."""
    return [ANY if piece == "*" else ONE if piece == "?" else piece for piece in re.split(r"([*?])", text) if piece]


def with_stars(text: str) -> Pattern:
    """The pattern of a text in which `*` alone is a wildcard."""
    return Pattern(ANY if piece == "*" else piece for piece in re.split(r"(\*)", text) if piece)


@lru_cache(maxsize=8192)
def compiled(text: str) -> Pattern:
    """The pattern of a text in which every `*` and `?` is a wildcard."""
    return Pattern(parts_of(text))


def matches(pattern: str, text: str) -> bool:
    """Whether `text` fits `pattern`, case-sensitively."""
    return compiled(pattern).matches(text)


def covers(pattern: str, text: str) -> bool:
    """Whether everything that `text` stands for, which may be a pattern itself, fits `pattern`.

    Only a `*` of `pattern` covers a `*` of `text`; a `?` covers any one character, and a `?`.
    """
    return pattern in ("*", text) or _covering(pattern).matches(text)


def covers_action(pattern: str, action: str) -> bool:
    """As `covers`, for actions (`s3:Get*`), whose case does not matter."""
    return covers(pattern.lower(), action.lower())


@lru_cache(maxsize=8192)
def _covering(pattern: str) -> Pattern:
    return Pattern(parts_of(pattern), COVERED)

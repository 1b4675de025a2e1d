"""Where the statements of a policy's text are, as the policy simulator counts lines and columns.

After the examples of `simulate-custom-policy` and `simulate-principal-policy` (AWS CLI reference): a statement begins
behind what is before it, the bracket of the list or the statement ahead, and one that stands alone behind its own
bracket. Lines and columns are counted from 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text."""

    line: int
    column: int


def statement_positions(text: str) -> list[tuple[Position, Position]]:
    """(start, end) of each statement of a document that was validated."""
    place = _Places(text)
    return [(place.at(start), place.at(end)) for start, end in _spans(text)]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for name, start in _members(text):
        if name != "Statement":
            continue
        if text[start] != "[":
            yield start + 1, _end(text, start)
            return
        before = start + 1
        at = _skip(text, before)
        while text[at] != "]":
            end = _end(text, at)
            yield before, end
            before, at = end, _skip(text, end)
            if text[at] == ",":
                at = _skip(text, at + 1)


def _members(text: str) -> Iterator[tuple[str, int]]:
    """The members of the object that the text is: the name, and where the value starts."""
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] == '"':
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        yield name, at
        at = _skip(text, _end(text, at))
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _end(text: str, at: int) -> int:
    return int(_DECODER.raw_decode(text, at)[1])


class _Places:
    """Lines and columns of ascending offsets, in one pass over the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._offset, self._line, self._begins = 0, 1, 0

    def at(self, offset: int) -> Position:
        newlines = self._text.count("\n", self._offset, offset)
        if newlines:
            self._line += newlines
            self._begins = self._text.rfind("\n", self._offset, offset) + 1
        self._offset = offset
        return Position(self._line, offset - self._begins + 1)

"""Small languages cut into pieces by one expression: filter patterns, Insights queries, metric math."""

from __future__ import annotations

import re
from collections.abc import Iterator


class UnreadableError(ValueError):
    """No piece begins here; the text is what is left."""


def pieces(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The matches of `pattern`, one behind the other up to the end. Raises `UnreadableError`."""
    position, end = 0, len(text.rstrip())
    while position < end:
        found = pattern.match(text, position)
        if found is None or found.end() == position:
            raise UnreadableError(text[position:].strip())
        position = found.end()
        yield found

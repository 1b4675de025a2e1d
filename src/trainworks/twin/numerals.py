"""Whole numbers in texts from outside: Python calls more a digit than it reads, and reads none of thousands of them."""

from __future__ import annotations

_MOST_DIGITS = 19
LARGEST = 10**_MOST_DIGITS
"""Stands for every number of more digits: no size, place or time is as large."""


def whole_number(text: str) -> int | None:
    """The number that ASCII digits write, at most `LARGEST`; None for any other text."""
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) <= _MOST_DIGITS else LARGEST

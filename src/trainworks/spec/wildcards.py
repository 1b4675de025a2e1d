"""`*` for any text and `?` for one character, as a regular expression that never backtracks over what it has matched.

A chain of `.*` costs a power of the text's length where it just misses. Each text between two `*` is therefore looked
for once and kept (an atomic group): the leftmost place is as good as any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable


def wildcard_pattern(pattern: str, *, any_one: str = ".", literal: Callable[[str], str] = re.escape) -> str:
    """The expression for `fullmatch` with DOTALL. `any_one` is what `?` stands for."""
    first, *others = (_segment(part, any_one, literal) for part in pattern.split("*"))
    if not others:
        return first
    inner = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    return f"{first}{inner}.*{others[-1]}"


def _segment(text: str, any_one: str, literal: Callable[[str], str]) -> str:
    return any_one.join(literal(part) for part in text.split("?"))

"""Patterns of codes and places, as people write them in a baseline."""

from __future__ import annotations

import re
from functools import cache

_TOKEN = re.compile(r"\[\*\]|\[\?\]|\*|\?|[^*?\[]+|\[")
_MEANING = {"*": ".*", "?": ".", "[*]": r"\*", "[?]": r"\?"}


def matches(pattern: str, text: str) -> bool:
    """Whether all of `text` is `pattern`, where `*` is anything, `?` any character, `[*]` and `[?]` themselves.

    Other brackets stand for themselves: the codes of cdk-nag are full of them.
    """
    return _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (_MEANING.get(token) or re.escape(token) for token in _TOKEN.findall(pattern))
    return re.compile("".join(parts), re.DOTALL)

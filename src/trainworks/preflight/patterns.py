"""Patterns of codes and places, as people write them in a baseline."""

from __future__ import annotations

import re
from functools import cache

from trainworks.aws.wildcards import ANY, ONE, Part, Pattern

_TOKEN = re.compile(r"\[\*\]|\[\?\]|\*|\?|[^*?\[]+|\[")
_MEANING: dict[str, Part] = {"*": ANY, "?": ONE, "[*]": "*", "[?]": "?"}


def matches(pattern: str, text: str) -> bool:
    """Whether all of `text` is `pattern`, where `*` is anything, `?` any character, `[*]` and `[?]` themselves.

    Other brackets stand for themselves: the codes of cdk-nag are full of them.
    """
    return _compiled(pattern).matches(text)


@cache
def _compiled(pattern: str) -> Pattern:
    return Pattern(_MEANING.get(token, token) for token in _TOKEN.findall(pattern))

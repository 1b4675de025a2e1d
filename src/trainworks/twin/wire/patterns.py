"""Patterns of the service models (Java syntax), matched in linear time by RE2.

Java and RE2 differ in what models use: `\\uXXXX`, POSIX classes as `\\p{Alnum}`, counts above a thousand, and looking
around. The first three are rewritten; a count above a thousand becomes "any number", since the member's own
length bounds it. The few patterns that look around are matched by Python, on texts of a bounded length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import re2

_MAX_REPEAT = 1000
_MAX_BACKTRACKED_CHARS = 2048
_CLASSES = {
    "ASCII": r"\x00-\x7f",
    "Alnum": "0-9A-Za-z",
    "Alpha": "A-Za-z",
    "Digit": "0-9",
    "Graph": r"\x21-\x7e",
    "Print": r"\x20-\x7e",
}
_PYTHON_CLASSES = {
    "L": "a-zA-Z\u00c0-\uffff",
    "M": "\u0300-\u036f",
    "Z": r"\s",
    "N": r"\d",
    "S": "$+<=>^`|~",
    "P": "!-/:-@\\[-`{-~",
}
_SURROGATES = re.compile(r"\\uD800\\uDC00-\\uDBFF\\uDFFF|\\u10000-\\u10FFFF")
_UNICODE = re.compile(r"\\u([0-9A-Fa-f]{4})")
_PROPERTY = re.compile(r"\\p\{(\w+)\}")
_COUNT = re.compile(r"\{(\d+),(\d+)\}")
_HYPHEN_BESIDE_CLASS = re.compile(r"(\\[wdsS]|\\p\{\w+\})-(?=[^\]])")

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.dot_nl = True
_OPTIONS.max_mem = 64 << 20


@lru_cache(maxsize=4096)
def matcher(pattern: str) -> Callable[[str], bool] | None:
    """Whether a whole text matches a model's pattern; None for a pattern that neither engine can read."""
    rewritten = _rewritten(pattern)
    try:
        linear = re2.compile(rewritten, _OPTIONS)
    except re2.error:
        return _backtracking(rewritten)

    def matches(text: str) -> bool:
        try:
            return linear.fullmatch(text) is not None
        except UnicodeEncodeError:
            # Half of a surrogate pair, which JSON can spell and no pattern means.
            return False

    return matches


def _backtracking(rewritten: str) -> Callable[[str], bool] | None:
    for name, characters in _PYTHON_CLASSES.items():
        rewritten = rewritten.replace(rf"\p{{{name}}}", characters)
    rewritten = re.sub(r"\\x\{([0-9A-Fa-f]+)\}", lambda found: re.escape(chr(int(found[1], 16))), rewritten)
    flags = re.DOTALL | (re.IGNORECASE if "(?i)" in rewritten else 0)
    try:
        compiled = re.compile(rewritten.replace("(?i)", ""), flags)
    except re.error:
        return None
    return lambda text: len(text) <= _MAX_BACKTRACKED_CHARS and compiled.fullmatch(text) is not None


def _rewritten(pattern: str) -> str:
    pattern = _SURROGATES.sub(lambda _: r"\x{10000}-\x{10FFFF}", pattern)
    pattern = _UNICODE.sub(r"\\x{\1}", pattern)
    pattern = _HYPHEN_BESIDE_CLASS.sub(r"\1\\-", pattern)
    pattern = _properties(pattern)
    return _COUNT.sub(_bounded_count, pattern)


def _properties(pattern: str) -> str:
    """POSIX classes as ranges, in brackets where the pattern has none around them."""

    def ranges(found: re.Match[str]) -> str:
        characters = _CLASSES.get(found[1])
        if characters is None:
            return found[0]
        before = re.sub(r"\\.", "", pattern[: found.start()])
        return characters if before.rfind("[") > before.rfind("]") else f"[{characters}]"

    return _PROPERTY.sub(ranges, pattern)


def _bounded_count(found: re.Match[str]) -> str:
    least, most = int(found[1]), int(found[2])
    return found[0] if most <= _MAX_REPEAT else f"{{{min(least, _MAX_REPEAT)},}}"

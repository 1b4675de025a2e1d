"""Wildcards of users in ministack's services, matched in linear time: filter policies of SNS, `StringMatches` of Step
Functions.

Stock chains `.*`, whose time is a power of the text's length, inside the one thread that owns all state; and it takes a
backslash in `StringMatches` for itself, which there makes the next `*` a star (Amazon States Language, Choice rules).
"""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

from trainworks.aws.wildcards import ANY, Pattern, with_stars

_PIECES = re.compile(r"(\*|\\.)", re.DOTALL)
_UNESCAPED = re.compile(r"^\\(.)$", re.DOTALL)


def install(name: str, service: ModuleType) -> None:
    """A service was loaded."""
    module: Any = service
    if name == "sns":
        module._wildcard_matches = matches
    elif name == "stepfunctions":
        _install_choices(module)


def _install_choices(module: Any) -> None:
    stock = module._evaluate_rule

    def evaluate(rule: dict[str, Any], data: Any, ctx: Any = None) -> Any:
        if "StringMatches" not in rule or "Variable" not in rule:
            return stock(rule, data, ctx)
        value = module._resolve_path_or_ctx(rule["Variable"], data, ctx)
        return isinstance(value, str) and matches_escaped(value, str(rule["StringMatches"]))

    module._evaluate_rule = evaluate


def matches(value: str, pattern: str) -> bool:
    """`*` is any text; everything else is itself."""
    return with_stars(pattern).matches(value)


def matches_escaped(value: str, pattern: str) -> bool:
    """As `matches`; a backslash makes the character behind it stand for itself."""
    pieces = (piece for piece in _PIECES.split(pattern) if piece)
    return Pattern(ANY if piece == "*" else _UNESCAPED.sub(r"\1", piece) for piece in pieces).matches(value)

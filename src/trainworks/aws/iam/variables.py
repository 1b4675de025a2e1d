"""Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, and `${*}` `${?}` `${$}` for the signs.

After "IAM policy elements: Variables and tags". Variables exist from version 2012-10-17 on, in resources and in values
of string and ARN operators. What a variable stands for is text: a `*` in a user's tag is not a wildcard. A variable
whose key the request lacks or has several values of stands for nothing, and then the value matches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from trainworks.aws.wildcards import ANY, COVERED, Part, Pattern, parts_of

Value = str | Sequence[str]


class Context(Protocol):
    """The condition keys of a request, by their names in lower case; several values are a list or tuple."""

    def get(self, key: str, /) -> Value | None: ...


_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_KEY = re.compile(r"^\s*(?P<key>[^,\s'][^,']*?)\s*(?:,\s*'(?P<default>[^']*)'\s*)?$")
_SIGNS = ("*", "?", "$")


@dataclass(frozen=True, slots=True)
class Variable:
    """A place in a value where a condition key's value goes. `key` is in lower case."""

    key: str
    default: str | None

    def resolve(self, context: Context) -> str | None:
        value = context.get(self.key)
        return value if isinstance(value, str) else self.default


class Template:
    """A value of a policy: with its variables resolved it is text, or a pattern where `wild` signs count."""

    __slots__ = ("_fixed", "_parts", "_text", "has_variables")

    def __init__(self, text: str, *, variables: bool, wild: bool) -> None:
        self._parts = _parse(text, variables=variables, wild=wild)
        self.has_variables = any(isinstance(part, Variable) for part in self._parts)
        fixed = [part for part in self._parts if not isinstance(part, Variable)]
        self._fixed = None if self.has_variables else Pattern(fixed)
        self._text = None if self.has_variables else _spelled(fixed)

    def pattern(self, context: Context) -> Pattern | None:
        """The pattern for a request, or None if a variable has no value."""
        if self._fixed is not None:
            return self._fixed
        parts = self._resolved(context)
        return None if parts is None else Pattern(parts)

    def matches(self, text: str, context: Context) -> bool:
        """Whether `text` fits for this request."""
        pattern = self._fixed or self.pattern(context)
        return pattern is not None and pattern.matches(text)

    def text(self, context: Context) -> str | None:
        """The plain text for a request, or None if a variable has no value."""
        if self._text is not None:
            return self._text
        parts = self._resolved(context)
        return None if parts is None else _spelled(parts)

    def components(self, context: Context) -> list[list[Part]] | None:
        """The parts between the first five colons: those of an ARN. None if a variable has no value."""
        parts = self._resolved(context)
        return None if parts is None else _split(parts)

    def _resolved(self, context: Context) -> list[Part] | None:
        parts: list[Part] = []
        for part in self._parts:
            resolved = part.resolve(context) if isinstance(part, Variable) else part
            if resolved is None:
                return None
            parts.append(resolved)
        return parts


@lru_cache(maxsize=8192)
def template(text: str, variables: bool, wild: bool) -> Template:
    """The template of a value, parsed once."""
    return Template(text, variables=variables, wild=wild)


def widest(text: str, context: Context) -> tuple[Pattern, bool]:
    """(the pattern of all that a value may fit, whether that is what it fits), to be compared with patterns.

    A variable whose key `context` lacks may stand for anything: the value fits at most what it fits with a `*` there.
    """
    parts: list[Part] = []
    whole = True
    for part in _parse(text, variables=True, wild=True):
        resolved = part.resolve(context) if isinstance(part, Variable) else part
        known = not isinstance(part, Variable) or isinstance(context.get(part.key), str)
        parts.append(resolved if known and resolved is not None else ANY)
        whole = whole and known
    return Pattern(parts, COVERED), whole


def variable_keys(text: str) -> list[str]:
    """The condition keys that a value's variables name, in lower case."""
    return [name.lower() for name in variable_names(text)]


def variable_names(text: str) -> list[str]:
    """The condition keys that a value's variables name, as they are spelled there."""
    inner = (found[1] for found in _VARIABLE.finditer(text) if found[1] not in _SIGNS)
    return [found["key"] for each in inner if (found := _KEY.match(each)) is not None]


def _parse(text: str, *, variables: bool, wild: bool) -> list[Part | Variable]:
    parts: list[Part | Variable] = []
    position = 0
    for found in _VARIABLE.finditer(text) if variables else ():
        parts += _plain(text[position : found.start()], wild)
        parts.append(_inside(found[1], found[0]))
        position = found.end()
    return parts + _plain(text[position:], wild)


def _plain(text: str, wild: bool) -> list[Part | Variable]:
    if wild:
        return list(parts_of(text))
    return [text] if text else []


def _inside(inside: str, whole: str) -> Part | Variable:
    if inside in _SIGNS:
        return inside
    found = _KEY.match(inside)
    return whole if found is None else Variable(found["key"].lower(), found["default"])


def _spelled(parts: Sequence[Part]) -> str:
    return "".join(part if isinstance(part, str) else part.sign for part in parts)


def _split(parts: Sequence[Part]) -> list[list[Part]]:
    """Split at the first five colons of the text; a wildcard is never a colon."""
    components: list[list[Part]] = [[]]
    for part in parts:
        if not isinstance(part, str):
            components[-1].append(part)
            continue
        first, *rest = part.split(":", max(0, 6 - len(components)))
        components[-1].append(first)
        components += [[piece] for piece in rest]
    return components

"""How long the texts are that functions make of a template, found without making them.

`Fn::Sub` and `Fn::Join` inside one another multiply: ten levels of a hundred names each are 10^20 characters of a few
thousand. No property takes as many, so the template is refused before anybody works on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trainworks.assembly.flaw import Flaw
from trainworks.assembly.intrinsics import MAX_TEXT

_NAME = re.compile(r"\$\{([^}]+)\}")
_NAMING = ("Ref", "Fn::GetAtt", "Fn::ImportValue", "Fn::FindInMap")
_REFERENCE = 64
"""Characters of an id or of a parameter's value, about."""


def expansion_flaws(template: Mapping[str, Any]) -> Iterator[Flaw]:
    """A flaw for each resource and output with a text that would be too long."""
    for section in ("Resources", "Outputs"):
        bodies = template.get(section)
        for name, body in bodies.items() if isinstance(bodies, Mapping) else ():
            if _longest(body)[1] > MAX_TEXT:
                yield Flaw(
                    (section, str(name)),
                    f"functions inside functions make a text of more than {MAX_TEXT:,} characters of it",
                    "repeat less of it",
                    f"Template error: a text of {name} would have more than {MAX_TEXT:,} characters",
                )


def _longest(value: Any) -> tuple[int, int]:
    """(characters of all texts in it joined, characters of the longest text in it), as an upper bound."""
    if isinstance(value, str):
        return len(value), 0  # what is written is bounded by the size of the template
    if isinstance(value, list):
        return _all(value)
    if not isinstance(value, Mapping):
        return 32, 0
    name, argument = next(iter(value.items())) if len(value) == 1 else ("", None)
    if name == "Fn::Sub":
        return _substituted(argument)
    if name == "Fn::Join" and isinstance(argument, list) and len(argument) == 2:
        return _joined(*argument)
    length, longest = _all(value.values())
    return (_REFERENCE if name in _NAMING else length), longest


def _all(values: Iterable[Any]) -> tuple[int, int]:
    parts = [_longest(each) for each in values]
    return sum(each for each, _ in parts), max((each for _, each in parts), default=0)


def _substituted(argument: Any) -> tuple[int, int]:
    text, *rest = argument if isinstance(argument, list) and argument else [argument]
    given = rest[0] if rest and isinstance(rest[0], Mapping) else {}
    if not isinstance(text, str):
        return _longest(argument)
    known = {name: _longest(each) for name, each in given.items()}
    made = len(text) + sum(known.get(name, (_REFERENCE, 0))[0] for name in _NAME.findall(text))
    return made, max([made, *(each for _, each in known.values())])


def _joined(delimiter: Any, parts: Any) -> tuple[int, int]:
    length, longest = _longest(parts)
    between = len(delimiter) * len(parts) if isinstance(delimiter, str) and isinstance(parts, list) else 0
    return length + between, max(length + between, longest)

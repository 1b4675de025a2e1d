"""Whether an installed version meets a requirement. Source: PEP 440, for plain releases."""

from __future__ import annotations

import operator
import re

_CLAUSE = re.compile(r"^\s*(>=|<=|==|!=|>|<)\s*([\w.!+*-]+)\s*$")
_COMPARISONS = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


def satisfies(version: str, specifier: str) -> bool:
    """Whether `version` meets all clauses of `>=1.2,<3`. A clause of another form is not judged, and met."""
    return all(_meets(version, clause) for clause in specifier.split(","))


def release_of(version: str) -> tuple[int, ...]:
    """The numbers of a release, trailing zeros aside: (2, 275) of `2.275.0rc1`."""
    match = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in match[0].split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _meets(version: str, clause: str) -> bool:
    match = _CLAUSE.match(clause)
    if match is None:
        return True
    return bool(_COMPARISONS[match[1]](release_of(version), release_of(match[2])))

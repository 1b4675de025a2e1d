"""Checks what a caller gives for templates: parameters that they declare, values that these allow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from trainworks.assembly.parameter_values import text, value_refusal
from trainworks.assembly.template_files import Sources
from trainworks.errors import RequestError


def refuse_wrong_parameters(sources: Sources, given: Mapping[str, str]) -> None:
    """Raise `RequestError` for a parameter that no root template declares, or a value that none of those allows."""
    declared = dict(_declared(sources))
    for name, value in given.items():
        if name not in declared:
            raise RequestError(
                f"there is no parameter {name!r} in {_who(sources)}",
                fix=f"one of {', '.join(sorted(declared))}" if declared else "leave --parameter out: it has none",
            )
        refusal = value_refusal(name, declared[name], value, _matches)
        if refusal is not None:
            raise RequestError(f"parameter {name!r} may not be {value!r}: {refusal}", fix=_fix(declared[name]))


def _declared(sources: Sources) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for stack in sources.stacks:
        for name, body in stack.templates[()].get("Parameters", {}).items():
            yield name, body if isinstance(body, Mapping) else {}


def _who(sources: Sources) -> str:
    names = [stack.name for stack in sources.stacks]
    return f"the template {names[0]}" if len(names) == 1 else f"any of the templates {', '.join(names)}"


def _fix(declared: Mapping[str, Any]) -> str:
    allowed = declared.get("AllowedValues")
    return f"one of {', '.join(map(text, allowed))}" if isinstance(allowed, list) else "see its declaration"


def _matches(pattern: str, value: str) -> bool:
    """What Python cannot read is left to CloudFormation, whose expressions are Java's."""
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        return True

"""What a caller may say of templates: parameters that they declare, values that these allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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
        allowed = declared[name].get("AllowedValues")
        if isinstance(allowed, list) and not all(part in _texts(allowed) for part in _parts(declared[name], value)):
            raise RequestError(
                f"parameter {name!r} may not be {value!r}: CloudFormation refuses it",
                fix=f"one of {', '.join(_texts(allowed))}",
            )


def _declared(sources: Sources) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for stack in sources.stacks:
        for name, body in stack.templates[()].get("Parameters", {}).items():
            yield name, body if isinstance(body, Mapping) else {}


def _who(sources: Sources) -> str:
    names = [stack.name for stack in sources.stacks]
    return f"the template {names[0]}" if len(names) == 1 else f"any of the templates {', '.join(names)}"


def _parts(declared: Mapping[str, Any], value: str) -> list[str]:
    """Each member of a list has to be allowed by itself."""
    kind = str(declared.get("Type", "String"))
    return [part.strip() for part in value.split(",")] if "List" in kind else [value]


def _texts(allowed: list[Any]) -> list[str]:
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in allowed]

"""The values in a resource's properties with the names that its schema gives them.

What a schema leaves open is the user's own: the pattern of a rule, the definition of a state machine, the parameters of
a job. A name in there says nothing of the value, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainworks.assembly.schemas import Node, Schema, schema

_CHOICES = ("oneOf", "anyOf", "allOf")


def named_texts(type_name: str, properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, text) of each text under a name that the type has. For a type without a schema every name counts."""
    known = schema(type_name)
    if known is None:
        yield from _all(properties, "")
    else:
        yield from _declared(known, known.body, properties, "")


def _declared(known: Schema, node: Node, value: Any, name: str) -> Iterator[tuple[str, str]]:
    node = known.resolved(node)
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, list):
        for item in value:
            yield from _declared(known, node.get("items", {}), item, name)
    elif isinstance(value, Mapping):
        members, others = _members(known, node), _others(node)
        for key, inner in value.items():
            if key in members:
                yield from _declared(known, members[key], inner, str(key))
            else:
                for other in others:
                    yield from _declared(known, other, inner, "")


def _members(known: Schema, node: Node) -> dict[str, Node]:
    """The members of an object, those of its alternatives too."""
    found: dict[str, Node] = {}
    for choice in _CHOICES:
        for each in node.get(choice, ()):
            found |= _members(known, known.resolved(each))
    return found | dict(node.get("properties", {}))


def _others(node: Node) -> list[Node]:
    """What an object has under names that are the user's: structures of the type all the same."""
    more = node.get("additionalProperties")
    return [*node.get("patternProperties", {}).values(), *([more] if isinstance(more, Mapping) else [])]


def _all(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _all(inner, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _all(item, name)
    elif isinstance(value, str):
        yield name, value

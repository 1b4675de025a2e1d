"""Properties of resources against AWS's registry schemas: unknown and missing ones, values of another type.

CloudFormation looks at them after the request was accepted and before anything is made. A function stands for a value
of any type. What the schemas leave to the services (patterns, sizes, what excludes what) is left to them here, too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from trainworks.assembly.flaw import Flaw, Where
from trainworks.assembly.schemas import Node, Schema, schema
from trainworks.assembly.template_references import Holds, References

_JSON_KINDS = {str: "String", bool: "Boolean", int: "Integer", float: "Number", list: "JSONArray", dict: "JSONObject"}
_NAMES = {"string": "String", "boolean": "Boolean", "integer": "Integer", "number": "Number", "array": "JSONArray"}
_TRUTHS = frozenset({"true", "false"})
_CHOICES = ("oneOf", "anyOf", "allOf")
_MAX_DEPTH = 40


def property_flaws(template: Mapping[str, Any], holds: Holds) -> Iterator[Flaw]:
    """What is wrong with the properties of all resources that will, or may, exist. The template's form is right."""
    references = References(template, holds)
    for logical_id, body in template["Resources"].items():
        found = schema(str(body.get("Type"))) if isinstance(body, Mapping) else None
        if found is not None and references.is_present(logical_id):
            where = ("Resources", logical_id, "Properties")
            yield from _Check(found, logical_id, holds).value(found.body, body.get("Properties", {}), where, 0)


@dataclass(frozen=True)
class _Check:
    """One resource."""

    schema: Schema
    logical_id: str
    holds: Holds

    def value(self, node: Node, value: Any, where: Where, depth: int) -> Iterator[Flaw]:
        node = self.schema.resolved(node)
        if depth > _MAX_DEPTH or value is None or (isinstance(value, str) and "{{resolve:" in value):
            return
        if _is_function(value):
            yield from self._function(node, value, where, depth)
            return
        kinds = _kinds(node)
        if kinds and not any(_has_kind(value, kind) for kind in kinds):
            yield self._wrong_type(node, kinds, value, where)
        elif isinstance(value, Mapping):
            yield from self.object(node, value, where, depth)
        elif isinstance(value, list) and isinstance(node.get("items"), Mapping):
            for index, each in enumerate(value):
                yield from self.value(node["items"], each, (*where, str(index)), depth + 1)
        elif "enum" in node and not any(_same(value, each) for each in node["enum"]):
            yield self._not_in_enum(node["enum"], value, where)

    def object(self, node: Node, value: Mapping[str, Any], where: Where, depth: int) -> Iterator[Flaw]:
        """An object's members. Where a schema gives a choice, any member of any choice will do."""
        if any(str(name).startswith("Fn::") for name in value):
            return
        known = self._members(node)
        closed = node.get("additionalProperties") is False and "patternProperties" not in node
        for name, each in value.items():
            if name in known:
                yield from self.value(known[name], each, (*where, str(name)), depth + 1)
            elif closed and known:
                yield self._unknown(str(name), known, where)
        for name in node.get("required", ()):
            if name not in value or _is_no_value(value[name]):
                yield self._missing(str(name), where)

    def _members(self, node: Node) -> dict[str, Node]:
        known: dict[str, Node] = dict(node.get("properties", {}))
        for key in _CHOICES:
            for choice in node.get(key, ()):
                for name, each in self._members(self.schema.resolved(choice)).items():
                    known.setdefault(name, each)
        return known

    def _function(self, node: Node, value: Mapping[str, Any], where: Where, depth: int) -> Iterator[Flaw]:
        """Of `Fn::If` the sides that may be taken are looked at; what another function gives is not known."""
        argument = value.get("Fn::If")
        if not isinstance(argument, list) or len(argument) != 3:
            return
        decided = self.holds(argument[0]) if isinstance(argument[0], str) else None
        for side, excluded in ((argument[1], False), (argument[2], True)):
            if decided is not excluded and not _is_no_value(side):
                yield from self.value(node, side, where, depth + 1)

    # -- what is said -----------------------------------------------------------------------------------------

    def _unknown(self, name: str, known: Mapping[str, Node], where: Where) -> Flaw:
        close = get_close_matches(name, list(known), n=1, cutoff=0.6)
        return Flaw(
            (*where, name),
            f"has the property {_dotted((*where, name))}, which {self.schema.type_name} does not have",
            f"write {close[0]}" if close else f"one of {', '.join(sorted(known))}",
            f"{_place(where)}: extraneous key [{name}] is not permitted",
        )

    def _missing(self, name: str, where: Where) -> Flaw:
        return Flaw(
            where,
            f"lacks {_dotted((*where, name))}, which {self.schema.type_name} requires",
            f"give it {name}",
            f"{_place(where)}: required key [{name}] not found",
        )

    def _wrong_type(self, node: Node, kinds: tuple[str, ...], value: Any, where: Where) -> Flaw:
        expected = " or ".join(_NAMES.get(kind, "JSONObject") for kind in kinds)
        found = _JSON_KINDS.get(type(value), "String")
        return Flaw(
            where,
            f"gives {_dotted(where)} {json.dumps(value)[:80]}, which is not of type {expected}",
            "write a value of that type",
            f"{_place(where)}: expected type: {expected}, found: {found}",
        )

    def _not_in_enum(self, allowed: list[Any], value: Any, where: Where) -> Flaw:
        return Flaw(
            where,
            f"gives {_dotted(where)} {json.dumps(value)[:80]}, which is none of its values",
            f"one of {', '.join(map(str, allowed))}",
            f"{_place(where)}: {value} is not a valid enum value",
        )


def _place(where: Where) -> str:
    """`#/VpcConfig/Subnets`, as the service writes places below the properties."""
    return "".join(["#", *(f"/{step}" for step in where[3:])])


def _dotted(where: Where) -> str:
    return ".".join(where[3:])


def _kinds(node: Node) -> tuple[str, ...]:
    """The types that a node allows; none where it leaves that to a choice."""
    if any(key in node for key in _CHOICES):
        return ()
    kind = node.get("type", ())
    return (kind,) if isinstance(kind, str) else tuple(kind)


def _has_kind(value: Any, kind: str) -> bool:
    """Whether CloudFormation makes the type of the value: scalars are written as texts and as themselves."""
    number = None if isinstance(value, bool) else _number(value)
    holds: dict[str, bool] = {
        "object": isinstance(value, Mapping),
        "array": isinstance(value, list),
        "boolean": isinstance(value, bool) or str(value).lower() in _TRUTHS,
        "integer": number is not None and number == int(number),
        "number": number is not None,
        "string": isinstance(value, str | bool | int | float),
    }
    return holds.get(kind, True)


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _same(value: Any, allowed: Any) -> bool:
    return str(value).lower() == str(allowed).lower()


def _is_function(value: Any) -> bool:
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    name = str(next(iter(value)))
    return name == "Ref" or name.startswith("Fn::")


def _is_no_value(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("Ref") == "AWS::NoValue"

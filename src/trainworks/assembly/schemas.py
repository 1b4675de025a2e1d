"""What AWS's registry schemas say about each resource type: its properties, which of them are fixed, what `Fn::GetAtt`
gives.

`data/schemas.zip` is written by `python -m trainworks.assembly.refresh_schemas`: one JSON object a service, with what a
template is checked against and a recorded resource is made from, in the words of AWS's own resource schema. A service
is read when one of its types is asked for, which costs a few milliseconds once.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent / "data" / "schemas.zip"
TYPES_MEMBER = "types.txt"

# Types of AWS that no registry schema describes.
_WITHOUT_SCHEMA = frozenset({"AWS::CDK::Metadata", "AWS::CloudFormation::CustomResource"})

Node = Mapping[str, Any]
"""A part of a schema: `type`, `properties`, `items`, `required`, `enum`, `$ref`."""


@dataclass(frozen=True)
class Schema:
    """The schema of one resource type. Paths are tuples of names: `("VpcConfig", "Subnets")`."""

    type_name: str
    body: Mapping[str, Any]

    @property
    def properties(self) -> Mapping[str, Node]:
        found: Mapping[str, Node] = self.body.get("properties", {})
        return found

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(self.body.get("required", ()))

    @cached_property
    def read_only(self) -> tuple[tuple[str, ...], ...]:
        """Properties that the service sets."""
        return _paths(self.body.get("readOnlyProperties", ()))

    @cached_property
    def create_only(self) -> tuple[tuple[str, ...], ...]:
        """Properties whose change replaces the resource."""
        return _paths(self.body.get("createOnlyProperties", ()))

    @cached_property
    def may_replace(self) -> tuple[tuple[str, ...], ...]:
        """Properties whose change replaces the resource under conditions that its service knows."""
        return _paths(self.body.get("conditionalCreateOnlyProperties", ()))

    @cached_property
    def write_only(self) -> tuple[tuple[str, ...], ...]:
        """Properties that no read gives back."""
        return _paths(self.body.get("writeOnlyProperties", ()))

    @cached_property
    def identifier(self) -> tuple[tuple[str, ...], ...]:
        """The properties that together are the primary identifier."""
        return _paths(self.body.get("primaryIdentifier", ()))

    @cached_property
    def attributes(self) -> frozenset[str]:
        """What `Fn::GetAtt` takes, with dots: `Endpoint.Address`."""
        return frozenset(self.body.get("attributes", ()))

    def action(self, operation: str) -> str:
        """The action that `create`, `update` or `delete` of a resource mainly is: `ecs:CreateCluster`; or nothing."""
        return str(self.body.get("actions", {}).get(operation, ""))

    def gives(self, attribute: str) -> bool:
        """Whether `Fn::GetAtt` takes the attribute; a whole object is asked for by its name, a part by its path."""
        beginning = f"{attribute}."
        return (
            attribute in self.attributes
            or any(each.startswith(beginning) for each in self.attributes)
            or any(attribute.startswith(f"{each}.") for each in self.attributes)
        )

    def resolved(self, node: Node) -> Node:
        """`node`, or what it refers to."""
        seen = 0
        while "$ref" in node and seen < 8:
            name = str(node["$ref"]).rpartition("/")[2]
            kind = "definitions" if "/definitions/" in str(node["$ref"]) else "properties"
            node = self.body.get(kind, {}).get(name, {})
            seen += 1
        return node

    def at(self, path: tuple[str, ...]) -> Node:
        """The node of a property path; empty if there is none."""
        node: Node = self.body
        for name in path:
            node = self.resolved(self.resolved(node).get("properties", {}).get(name, {}))
        return node


@cache
def type_names() -> frozenset[str]:
    """Every resource type of AWS in any region."""
    with zipfile.ZipFile(PATH) as archive:
        lines = archive.read(TYPES_MEMBER).decode().splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def is_aws_type(type_name: str) -> bool:
    """Whether AWS has the type, by the schemas or by its documentation."""
    return type_name in type_names() or type_name in _WITHOUT_SCHEMA


@cache
def schema(type_name: str) -> Schema | None:
    """The schema of a type, or None if AWS has none."""
    if not type_name.startswith("AWS::") or type_name not in type_names():
        return None
    body = _service(type_name.split("::")[1])[type_name]
    return Schema(type_name, body)


@cache
def _service(name: str) -> Mapping[str, Any]:
    with zipfile.ZipFile(PATH) as archive:
        found: Mapping[str, Any] = json.loads(archive.read(f"{name}.json"))
    return found


def _paths(pointers: Any) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(str(pointer).removeprefix("/properties/").split("/")) for pointer in pointers)

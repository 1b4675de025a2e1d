"""Rewrites `data/registry.json` from the CloudFormation schemas that cfn-lint ships.

    python -m trainworks.preflight.refresh_registry

The schemas are AWS's own, those of us-east-1. For each type that can be named it keeps which
property is the name, how long it may be if that is limited, and which properties cannot change after creation.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from trainworks.preflight.registry import PATH

_REGION = "us-east-1"
_NAME = re.compile(r"(?P<stem>.*?)(?P<suffix>Name|Identifier|Id)")


def main() -> int:
    types = {name: entry for name in _types(_REGION) if (entry := entry_of(name, schema_of(name)))}
    source = f"CloudFormation registry schemas in cfn-lint {metadata.version('cfn-lint')}"
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(types.items()))
    text = f'{{\n"source": {json.dumps(f"{source}, {_REGION}")},\n"types": {{\n{lines}\n}}\n}}\n'
    PATH.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(types)} types with names in {PATH.name}\n")
    return 0


def schema_of(type_: str) -> Mapping[str, Any]:
    """The registry schema of a resource type."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # noqa: PLC0415 - only this program needs it

    schema: Mapping[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(_REGION, type_).schema
    return schema


def _types(region: str) -> list[str]:
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # noqa: PLC0415

    return list(PROVIDER_SCHEMA_MANAGER.get_resource_types(region))


def entry_of(type_: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is kept of a type; None for one whose name nobody can choose."""
    name = name_property(type_, schema)
    if name is None:
        return None
    length = schema["properties"][name].get("maxLength")
    fixed = {*_paths(schema, "createOnlyProperties"), *_paths(schema, "conditionalCreateOnlyProperties")} - {name}
    if not (fixed or length):
        return None
    return {"name": name, "max_length": length} if length else {"name": name}


def name_property(type_: str, schema: Mapping[str, Any]) -> str | None:
    """The property that names the resource itself: `Name`, or one called like the type (`GroupName`, `RoleName`)."""
    own = type_.rsplit("::", 1)[-1].lower()
    read_only = set(_paths(schema, "readOnlyProperties"))
    property_: str
    for property_ in sorted(schema.get("properties", {}), key=lambda each: (each != "Name", not each.endswith("Name"))):
        match = _NAME.fullmatch(property_)
        if match is None or property_ in read_only:
            continue
        stem, suffix = match["stem"].lower(), match["suffix"]
        if property_ == "Name" or stem == own or (stem and suffix != "Id" and own.endswith(stem)):
            return property_
    return None


def _paths(schema: Mapping[str, Any], key: str) -> list[str]:
    """Property paths as people write them: `ComputeResources.Type`."""
    return [path.removeprefix("/properties/").replace("/", ".") for path in schema.get(key, ())]


if __name__ == "__main__":
    sys.exit(main())

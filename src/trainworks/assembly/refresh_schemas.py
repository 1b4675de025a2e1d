"""Rewrites `data/schemas.zip` from the CloudFormation registry schemas that cfn-lint ships.

    python -m trainworks.assembly.refresh_schemas

The schemas are AWS's own, those of us-east-1 first and then of other regions for types that it lacks. Descriptions,
patterns, sizes and the rules by which services choose between properties are left out: the services check those.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

from trainworks.assembly.schemas import PATH, TYPES_MEMBER

_FIRST_REGION = "us-east-1"
_DATE = (2026, 1, 1, 0, 0, 0)
"""The time of all members, so that the same schemas make the same file."""

_VALUES = ("type", "$ref", "required", "additionalProperties")
_MAPS = ("properties", "patternProperties", "definitions")
_CHOICES = ("oneOf", "anyOf", "allOf")
_ABOUT_PROPERTIES = (
    "readOnlyProperties",
    "createOnlyProperties",
    "conditionalCreateOnlyProperties",
    "writeOnlyProperties",
    "primaryIdentifier",
)
# Longer ones are lists of instance types and so on, which grow faster than the schemas.
_MAX_ENUM = 40

_VERBS: Mapping[str, tuple[str, ...]] = {
    "create": ("Create", "Register", "Run", "Put", "Request", "Allocate", "Associate", "Attach", "Enable", "Add"),
    "update": ("Update", "Modify", "Put", "Set", "Change", "Register"),
    "delete": ("Delete", "Deregister", "Terminate", "Remove", "Release", "Disassociate", "Detach", "Disable", "Stop"),
}


def main() -> int:
    services: dict[str, dict[str, Any]] = {}
    for type_name, entry in _entries():
        services.setdefault(type_name.split("::")[1], {})[type_name] = entry
    names = sorted(name for types in services.values() for name in types)
    source = f"# CloudFormation registry schemas in cfn-lint {metadata.version('cfn-lint')}, all regions"
    with zipfile.ZipFile(PATH, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        _write(archive, TYPES_MEMBER, "\n".join([source, *names, ""]))
        for service, types in sorted(services.items()):
            _write(archive, f"{service}.json", json.dumps(types, separators=(",", ":"), sort_keys=True))
    sys.stdout.write(f"{len(names)} types of {len(services)} services, {PATH.stat().st_size} bytes\n")
    return 0


def _entries() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each type once, as the first region has it."""
    from cfnlint.helpers import REGIONS  # noqa: PLC0415 - only this program needs it
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # noqa: PLC0415

    seen: set[str] = set()
    for region in dict.fromkeys([_FIRST_REGION, *REGIONS]):
        for type_name in PROVIDER_SCHEMA_MANAGER.get_resource_types(region):
            if type_name in seen or not type_name.startswith("AWS::"):
                continue
            seen.add(type_name)
            found = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, type_name)
            actions = actions_of(type_name, found.schema)
            yield type_name, {**entry_of(found.schema, found.get_atts.data), "actions": actions}


def entry_of(schema: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a type."""
    entry: dict[str, Any] = _kept(schema)
    entry |= {key: list(schema[key]) for key in _ABOUT_PROPERTIES if schema.get(key)}
    names = sorted(name.replace("\\", "") for name in attributes)
    return {**entry, "attributes": names} if names else entry


def actions_of(type_name: str, schema: Mapping[str, Any]) -> dict[str, str]:
    """The one action of each handler that makes, changes or deletes the resource: by its verb and the type's name.

    A handler lists all that it may need, for whatever properties; the rest of that is not asked for.
    """
    found = {}
    for operation, verbs in _VERBS.items():
        listed = schema.get("handlers", {}).get(operation, {}).get("permissions", ())
        ranked = sorted((rank, action) for action in listed if (rank := _rank(type_name, action, verbs)) is not None)
        if ranked:
            found[operation] = ranked[0][1]
    return found


def _rank(type_name: str, action: str, verbs: tuple[str, ...]) -> tuple[int, int, int] | None:
    """How well an action fits: its verb, whether it names the type, how little else it names. None for another verb."""
    name = action.partition(":")[2]
    verb = next((index for index, each in enumerate(verbs) if name.startswith(each)), None)
    if verb is None or "Tag" in name or "*" in name:
        return None
    rest, kind = name[len(verbs[verb]) :].lower(), type_name.split("::")[2].lower()
    return (0 if rest == kind else 1 if rest in kind or kind in rest else 2), verb, len(rest)


def _kept(node: Any) -> Any:
    """A node without what is for people or for the services."""
    if not isinstance(node, Mapping):
        return node
    kept: dict[str, Any] = {key: node[key] for key in _VALUES if key in node and not isinstance(node[key], Mapping)}
    if "enum" in node and len(node["enum"]) <= _MAX_ENUM:
        kept["enum"] = list(node["enum"])
    for key in _MAPS:
        if key in node:
            kept[key] = {name: _kept(each) for name, each in node[key].items()}
    for key in _CHOICES:
        if key in node:
            kept[key] = [_kept(each) for each in node[key]]
    if "items" in node:
        kept["items"] = _kept(node["items"])
    if isinstance(node.get("additionalProperties"), Mapping):
        kept["additionalProperties"] = _kept(node["additionalProperties"])
    return kept


def _write(archive: zipfile.ZipFile, name: str, text: str) -> None:
    member = zipfile.ZipInfo(name, _DATE)
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, text)


if __name__ == "__main__":
    sys.exit(main())

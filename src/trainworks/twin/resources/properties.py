"""A template's properties as a request of the service's own API: the same words, in another case.

CloudFormation writes members with a capital, gives numbers and booleans as strings now and then, and knows a few
members that the API does not. What neither knows is refused by its path, never ignored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from trainworks.twin.resource_types import ResourceError
from trainworks.twin.wire.models import service_model

_INTEGERS = ("integer", "long")
_FLOATS = ("float", "double")
_TRUTHS = {"true": True, "false": False}


def to_request(
    service: str, operation: str, properties: Mapping[str, Any], *, without: Collection[str] = ()
) -> dict[str, Any]:
    """Properties as the parameters of an operation; the top-level ones in `without` are left to the caller.

    Raises `ResourceError` for a property that the operation does not have or whose value has the wrong type.
    """
    shape = service_model(service).operation_model(operation).input_shape
    given = {name: value for name, value in properties.items() if name not in without}
    converted: dict[str, Any] = _structure(shape, given, "")
    return converted


def reject_unknown(properties: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise `ResourceError` for properties that a type does not have, or that are not implemented here."""
    unknown = sorted(name for name in properties if name not in known)
    if unknown:
        raise ResourceError(
            f"trainworks does not implement {', '.join(unknown)} of this resource type; leave it out of the template"
        )


def tags_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """`Tags` as a map, whether the type takes a list of Key and Value or a map."""
    tags = properties.get("Tags") or {}
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    return {str(tag["Key"]): str(tag["Value"]) for tag in tags}


def tag_changes(previous: Mapping[str, Any], current: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """The keys of tags that are gone, and the tags that are new or have another value."""
    before, now = tags_of(previous), tags_of(current)
    return sorted(before.keys() - now.keys()), {key: value for key, value in now.items() if before.get(key) != value}


def changed(previous: Mapping[str, Any], current: Mapping[str, Any]) -> set[str]:
    """The names of properties that differ between two versions of a resource."""
    return {name for name in {*previous, *current} if previous.get(name) != current.get(name)}


def _convert(shape: Shape | None, value: Any, path: str) -> Any:
    if isinstance(shape, StructureShape):
        if not isinstance(value, Mapping):
            raise ResourceError(f"Property {path} must be an object")
        return _structure(shape, value, path)
    if isinstance(shape, ListShape):
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ResourceError(f"Property {path} must be a list")
        return [_convert(shape.member, each, f"{path}/{index}") for index, each in enumerate(value)]
    if isinstance(shape, MapShape):
        if not isinstance(value, Mapping):
            raise ResourceError(f"Property {path} must be a map")
        return {str(key): _convert(shape.value, each, f"{path}/{key}") for key, each in value.items()}
    return _scalar(shape, value, path)


def _structure(shape: Shape | None, value: Mapping[str, Any], path: str) -> dict[str, Any]:
    members = shape.members if isinstance(shape, StructureShape) else {}
    by_lower = {name.lower(): name for name in members}
    converted: dict[str, Any] = {}
    for name, each in value.items():
        member = by_lower.get(name.lower())
        if member is None:
            raise ResourceError(f"Encountered unsupported property {path}/{name}".replace("//", "/"))
        if each is not None:
            converted[member] = _convert(members[member], each, f"{path}/{name}")
    return converted


def _scalar(shape: Shape | None, value: Any, path: str) -> Any:
    kind = shape.type_name if shape is not None else "string"
    try:
        if kind in _INTEGERS and not isinstance(value, bool):
            return int(value)
        if kind in _FLOATS and not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError):
        raise ResourceError(f"Property {path} must be a number, not '{value}'") from None
    if kind == "boolean":
        truth = value if isinstance(value, bool) else _TRUTHS.get(str(value).lower())
        if truth is None:
            raise ResourceError(f"Property {path} must be true or false, not '{value}'")
        return truth
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if kind == "string" and isinstance(value, bool):
        return str(value).lower()
    return value

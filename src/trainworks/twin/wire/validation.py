"""A request checked against its service model, with the words that AWS uses.

botocore checks no pattern, maximum or enum before it sends; the service does, and says

    1 validation error detected: Value 'a b' at 'trainingJobName' failed to satisfy constraint: Member must satisfy
    regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from trainworks.twin.ports import ApiError
from trainworks.twin.wire.models import MODEL_VERSION
from trainworks.twin.wire.patterns import matcher

_MAX_PROBLEMS = 20
_MAX_SHOWN_CHARS = 1000

_ANY_CASE = frozenset({"RetryAction"})
"""Enumerations of which the documentation says that their values are not case sensitive."""

_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (Mapping,),
    "map": (Mapping,),
    "list": (list, tuple),
    "string": (str,),
    "character": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float, Decimal),
    "double": (int, float, Decimal),
    "timestamp": (datetime,),
    "blob": (bytes, bytearray),
}


def validate(shape: Shape | None, value: Mapping[str, Any], error_code: str) -> None:
    """Raise `ApiError(error_code)` that lists every constraint of `shape` that `value` breaks."""
    if shape is None:
        return
    problems = list(islice(_problems(shape, value, ""), _MAX_PROBLEMS))
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise ApiError(error_code, f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}")


def _problems(shape: Shape, value: object, path: str) -> Iterator[str]:
    if not _has_type(shape, value):
        problem = f"Value '{_shown(value)}' at '{path}' failed to satisfy constraint"
        yield f"{problem}: Member must be of type {shape.type_name}"
    elif isinstance(shape, StructureShape):
        yield from _structure_problems(shape, value, path)  # type: ignore[arg-type]
    elif isinstance(shape, ListShape):
        yield from _list_problems(shape, value, path)  # type: ignore[arg-type]
    elif isinstance(shape, MapShape):
        yield from _map_problems(shape, value, path)  # type: ignore[arg-type]
    else:
        constraint = _broken_constraint(shape, value)
        if constraint:
            yield f"Value '{_shown(value)}' at '{path}' failed to satisfy constraint: {constraint}"


def _has_type(shape: Shape, value: object) -> bool:
    if isinstance(value, bool) and shape.type_name != "boolean":
        return False
    return isinstance(value, _TYPES[shape.type_name])


def _structure_problems(shape: StructureShape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"Value null at '{_member_path(path, name)}' failed to satisfy constraint: Member must not be null"
    for name, member in value.items():
        member_shape = shape.members.get(name)
        if member_shape is None:
            yield (
                f"Value at '{_member_path(path, name)}' failed to satisfy constraint: "
                f"Member must be one that {shape.name} has in {MODEL_VERSION}"
            )
        elif member is not None:
            yield from _problems(member_shape, member, _member_path(path, name))


def _list_problems(shape: ListShape, value: Sequence[Any], path: str) -> Iterator[str]:
    constraint = _length_constraint(shape, len(value))
    if constraint:
        yield f"Value '{_shown(value)}' at '{path}' failed to satisfy constraint: {constraint}"
    for number, member in enumerate(value, start=1):
        yield from _problems(shape.member, member, f"{path}.{number}.member")


def _map_problems(shape: MapShape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    constraint = _length_constraint(shape, len(value))
    if constraint:
        yield f"Value '{_shown(value)}' at '{path}' failed to satisfy constraint: {constraint}"
    for key, member in value.items():
        constraint = _broken_constraint(shape.key, key)
        if constraint:
            yield (
                f"Value '{_shown(value)}' at '{path}' failed to satisfy constraint: "
                f"Map keys must satisfy constraint: [{constraint}]"
            )
        yield from _problems(shape.value, member, f"{path}.{key}.member")


def _broken_constraint(shape: Shape, value: object) -> str:
    if isinstance(shape, StringShape) and isinstance(value, str):
        return _string_constraint(shape, value)
    if isinstance(value, bytes | bytearray):
        return _length_constraint(shape, len(value))
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _range_constraint(shape, value)
    return ""


def _string_constraint(shape: StringShape, value: str) -> str:
    if shape.enum and (value.upper() if shape.name in _ANY_CASE else value) not in shape.enum:
        return f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    pattern = shape.metadata.get("pattern")
    # A text that is too long anyway is not matched; one that is too short mostly breaks the pattern, too.
    maximum = shape.metadata.get("max")
    if pattern and (maximum is None or len(value) <= maximum):
        matches = matcher(pattern)
        if matches is not None and not matches(value):
            return f"Member must satisfy regular expression pattern: {pattern}"
    return _length_constraint(shape, len(value))


def _length_constraint(shape: Shape, length: int) -> str:
    minimum, maximum = shape.metadata.get("min"), shape.metadata.get("max")
    if minimum is not None and length < minimum:
        return f"Member must have length greater than or equal to {minimum}"
    if maximum is not None and length > maximum:
        return f"Member must have length less than or equal to {maximum}"
    return ""


def _range_constraint(shape: Shape, value: int | float | Decimal) -> str:
    minimum, maximum = shape.metadata.get("min"), shape.metadata.get("max")
    if minimum is not None and value < minimum:
        return f"Member must have value greater than or equal to {minimum}"
    if maximum is not None and value > maximum:
        return f"Member must have value less than or equal to {maximum}"
    return ""


def _member_path(path: str, name: str) -> str:
    lowered = name[:1].lower() + name[1:]
    return f"{path}.{lowered}" if path else lowered


def _shown(value: object) -> str:
    """A value in a message, as Java prints it, cut where it is long."""
    text = _printed(value)
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]}..."


def _printed(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_printed(item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}={_printed(item)}' for key, item in value.items())}}}"
    return str(value)

"""A request checked against its service model, with the words that AWS uses.

botocore checks no pattern, maximum or enum before it sends; the service does, and says

    1 validation error detected: Value 'a b' at 'trainingJobName' failed to satisfy constraint: Member must satisfy
    regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from trainworks.twin.ports import ApiError
from trainworks.twin.wire.models import MODEL_VERSION
from trainworks.twin.wire.patterns import matcher

_MAX_PROBLEMS = 20
_MAX_SHOWN_CHARS = 1000

_HALF = re.compile("[\ud800-\udfff]")

_ANY_CASE = frozenset({"RetryAction"})
"""Enumerations whose values are not case sensitive, as the documentation says."""

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


class Broken(StrEnum):
    """What is wrong with a member."""

    MISSING = "missing"
    TYPE = "type"
    UNKNOWN = "unknown"
    CONSTRAINT = "constraint"


@dataclass(frozen=True, slots=True)
class Problem:
    """One member that breaks its model: `path` in the model's spelling (`Tags.1.Key`), `words` as AWS puts it."""

    kind: Broken
    path: str
    words: str
    value: object = None


def validate(shape: Shape | None, value: Mapping[str, Any], error_code: str) -> None:
    """Raise `ApiError(error_code)` that lists every constraint of `shape` that `value` breaks."""
    problems = problems_of(shape, value)
    if problems:
        raise ApiError(error_code, listed(problems))


def problems_of(shape: Shape | None, value: Mapping[str, Any]) -> list[Problem]:
    """What `value` breaks of `shape`, the first twenty of it."""
    return [] if shape is None else list(islice(_problems(shape, value, ""), _MAX_PROBLEMS))


def require_text(value: object, error_code: str, path: str = "") -> None:
    """Raise `ApiError(error_code)` for a text with half of a surrogate pair, which JSON can spell and UTF-8 cannot.

    Nothing could be stored of it, nor a program or a file be called so.
    """
    if isinstance(value, str):
        if not is_whole_text(value):
            raise ApiError(
                error_code,
                f"Value {value[:_MAX_SHOWN_CHARS]!a} at '{_spelled(path)}' holds half of a surrogate pair, "
                "which is not a character of Unicode",
            )
    elif isinstance(value, Mapping):
        for name, item in value.items():
            require_text(name, error_code, path)
            require_text(item, error_code, _joined(path, str(name)))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value, 1):
            require_text(item, error_code, _joined(path, str(number)))


def is_whole_text(text: str) -> bool:
    """Whether a text has no half of a surrogate pair. Cheap: Python knows whether a text is ASCII."""
    return text.isascii() or _HALF.search(text) is None


def listed(problems: Sequence[Problem]) -> str:
    """The message in which most services tell about all problems of a request."""
    plural = "s" if len(problems) > 1 else ""
    return f"{len(problems)} validation error{plural} detected: {'; '.join(problem.words for problem in problems)}"


def _problems(shape: Shape, value: object, path: str) -> Iterator[Problem]:
    if not _has_type(shape, value):
        yield _problem(Broken.TYPE, value, path, f"Member must be of type {shape.type_name}")
    elif isinstance(shape, StructureShape):
        yield from _structure_problems(shape, value, path)  # type: ignore[arg-type]
    elif isinstance(shape, ListShape):
        yield from _list_problems(shape, value, path)  # type: ignore[arg-type]
    elif isinstance(shape, MapShape):
        yield from _map_problems(shape, value, path)  # type: ignore[arg-type]
    else:
        constraint = _broken_constraint(shape, value)
        if constraint:
            yield _problem(Broken.CONSTRAINT, value, path, constraint)


def _problem(kind: Broken, value: object, path: str, constraint: str) -> Problem:
    shown = "null" if value is None else f"'{_shown(value)}'"
    words = f"Value {shown} at '{_spelled(path)}' failed to satisfy constraint: {constraint}"
    return Problem(kind, path, words, value)


def _has_type(shape: Shape, value: object) -> bool:
    if isinstance(value, bool) and shape.type_name != "boolean":
        return False
    return isinstance(value, _TYPES[shape.type_name])


def _structure_problems(shape: StructureShape, value: Mapping[str, Any], path: str) -> Iterator[Problem]:
    members = shape.members
    for name in shape.required_members:
        if value.get(name) is None:
            yield _problem(Broken.MISSING, None, _joined(path, name), "Member must not be null")
    for name, member in value.items():
        member_shape = members.get(name)
        if member_shape is None:
            where = _joined(path, name)
            constraint = f"Member must be one that {shape.name} has in {MODEL_VERSION}"
            words = f"Value at '{_spelled(where)}' failed to satisfy constraint: {constraint}"
            yield Problem(Broken.UNKNOWN, where, words)
        elif member is not None:
            yield from _problems(member_shape, member, _joined(path, name))


def _list_problems(shape: ListShape, value: Sequence[Any], path: str) -> Iterator[Problem]:
    constraint = _length_constraint(shape, len(value))
    if constraint:
        yield _problem(Broken.CONSTRAINT, value, path, constraint)
    for number, member in enumerate(value, start=1):
        yield from _problems(shape.member, member, f"{path}.{number}.member")


def _map_problems(shape: MapShape, value: Mapping[str, Any], path: str) -> Iterator[Problem]:
    constraint = _length_constraint(shape, len(value))
    if constraint:
        yield _problem(Broken.CONSTRAINT, value, path, constraint)
    for key, member in value.items():
        constraint = _broken_constraint(shape.key, key)
        if constraint:
            yield _problem(Broken.CONSTRAINT, value, path, f"Map keys must satisfy constraint: [{constraint}]")
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


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _spelled(path: str) -> str:
    """A path as messages have it: every member in lower case at its start."""
    return ".".join(name[:1].lower() + name[1:] for name in path.split("."))


def _shown(value: object) -> str:
    """A value in a message, as Java prints it, cut if it is long."""
    text = _printed(value)
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]}..."


def _printed(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_printed(item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}={_printed(item)}' for key, item in value.items())}}}"
    return str(value)

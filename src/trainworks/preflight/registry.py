"""What AWS's registry schemas say about names: which property is the name of a resource, how long it may be, and
which properties cannot change after creation.

`data/registry.json` is written by `python -m trainworks.preflight.refresh_registry`. It has what nobody but a rule on
names asks for; what is fixed at creation the schemas say themselves (`assembly.schemas`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from trainworks.assembly.schemas import schema

PATH = Path(__file__).parent / "data" / "registry.json"


@dataclass(frozen=True)
class NamedType:
    """A resource type whose name (the property `name`) its template may choose.

    `max_length` is None if the schema has none. Property paths are joined by `.`.
    """

    type_name: str
    name: str
    max_length: int | None = None

    @cached_property
    def create_only(self) -> tuple[str, ...]:
        """What cannot change without a replacement, apart from the name."""
        found = schema(self.type_name)
        return self._others(found.create_only if found else ())

    @cached_property
    def may_replace(self) -> tuple[str, ...]:
        """What cannot always change without one."""
        found = schema(self.type_name)
        return self._others(found.may_replace if found else ())

    @property
    def required(self) -> bool:
        """Whether CloudFormation makes up no name."""
        found = schema(self.type_name)
        return found is not None and self.name in found.required

    def _others(self, paths: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(".".join(path) for path in paths if path != (self.name,))


@cache
def named_types() -> Mapping[str, NamedType]:
    """Every type with a name of its own, by CloudFormation type."""
    types = json.loads(PATH.read_text(encoding="utf-8"))["types"]
    return {type_: NamedType(type_, entry["name"], entry.get("max_length")) for type_, entry in types.items()}

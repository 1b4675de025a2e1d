"""What AWS's registry schemas say of names: which property names a type, what cannot change beside it.

`data/registry.json` is written by `python -m trainworks.preflight.refresh_registry`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PATH = Path(__file__).parent / "data" / "registry.json"


@dataclass(frozen=True, slots=True)
class NamedType:
    """A resource type whose name (the property `name`) its template may choose.

    `create_only` cannot change without a replacement, `may_replace` not always; both are property paths joined by `.`.
    `fixed_name`: the name itself cannot change without one; `required`: CloudFormation makes none up. `max_length` is
    None where the schema has none.
    """

    name: str
    max_length: int | None = None
    create_only: tuple[str, ...] = ()
    may_replace: tuple[str, ...] = ()
    fixed_name: bool = False
    required: bool = False


@cache
def named_types() -> Mapping[str, NamedType]:
    """Every type with a name of its own, by CloudFormation type."""
    types = json.loads(PATH.read_text(encoding="utf-8"))["types"]
    return {
        type_: NamedType(
            name=entry["name"],
            max_length=entry.get("max_length"),
            create_only=tuple(entry.get("create_only", ())),
            may_replace=tuple(entry.get("may_replace", ())),
            fixed_name=entry.get("fixed_name", False),
            required=entry.get("required", False),
        )
        for type_, entry in types.items()
    }

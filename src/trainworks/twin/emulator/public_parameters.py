"""Public parameters of AWS, `/aws/service/...`: the names of usual machine images, so that templates resolve.

Names are those that AWS documents, as of the date in `data/public_parameters.json`. An image's id is made up, the same
for a name and a region each time: no image is behind it, as instances are refused or recorded. Stock knows two names.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from trainworks.twin.emulator import engine

_PATH = Path(__file__).parent / "data" / "public_parameters.json"
_GROUP = re.compile(r"\{([^}]*)\}")


def install(ssm: ModuleType) -> None:
    """SSM was loaded: answer for every name of the list."""
    module: Any = ssm
    stock = module._public_parameter
    module._public_parameter = lambda name: stock(name) or public_parameter(name)


def public_parameter(name: str) -> dict[str, Any] | None:
    """The record of a public parameter as the service answers it, with no account in its ARN; None for others."""
    region = engine.module("core.responses").get_region()
    value = value_of(name, region)
    if value is None:
        return None
    return {
        "Name": name,
        "Type": "String",
        "Value": value,
        "Version": 1,
        "LastModifiedDate": _names()[2],
        "ARN": f"arn:aws:ssm:{region}::parameter{name}",
        "DataType": "text",
    }


def value_of(name: str, region: str) -> str | None:
    """The value of a name in a region, or None."""
    images, recommended, _ = _names()
    if name in images:
        return image_id(name, region)
    if name in recommended:
        return json.dumps(_described(name, region))
    parent, _, member = name.rpartition("/")
    return _described(parent, region).get(member) if parent in recommended else None


def image_id(name: str, region: str) -> str:
    """An id in the format of machine images."""
    return f"ami-0{hashlib.blake2s(f'{region}{name}'.encode(), digest_size=8).hexdigest()}"


def _described(name: str, region: str) -> dict[str, str]:
    kind = name.split("/")[3]
    told = {"image_id": image_id(name, region), "image_name": name.strip("/").replace("/", "-")}
    if kind == "ecs":
        return {**told, "ecs_agent_version": "1.90.0", "ecs_runtime_version": "Docker version 25.0.8", "os": "Linux"}
    return {**told, "release_version": f"{name.split('/')[5]}.0-20260601"}


@cache
def _names() -> tuple[frozenset[str], frozenset[str], int]:
    """(names of images, names of descriptions, the date in seconds)."""
    data = json.loads(_PATH.read_text(encoding="utf-8"))
    date = int(datetime.fromisoformat(f"{data['as_of']}T00:00:00+00:00").timestamp())
    kinds = [
        frozenset(name for pattern in data[kind] for name in _spelt(pattern)) for kind in ("images", "recommended")
    ]
    return kinds[0], kinds[1], date


def _spelt(pattern: str) -> Iterator[str]:
    """`a-{b,c}` is `a-b` and `a-c`."""
    parts = _GROUP.split(pattern)
    choices = [part.split(",") if index % 2 else [part] for index, part in enumerate(parts)]
    return ("".join(chosen) for chosen in itertools.product(*choices))

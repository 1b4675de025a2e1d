"""What a resource was told, as text and back: JSON, with what requests have beyond it, times and bytes.

A key that begins with `$` is ours; one of a user gets a second `$`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

_TIME, _BYTES = "$time", "$bytes"


def dump(spec: Mapping[str, Any]) -> str:
    return json.dumps(_plain(spec))


def load(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text, object_hook=_whole)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {f"${key}" if key.startswith("$") else key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return {_TIME: value.isoformat()}
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    return value


def _whole(found: dict[str, Any]) -> Any:
    if _TIME in found:
        return datetime.fromisoformat(found[_TIME])
    if _BYTES in found:
        return base64.b64decode(found[_BYTES])
    return {key[1:] if key.startswith("$") else key: value for key, value in found.items()}

"""CBOR for ministack's CloudWatch: what it uses of the `cbor2` package, over our own wire.

ministack speaks smithy-rpc-v2-cbor only where `cbor2` can be imported, which it does not install.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from trainworks.twin.wire.protocols.cbor import decode, encode


@dataclass(frozen=True, slots=True)
class CBORTag:
    """A tagged value; ministack makes tag 1 alone, seconds since the epoch."""

    tag: int
    value: float


def provide() -> None:
    """Make `import cbor2` give this module, unless the real one is there."""
    module: Any = ModuleType("cbor2")
    module.CBORTag, module.loads, module.dumps = CBORTag, decode, dumps
    sys.modules.setdefault("cbor2", module)


def dumps(value: Any) -> bytes:
    """A Python value as CBOR; tag 1 is a timestamp."""
    return encode(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, CBORTag):
        return datetime.fromtimestamp(value.value, UTC)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value

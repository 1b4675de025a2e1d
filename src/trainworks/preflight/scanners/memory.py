"""What a scanner reported for the same input before: another run takes seconds and reports the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from trainworks.assembly.cache import locked
from trainworks.whole_file import write_whole

_MAX_ENTRIES = 128

Said = list[dict[str, Any]]


def key_of(parts: Iterable[str | bytes]) -> str:
    """A name for everything that a scan depends on: its version among them."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()


def remembered(folder: Path, key: str, scan: Callable[[], Said]) -> Said:
    """What `scan` reports, from `folder` if it was run with this `key` before, or is running now."""
    path = folder / f"{key}.json"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(path.with_suffix(".lock")):
        known = _known(path)
        if known is None:
            known = scan()
            _keep(path, known)
    return known


def _known(path: Path) -> Said | None:
    try:
        known: Said = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return known


def _keep(path: Path, said: Said) -> None:
    """Complete or absent; the oldest go."""
    write_whole(path, json.dumps(said), mode=0o600)
    entries = sorted(path.parent.glob("*.json"), key=lambda each: each.stat().st_mtime, reverse=True)
    for old in entries[_MAX_ENTRIES:]:
        old.unlink(missing_ok=True)
        old.with_suffix(".lock").unlink(missing_ok=True)

"""`made.json` of an environment: which image it is for, what it holds, and how large it is.

It is written before the mark `ready`, so that every whole environment has one.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_MADE = "made.json"


@dataclass(frozen=True, slots=True)
class EnvironmentRecord:
    """What an environment is. `packages` are versions by name; `notes` is what of AWS's could not be had.

    `main` are the framework's own packages, none for a user's own image. `size_in_bytes` is what it takes on disk,
    `seconds` how long it took to make.
    """

    image: str
    python: str
    packages: Mapping[str, str]
    main: tuple[str, ...]
    notes: tuple[str, ...]
    size_in_bytes: int
    seconds: float

    @property
    def versions(self) -> str:
        """`scikit-learn 1.4.2`, for a line of text."""
        if not self.main:
            return f"{len(self.packages)} package{'' if len(self.packages) == 1 else 's'}"
        return ", ".join(f"{name} {self.packages.get(name, 'of unknown version')}" for name in self.main)


def record_made(
    place: Path, image: str, main: tuple[str, ...], notes: Sequence[str], seconds: float
) -> EnvironmentRecord:
    """Look at what was installed in `place`, and write it down there."""
    site = place / "env" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    packages = {
        dist.name.replace("_", "-"): dist.version for dist in importlib.metadata.distributions(path=[str(site)])
    }
    made = EnvironmentRecord(
        image=image,
        python=".".join(str(part) for part in sys.version_info[:3]),
        packages=dict(sorted(packages.items())),
        main=main,
        notes=tuple(notes),
        size_in_bytes=sum(each.lstat().st_blocks * 512 for each in place.rglob("*")),
        seconds=round(seconds, 1),
    )
    (place / _MADE).write_text(json.dumps(asdict(made), indent=1), encoding="utf-8")
    return made


def read_made(place: Path) -> EnvironmentRecord | None:
    """What the environment in `place` is; None if that cannot be read."""
    try:
        record = json.loads((place / _MADE).read_text(encoding="utf-8"))
        return EnvironmentRecord(**{**record, "main": tuple(record["main"]), "notes": tuple(record["notes"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def made_at(place: Path) -> float | None:
    """When the environment in `place` was made, in seconds since the epoch; None if that cannot be read."""
    try:
        return (place / _MADE).stat().st_mtime
    except OSError:
        return None

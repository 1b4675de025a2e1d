"""What has ended and is old is removed: by `trainworks twin prune`, and in the background where an age is set.

    <home>/retention.json     {"older_than_seconds": 604800.0}

Each kind of thing says what of it ended before a moment, and forgets it: first the files, then the rows, so that a kill
in between leaves something to find again, and never a file that nobody knows. What is live is in no such answer. Log
events are their group's to keep (`PutRetentionPolicy`), objects are the user's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainworks.twin.home import write_private
from trainworks.twin.service import Kept
from trainworks.twin.services.background import Background

YOUNGEST_SECONDS = 60.0
"""What ended within the last minute stays: its last lines may be on their way to Logs."""
_AT_ONCE = 100
_STEP = 10
_PAUSE_SECONDS = 0.5
_PASS_SECONDS = 600.0


@dataclass(slots=True)
class Pruned:
    """What went, or would go: how many of each kind, and the bytes of their files. `more` is left for another call."""

    counts: dict[str, int]
    freed_bytes: int = 0
    more: bool = False


class Retention:
    """`kinds` by the name that users see. `start` begins the background's passes, gently: a few things, and a pause."""

    def __init__(self, path: Path, kinds: Mapping[str, Kept], clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._kinds = kinds
        self._clock = clock
        self._background = Background("retention", self._pass)

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        self._background.stop()

    @property
    def age_seconds(self) -> float | None:
        """How old what has ended may become; None: for ever."""
        try:
            age: float | None = json.loads(self._path.read_text())["older_than_seconds"]
        except FileNotFoundError:
            return None
        return age

    def set_age(self, seconds: float | None) -> None:
        """Keep what has ended for so long from now on, or for ever."""
        write_private(self._path, json.dumps({"older_than_seconds": seconds}) + "\n")
        self._background.wake()

    def prune(self, age_seconds: float, *, dry_run: bool = False, limit: int = _AT_ONCE, after: int = 0) -> Pruned:
        """Forget up to `limit` things of each kind that ended longer ago; in a dry run say which, from `after` on."""
        moment = self._clock() - max(age_seconds, YOUNGEST_SECONDS)
        pruned = Pruned({})
        for name, kind in self._kinds.items():
            found = kind.ended_before(moment, after if dry_run else 0, limit)
            pruned.counts[name] = len(found)
            pruned.freed_bytes += sum(size_of(folder) for each in found for folder in each.folders)
            pruned.more |= len(found) == limit
            if found and not dry_run:
                kind.forget([each.name for each in found])
        return pruned

    def _pass(self) -> float | None:
        age = self.age_seconds
        if age is None:
            return None
        while self.prune(age, limit=_STEP).more:
            if self._background.pause(_PAUSE_SECONDS):
                return None
        return _PASS_SECONDS


def size_of(folder: Path) -> int:
    """Bytes on disk of what is below a folder, links not followed; what goes while one looks counts nothing."""
    total = 0
    try:
        entries = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return 0
    for entry in entries:
        try:
            if entry.is_dir() and not entry.is_symlink():
                total += size_of(entry)
            else:
                total += entry.lstat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total

"""Removes what has ended and is old: by `trainworks twin prune`, and in the background if an age is set.

    <home>/retention.json     {"older_than_seconds": 604800.0}

Each kind of thing says which of its things ended before a given time, and forgets them: first the files, then the rows,
so that a kill in between leaves something to find again, and never a file that nobody knows. What is live is in no such
answer. Log events are their group's to keep (`PutRetentionPolicy`), objects are the user's.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from trainworks.twin.home import write_private
from trainworks.twin.service import Kept
from trainworks.twin.services.background import Background

_LOG = logging.getLogger(__name__)

YOUNGEST_SECONDS = 60.0
"""What ended within the last minute stays: its last lines may be on their way to Logs."""
_AT_ONCE = 100
_STEP = 10
_PAUSE_SECONDS = 0.5
_PASS_SECONDS = 600.0


@dataclass(slots=True)
class Pruned:
    """What went, or would go: how many of each kind, and the bytes of their files. `more` is left for another call.

    `failed` says about each kind what could not be removed, by name, and why: it is there still.
    """

    counts: dict[str, int]
    freed_bytes: int = 0
    more: bool = False
    failed: dict[str, dict[str, str]] = field(default_factory=dict)


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
        """How old ended things may become; None: any age."""
        try:
            age: float | None = json.loads(self._path.read_text())["older_than_seconds"]
        except FileNotFoundError:
            return None
        return age

    def set_age(self, seconds: float | None) -> None:
        """Keep ended things for this long from now on, or for ever."""
        write_private(self._path, json.dumps({"older_than_seconds": seconds}) + "\n")
        self._background.wake()

    def prune(
        self,
        age_seconds: float,
        *,
        dry_run: bool = False,
        limit: int = _AT_ONCE,
        after: Mapping[str, int] = MappingProxyType({}),
    ) -> Pruned:
        """Forget up to `limit` things of each kind that ended longer ago; in a dry run say how many there are.

        `after` says how many of a kind to leave out, the oldest: what was counted, or could not be removed, before.
        """
        moment = self._clock() - max(age_seconds, YOUNGEST_SECONDS)
        pruned = Pruned({})
        for name, kind in self._kinds.items():
            left_out = after.get(name, 0)
            found = kind.ended_before(moment, left_out, limit)
            pruned.more |= len(found) == limit
            sizes = {each.name: sum(map(size_of, each.folders)) for each in found}
            failed = {} if dry_run or not found else _forget(kind, list(sizes))
            if not dry_run and found:
                there = {each.name for each in kind.ended_before(moment, left_out, limit)}
                failed |= {each: "it is there still" for each in sizes if each in there and each not in failed}
            pruned.counts[name] = len(found) - len(failed)
            pruned.freed_bytes += sum(size for each, size in sizes.items() if each not in failed)
            if failed:
                pruned.failed[name] = failed
        return pruned

    def _pass(self) -> float | None:
        age = self.age_seconds
        if age is None:
            return None
        left = Counter[str]()
        while (pruned := self.prune(age, limit=_STEP, after=left)).more:
            left.update({name: len(failed) for name, failed in pruned.failed.items()})
            if self._background.pause(_PAUSE_SECONDS):
                return None
        return _PASS_SECONDS


def _forget(kind: Kept, names: Sequence[str]) -> dict[str, str]:
    """Forget each by itself; those that could not be, and why."""
    failed: dict[str, str] = {}
    for name in names:
        try:
            kind.forget([name])
        except Exception as error:  # noqa: BLE001 - recorded with its traceback, and told to who asked
            _LOG.exception("%s has ended and could not be removed", name)
            failed[name] = str(error) or type(error).__name__
    return failed


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

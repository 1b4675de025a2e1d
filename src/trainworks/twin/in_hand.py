"""What was being worked on when the server died, so that no input can keep the server from starting.

    with in_hand.hold(task_id) as may:       False: the server died three times while it worked on this; skip it
        ...

A file says what is being worked on, from before the work until after it; it outlives the process, however that ends,
and is counted at the next start. There are as many files as there were ever items worked on at a time, and each is
written again and again, which costs less than making one. What went well once is forgotten, so if the server is killed
for other reasons, only items that were being worked on at every one of those deaths are skipped.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainworks.twin.home import write_private

MOST_DEATHS = 3
MOST_DEATHS_OF_A_STEP = 10
"""For a job's step: it may move data for minutes, and so be in progress when the server is killed for other reasons."""
_COUNTS = "counts.json"

_LOG = logging.getLogger(__name__)


class InHand:
    """The items of one kind of work that are being worked on.

    `folder` is its own; `most_deaths` are allowed to each item.
    """

    def __init__(self, folder: Path | None, most_deaths: int = MOST_DEATHS) -> None:
        self._folder = folder
        self.most_deaths = most_deaths
        self._lock = threading.Lock()
        self._deaths: dict[str, int] = {}
        self._files = 0
        self._free: list[int] = []
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._count(folder)

    @classmethod
    def of_nothing(cls) -> InHand:
        """Keeps no account: for tests, and for parts that are built and never started."""
        return cls(None)

    @contextmanager
    def hold(self, item: str) -> Iterator[bool]:
        """Work on the item; False if it has to be skipped."""
        if self._deaths.get(item, 0) >= self.most_deaths:
            yield False
            return
        if self._folder is None:
            yield True
            return
        file = self._take(self._folder)
        try:
            os.pwrite(file, item.encode(), 0)
            yield True
        finally:
            os.ftruncate(file, 0)
            self._free.append(file)
        if item in self._deaths:
            with self._lock:
                self._deaths.pop(item, None)
                self._save(self._folder)

    def _take(self, folder: Path) -> int:
        """An empty file that nobody writes to."""
        with self._lock:
            if self._free:
                return self._free.pop()
            self._files += 1
            return os.open(folder / str(self._files), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def _count(self, folder: Path) -> None:
        """Count the deaths of the run before."""
        counts = folder / _COUNTS
        self._deaths = json.loads(counts.read_text()) if counts.exists() else {}
        files = [file for file in folder.iterdir() if file.name != _COUNTS and not file.name.startswith(".")]
        held = {item for file in files if (item := file.read_text())}
        for item in held:
            self._deaths[item] = self._deaths.get(item, 0) + 1
            if self._deaths[item] >= self.most_deaths:
                _LOG.error(
                    "%s was being worked on at the last %s crashes of the server; it is skipped", item, self.most_deaths
                )
        if held:
            self._save(folder)
        for file in files:
            file.unlink()

    def _save(self, folder: Path) -> None:
        write_private(folder / _COUNTS, json.dumps(self._deaths))

"""The agent's record of what happened to its tasks: one JSON object a line, appended and synced in groups.

The agent writes; the server reads the file itself, from the offset that it committed together with the last states.
So there is one way to learn of an event, whether the agent is alive, unreachable or dead, and no event is seen twice.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainworks.twin.compute.channel import encode

Entry = dict[str, Any]
_RETRY_SECONDS = 0.5


class JournalWriter:
    """Append-only; what `append` returned for is on disk."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.size = os.fstat(self._fd).st_size

    def append(self, entries: Sequence[Entry]) -> int:
        """Write and sync `entries` as one group; returns the journal's size. Waits while the disk is full, for an
        exit status that is not on disk must not be lost."""
        data, size = encode(entries), self.size
        while data:
            try:
                written = os.write(self._fd, data)
            except OSError:
                time.sleep(_RETRY_SECONDS)
                continue
            data = data[written:]
            size += written
        os.fdatasync(self._fd)
        self.size = size  # not sooner: another thread tells it to the server while this one writes
        return size


class JournalReader:
    """Reads the entries after an offset; an unfinished last line waits for its end."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self.offset = offset

    def read(self) -> tuple[list[Entry], int]:
        """The entries after `offset` and the offset after them. Advance `offset` yourself, once they are committed."""
        try:
            with self._path.open("rb") as file:
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return [], self.offset
        end = data.rfind(b"\n") + 1
        return [json.loads(line) for line in data[:end].splitlines()], self.offset + end

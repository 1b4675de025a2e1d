"""Which tasks an instance has begun: a line for each, written before its process is started.

The journal has the same a little later, because it is synced to disk. If an agent is killed in between, this file says
whether a task that the journal does not have had begun. The agent locks it before it forks for the first time, so it
stays locked until the last process that could start a task has ended.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Sequence
from pathlib import Path

_ENDS_WITHIN_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.001


class BegunWriter:
    """The agent's end. Forked processes share it and its lock; programs that they execute do not."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def add(self, task_id: str) -> None:
        """Note that this task's process will be started now. Raises `OSError` on a full disk."""
        os.write(self._fd, f"{task_id}\n".encode())


def prepare(path: Path) -> None:
    """Create the empty file of an instance that is launched; without a file it is not known which tasks began."""
    path.touch(mode=0o600)


def never_begun(path: Path, task_ids: Sequence[str], *, agent_lives: bool) -> list[str]:
    """The tasks that an instance did not begin and will not begin any more; empty if that cannot be known.

    If its agent has ended, this waits for the end of all the agent's processes.
    """
    try:
        with path.open("rb") as file:
            if not agent_lives and not _is_left(file.fileno()):
                return []
            begun = set(file.read().decode().split("\n"))
    except FileNotFoundError:
        return []
    return [task_id for task_id in task_ids if task_id not in begun]


def _is_left(fd: int) -> bool:
    deadline = time.monotonic() + _ENDS_WITHIN_SECONDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_AGAIN_SECONDS)
        else:
            return True

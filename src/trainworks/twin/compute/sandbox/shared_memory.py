"""What processes of a task share in memory, and may leave behind: `/dev/shm`, System V objects, POSIX message queues.

All of it is the slot's own: an IPC namespace and a tmpfs. `/dev/shm` holds as much as the task's container was given;
by default at most half of the task's memory, as Linux gives a machine half of its own. What lies in it counts as the
task's memory. `/dev/shm` is emptied between two tasks. A slot whose task left any other object is not used again, and
the objects go with its namespace.
"""

from __future__ import annotations

import os

from trainworks.twin.compute.sandbox import linux
from trainworks.twin.compute.sandbox.copies import empty_folder

MACHINE_BYTES = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
"""No file system in memory is larger: sizes beyond 64 bits would come out of the kernel as none."""


class SharedMemory:
    """`folder` and `queues` are the open roots of the slot's `/dev/shm` and `/dev/mqueue`; -1 if there is none."""

    def __init__(self, folder: int, queues: int) -> None:
        self._folder = folder
        self._queues = queues
        self._limit = 0

    def limit(self, memory_bytes: int, shared_bytes: int | None = None) -> None:
        """Size `/dev/shm` for a task that may use `memory_bytes`, 0 for as much as the machine has.

        It is never unlimited (0): a tmpfs that once was so cannot be limited again, for no task of the slot.
        """
        limit = min(memory_bytes or MACHINE_BYTES, MACHINE_BYTES) // 2 if shared_bytes is None else shared_bytes
        limit = max(1, min(limit, MACHINE_BYTES))
        if limit != self._limit:
            linux.resize_tmpfs(self._folder, limit)
            self._limit = limit

    def used_bytes(self) -> int:
        found = os.fstatvfs(self._folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize + linux.system_v_use()[1]

    def clear(self) -> bool:
        """Whether nothing is left for the next task."""
        objects, _ = linux.system_v_use()
        return not objects and not self._queue_names() and empty_folder(self._folder)

    def _queue_names(self) -> list[str]:
        return os.listdir(self._queues) if self._queues >= 0 else []  # noqa: PTH208 - a descriptor

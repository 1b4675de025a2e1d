"""Monitors a running task: memory, number of processes, size of its log, and what it uses.

Memory is watched, not fenced: between two looks a task can overshoot. Where the machine runs out first, its kernel ends
a process, and the monitor tells that from other deaths by SIGKILL.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from trainworks.twin.compute.agent.processes import (
    Processes,
    cpu_seconds,
    machine_oom_kills,
    proportional_bytes,
    resident_bytes,
)
from trainworks.twin.compute.agent.task import Task

LOG_LIMIT_BYTES = 1 << 30
MOST_PROCESSES = 4096
_SAMPLE_SECONDS = 1.0


class TaskMonitor:
    """`shared_bytes` says what lies in shared memory. `over_limit` is "" or the reason to end the task.

    `log_fd` is the task's log; a log longer than `log_limit_bytes` is cut back, which never blocks the task."""

    def __init__(
        self,
        task: Task,
        processes: Processes,
        instance_memory_bytes: int,
        log_fd: int,
        *,
        shared_bytes: Callable[[], int],
        log_limit_bytes: int = LOG_LIMIT_BYTES,
    ) -> None:
        self._task = task
        self._processes = processes
        self._instance_memory_bytes = instance_memory_bytes
        self._oom_kills: int | None = None
        self._log_fd = log_fd
        self._shared_bytes = shared_bytes
        self._log_limit_bytes = log_limit_bytes
        self._log_is_cut = False
        self._last = (time.monotonic(), 0.0)
        self._next_sample = 0.0
        self.over_limit = ""

    def tick(self) -> dict[str, Any] | None:
        """Look once; a usage sample when one is due."""
        self._limit_log()
        if self._oom_kills is None:  # not at the start: a short task is over before this is read
            self._oom_kills = machine_oom_kills()
        pids = self._processes.pids()
        resident = resident_bytes(pids)
        self.over_limit = self._limit_passed(pids, resident)
        now = time.monotonic()
        if now < self._next_sample:
            return None
        self._next_sample = now + _SAMPLE_SECONDS
        return self._sample(pids, resident, now)

    def _limit_passed(self, pids: list[int], resident: int) -> str:
        """The number first: the memory of processes that fork without end is locked nearly always, and slow to read."""
        if len(pids) > MOST_PROCESSES:
            return f"too many processes: more than {MOST_PROCESSES}"
        shared = self._shared_bytes()
        limit = self._task.memory_bytes
        if 0 < limit < resident + shared and proportional_bytes(pids, shared) > limit:
            return "out of memory"
        return ""

    def _limit_log(self) -> None:
        """The writers append, so what comes after a cut lands behind it, until the next look cuts that too."""
        if os.fstat(self._log_fd).st_size <= self._log_limit_bytes:
            return
        os.ftruncate(self._log_fd, self._log_limit_bytes)
        if not self._log_is_cut:
            self._log_is_cut = True
            notice = f"\n[the log reached its limit of {self._log_limit_bytes >> 20} MiB; what follows is dropped]\n"
            self._log_limit_bytes += os.write(self._log_fd, notice.encode())

    def machine_ran_out_of_memory(self) -> bool:
        return self._oom_kills is not None and machine_oom_kills() > self._oom_kills

    def _sample(self, pids: list[int], resident: int, now: float) -> dict[str, Any]:
        used = cpu_seconds(pids)
        before, used_before = self._last
        self._last = (now, used)
        memory = self._instance_memory_bytes or 1
        return {
            "at": time.time(),
            "cpu": 100 * max(0.0, used - used_before) / max(now - before, 0.01),
            "memory": 100 * resident / memory,
            "disk": _disk_percent(self._task),
        }


def _disk_percent(task: Task) -> float:
    for path in ("/opt/ml", task.ml_root, "/"):
        if path is not None and os.path.isdir(path):  # noqa: PTH112
            found = os.statvfs(path)
            return 100 * (1 - found.f_bavail / found.f_blocks) if found.f_blocks else 0.0
    return 0.0

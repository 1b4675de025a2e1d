"""Processes named so that a reused pid is not mistaken for them: pid and start time together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import psutil


def start_time(pid: int) -> float | None:
    """When the process with this pid was started, in seconds since the epoch, or None when there is none."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.NoSuchProcess:
        return None


def is_same(pid: int, started_at: float) -> bool:
    """Whether the process that was started then with this pid is still running."""
    found = start_time(pid)
    return found is not None and abs(found - started_at) < 0.5


def running_processes(pids: Sequence[int]) -> list[psutil.Process]:
    """Handles of processes that are running now; a handle never means a later process with the same pid."""
    handles = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            handles.append(psutil.Process(pid))
    return handles


def end_processes(processes: Sequence[psutil.Process], timeout_seconds: float = 5.0) -> None:
    """End processes at once and wait until they are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=timeout_seconds)

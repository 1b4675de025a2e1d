"""Processes named so that a reused pid is not mistaken for them: pid and start time together."""

from __future__ import annotations

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

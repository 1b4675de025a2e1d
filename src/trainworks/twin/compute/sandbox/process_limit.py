"""How many processes and threads a task may have: a fork bomb ends with its own task.

Linux 6.14 or newer, as root     `kernel.pid_max` of the slot's own PID namespace
ordinary user                    RLIMIT_NPROC inside the instance's user namespace: for its tasks together
root on an older kernel          nothing fences it; the task's monitor looks twenty times a second and ends it
"""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path

MOST_PROCESSES_AND_THREADS = 8192
_PID_MAX = Path("/proc/sys/kernel/pid_max")
_OWN_PID_MAX_SINCE = (6, 14)


def limit_instance() -> None:
    """Inside a user namespace the limit counts its own processes alone. The machine's root is exempt in here too."""
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    limit = MOST_PROCESSES_AND_THREADS if hard == resource.RLIM_INFINITY else min(hard, MOST_PROCESSES_AND_THREADS)
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))


def limit_slot() -> None:
    """For root in a PID namespace of its own, as PID 1. On an older kernel the file would be the whole machine's."""
    if os.geteuid() == 0 and namespaces_have_pid_max():
        _PID_MAX.write_text(str(MOST_PROCESSES_AND_THREADS))


def fence() -> str:
    """What limits the tasks of this user on this kernel: `pid namespace`, `user` or, for old kernels' root, ``."""
    if os.geteuid() != 0:
        return "user"
    return "pid namespace" if namespaces_have_pid_max() else ""


def namespaces_have_pid_max(release: str | None = None) -> bool:
    match = re.match(r"(\d+)\.(\d+)", os.uname().release if release is None else release)
    return match is not None and (int(match[1]), int(match[2])) >= _OWN_PID_MAX_SINCE

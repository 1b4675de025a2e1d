"""Starting a task's main process with limits of its own (`ulimits`), which hold from its first instruction on.

`posix_spawn` sets no limits and the slot may not set its own, since an ordinary user cannot raise them again. So this
forks, which costs a copy of the slot: only a task that has such limits pays that.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Sequence
from typing import NoReturn

from trainworks.twin.compute.sandbox.task_view import Command

# RLIMIT_LOCKS and RLIMIT_RTTIME have no name everywhere; the numbers are those of Linux.
RESOURCES = {
    "core": resource.RLIMIT_CORE, "cpu": resource.RLIMIT_CPU, "data": resource.RLIMIT_DATA,
    "fsize": resource.RLIMIT_FSIZE, "locks": 10, "memlock": resource.RLIMIT_MEMLOCK, "msgqueue": 12, "nice": 13,
    "nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC, "rss": resource.RLIMIT_RSS, "rtprio": 14,
    "rttime": 15, "sigpending": 11, "stack": resource.RLIMIT_STACK,
}  # fmt: skip
Ulimits = Sequence[tuple[str, int, int]]


def spawn_limited(command: Command, ulimits: Ulimits, default_signals: Sequence[signal.Signals]) -> int:
    """The PID of the process. Raises `OSError` when it cannot be executed."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _become(command, ulimits, default_signals, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        failure = pipe.read()
    if not failure:
        return pid
    os.waitpid(pid, 0)
    number = int(failure)
    raise OSError(number, os.strerror(number), command.argv[0])


def _become(command: Command, ulimits: Ulimits, default_signals: Sequence[signal.Signals], writing: int) -> NoReturn:
    """In the child, which never returns. Only `execve` closes `writing` without a word."""
    try:
        os.setsid()
        for number in default_signals:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(command.log_fd, 1)
        os.dup2(command.log_fd, 2)
        for notice in limit(ulimits):
            os.write(2, notice.encode())
        os.execve(command.argv[0], command.argv, command.env)  # noqa: S606 - no shell, as is meant
    except OSError as error:
        os.write(writing, str(error.errno).encode())
    finally:
        os._exit(126)


def limit(ulimits: Ulimits) -> list[str]:
    """Limit this process; what this machine does not allow is cut to what it does, and told in a line of the log."""
    notices = []
    for name, soft, hard in ulimits:
        _, most = resource.getrlimit(RESOURCES[name])
        try:
            resource.setrlimit(RESOURCES[name], (soft, hard))
        except (ValueError, OSError, OverflowError):  # over the hard limit of who runs the twin
            resource.setrlimit(RESOURCES[name], (_least(soft, most), most))
            notices.append(f"[the ulimit {name} of {_said(hard)} is more than this machine allows: {_said(most)}]\n")
    return notices


def _least(wanted: int, most: int) -> int:
    if resource.RLIM_INFINITY in (wanted, most):
        return most if wanted == resource.RLIM_INFINITY else wanted
    return min(wanted, most)


def _said(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else str(value)

"""What the processes of a task use and how they are ended, read from `/proc`."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_LONGEST_LOOK_SECONDS = 0.5
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class NamespaceProcesses:
    """The processes of a task whose slot is PID 1 of their namespace: all in `/proc` but the slot."""

    def pids(self) -> list[int]:
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]  # noqa: PTH208

    def kill(self) -> None:
        """End them all, exactly: a signal to -1 from PID 1 reaches every other process of the namespace."""
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)


class DescendantProcesses:
    """The descendants of this process, which adopts orphans. What hides by racing `/proc` can escape `kill`."""

    def pids(self) -> list[int]:
        found: list[int] = []
        waiting = [os.getpid()]
        while waiting:
            children = _children(waiting.pop())
            found += children
            waiting += children
        return found

    def kill(self) -> None:
        deadline = time.monotonic() + 5
        while (pids := self._alive()) and time.monotonic() < deadline:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            reap_orphans()
            time.sleep(0.001)

    def _alive(self) -> list[int]:
        reap_orphans()
        return self.pids()


Processes = NamespaceProcesses | DescendantProcesses


def reap_orphans() -> None:
    """Collect every child that has ended; the caller has taken the exit status it needs."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def reap_orphans_beside(pid: int) -> None:
    """Collect children that have ended, as an init process does, but not `pid`, whose exit status is still to come."""
    with suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and ended.si_pid != pid:
            os.waitpid(ended.si_pid, 0)


def resident_bytes(pids: list[int]) -> int:
    """Sum of resident pages; pages shared after a fork count once for each process."""
    total = 0
    for pid in pids:
        with suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    return total * _PAGE_BYTES


def proportional_bytes(pids: list[int], shared_bytes: int) -> int:
    """Sum of proportional set sizes: shared pages count once. Slow, so asked only when `resident_bytes` is too much.

    `shared_bytes` lie in shared memory, mapped or not: what of them is mapped counts once. A process that forks or maps
    without end has its memory locked most of the time; after half a second the rest counts as the others
    do on average.
    """
    total, mapped, measured = 0, 0, 0
    deadline = time.monotonic() + _LONGEST_LOOK_SECONDS
    for measured, pid in enumerate(pids, 1):  # noqa: B007 - read below
        if time.monotonic() > deadline:
            break
        with suppress(OSError, ValueError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines()
            kib = {line.split()[0]: int(line.split()[1]) for line in lines if line.startswith(b"Pss")}
            total += (kib[b"Pss:"] << 10) if b"Pss:" in kib else resident_bytes([pid])
            mapped += kib.get(b"Pss_Shmem:", 0) << 10
    return total * len(pids) // max(measured, 1) + max(0, shared_bytes - mapped)


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of the processes and of their children that have ended."""
    ticks = 0
    for pid in pids:
        with suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS_PER_SECOND


def machine_oom_kills() -> int:
    """How many processes the machine's own OOM killer has ended since boot."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_bytes().splitlines():
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
    return 0


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with suppress(OSError):
                children += [int(child) for child in Path(f"/proc/{pid}/task/{task}/children").read_bytes().split()]
    return children

"""A hostile job tries to get out, as root with and without a user namespace, and as an ordinary user."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.functional.compute.users import Run

_REFUSED = {
    "EPERM": (
        "unshare user", "unshare mount", "unshare with a guessed key", "setns", "clone user", "clone cgroup",
        "mount cgroup2", "remount", "umount", "fsopen cgroup2", "open_tree", "mount_setattr", "pivot_root", "add_key",
        "keyctl", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "open_by_handle_at", "init_module",
        "kexec_load", "reboot", "sethostname", "personality", "vsock", "ptrace the slot", "make a disk",
    ),
    "ENOSYS": ("clone3", "unknown call", "x32 call"),
    "EROFS": ("pid_max",),
    "EACCES": ("read the slot's memory",),
    "done": ("threads", "fork", "trace a child", "memfd"),
}  # fmt: skip


def test_every_known_way_out_is_refused(run: Run) -> None:
    (end,) = run(Path(__file__).with_name("hostile.py"))
    assert end["code"] == 0, end["log"]
    answers = json.loads(end["log"])
    assert answers.pop("write to a cgroup") in ([], ["EROFS"], ["EACCES"], ["EACCES", "EROFS"])
    assert answers.pop("no_new_privs") == "1"
    assert answers.pop("seccomp") == "2"
    docker = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
    assert set(answers.pop("capabilities")) <= docker
    assert answers == {attempt: answer for answer, attempts in _REFUSED.items() for attempt in attempts}


_LEAVES_SHARED_MEMORY = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
segment = libc.shmget(4711, 4096, 0o1666)
ctypes.memmove(libc.shmat(segment, None, 0), b"secret", 6)
assert libc.semget(4711, 1, 0o1666) >= 0 and libc.msgget(4711, 0o1666) >= 0
queue = ctypes.CDLL("librt.so.1").mq_open(b"/left", os.O_CREAT | os.O_RDWR, 0o666, None)
open("/dev/shm/left", "w").write("secret")
print(segment >= 0, queue >= 0)
"""
_LOOKS_FOR_IT = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.shmget(4711, 4096, 0), libc.semget(4711, 1, 0), libc.msgget(4711, 0), os.listdir("/dev/shm"),
      os.listdir("/dev/mqueue"))
"""
_FILLS_SHARED_MEMORY = """
import os
size = os.statvfs("/dev/shm")
print(size.f_blocks * size.f_frsize >> 20, flush=True)
written = 0
with open("/dev/shm/file", "wb", buffering=0) as file:
    try:
        while written < 1 << 40:
            written += file.write(b"x" * (1 << 20))
    except OSError as error:
        print(error.strerror, written >> 20, flush=True)
ballast = bytearray(os.urandom(1 << 20)) * 160
import time
time.sleep(60)
"""
# Its children sleep: as many processes as there may be, and not all of them busy, which would stop the machine's tests.
_FORK_BOMB = """
import os, time
while True:
    try:
        if os.fork() == 0:
            time.sleep(600)
            os._exit(0)
    except OSError:
        time.sleep(1)
"""


def test_nothing_in_shared_memory_reaches_the_next_task(run: Run) -> None:
    first, second = run(_LEAVES_SHARED_MEMORY, _LOOKS_FOR_IT)
    assert first["log"].split() == ["True", "True"], first
    assert first["instance"] == second["instance"]
    assert second["log"].strip() == "-1 -1 -1 [] []"


def test_shared_memory_is_bounded_and_counts_as_the_tasks_memory(run: Run) -> None:
    """Half of the 256 MiB may lie in /dev/shm; that and 160 MiB of a process are more than the task may have."""
    (end,) = run(_FILLS_SHARED_MEMORY)
    assert end["log"].splitlines() == ["128", "No space left on device 128"]
    assert (end["code"], end["reason"]) == (128 + 9, "out of memory")


@pytest.mark.parametrize("run", ["root", "an ordinary user"], indirect=True)
def test_a_fork_bomb_ends_with_its_own_task(run: Run) -> None:
    bomb, after = run(_FORK_BOMB, "print('still here')")
    assert bomb["code"] == 128 + 9, bomb
    assert bomb["reason"].startswith(("too many processes", "out of memory"))
    assert after["log"].strip() == "still here"

"""A hostile job: it tries every way out that is known to it, and prints what each attempt was answered, as JSON.

It runs inside a task by itself, so it imports nothing of the project. "done" is an attempt that was not refused.
"""

import ctypes
import errno
import json
import os
import platform
import sys
import threading
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
COLUMN = 0 if platform.machine() == "x86_64" else 1
NEW_USER, NEW_NS = 0x10000000, 0x00020000


def call(x86_64, aarch64, *arguments):
    """The name of the errno, or `done`. A child makes the call: some would end the process that makes them."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        ctypes.set_errno(0)
        values = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
        result = libc.syscall(ctypes.c_long((x86_64, aarch64)[COLUMN]), *values)
        os.write(writing, b"done" if result >= 0 else errno.errorcode[ctypes.get_errno()].encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read().decode()
    os.waitpid(child, 0)
    return answer


def attempt(action):
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


buffer = ctypes.create_string_buffer(4096)
answers = {
    "unshare user": call(272, 97, NEW_USER),
    "unshare mount": call(272, 97, NEW_NS),
    "unshare with a guessed key": call(272, 97, NEW_USER, 0, 0, 0, 0, 12345),
    "setns": call(308, 268, os.open("/proc/self/ns/mnt", os.O_RDONLY), 0),
    "clone user": call(56, 220, NEW_USER | 17, 0, 0, 0, 0),
    "clone cgroup": call(56, 220, 0x02000000 | 17, 0, 0, 0, 0),
    "clone3": call(435, 435, buffer, 88),
    "mount cgroup2": call(165, 40, b"none", b"/tmp", b"cgroup2", 0, None),
    "remount": call(165, 40, None, b"/", None, 0x20, None),
    "umount": call(166, 39, b"/proc", 2),
    "fsopen cgroup2": call(430, 430, b"cgroup2", 0),
    "open_tree": call(428, 428, -100, b"/", 1),
    "mount_setattr": call(442, 442, -100, b"/", 0, buffer, 32),
    "pivot_root": call(155, 41, b"/tmp", b"/tmp"),
    "add_key": call(248, 217, b"user", b"mine", b"secret", 6, -3),
    "keyctl": call(250, 219, 0, -3, 1),
    "bpf": call(321, 280, 0, buffer, 72),
    "perf_event_open": call(298, 241, buffer, 0, -1, -1, 0),
    "userfaultfd": call(323, 282, 1),
    "io_uring_setup": call(425, 425, 8, buffer),
    "open_by_handle_at": call(304, 265, -100, buffer, 0),
    "init_module": call(175, 105, buffer, 8, b""),
    "kexec_load": call(246, 104, 0, 0, None, 0),
    "reboot": call(169, 142, 0, 0, 0, None),
    "sethostname": call(170, 161, b"other", 5),
    "personality": call(135, 92, 0x0040000),
    "vsock": call(41, 198, 40, 1, 0),
    "unknown call": call(600, 600),
    "x32 call": call(0x40000000 + 39, 600),
    "pid_max": attempt(lambda: Path("/proc/sys/kernel/pid_max").write_text("100000")),
    "ptrace the slot": call(101, 117, 0x4206, 1, 0, 0),
    "read the slot's memory": attempt(lambda: os.open("/proc/1/mem", os.O_RDONLY)),
    "make a disk": attempt(lambda: os.mknod("/tmp/disk", 0o600 | 0o060000, os.makedev(254, 0))),
    # What a container may do goes on working.
    "threads": attempt(lambda: threading.Thread(target=int).start()),
    "fork": attempt(lambda: os._exit(0) if os.fork() == 0 else os.wait()),
    "trace a child": call(101, 117, 0, 0, 0, 0),
    "memfd": attempt(lambda: os.memfd_create("file")),
}
cgroup_files = []
for folder, _, names in os.walk("/sys/fs/cgroup"):
    for name in names:
        if name in ("cgroup.kill", "cgroup.procs", "pids.max", "tasks"):
            cgroup_files.append(Path(folder, name))
answers["write to a cgroup"] = sorted({attempt(lambda path=path: os.open(path, os.O_WRONLY)) for path in cgroup_files})
status = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
answers["no_new_privs"], answers["seccomp"] = status["NoNewPrivs"], status["Seccomp"]
answers["capabilities"] = sorted(each for each in range(64) if int(status["CapBnd"], 16) >> each & 1)
sys.stdout.write(json.dumps(answers))

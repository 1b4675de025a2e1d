"""The system calls that Python 3.11 has no name for. Each raises `OSError` with the errno of the call."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterable, Mapping

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC = 0x2, 0x4, 0x8, 0x4000
MS_PRIVATE, MS_SLAVE = 1 << 18, 1 << 19

MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 0x1, 0x2, 0x4, 0x8

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER = 1, 4, 24, 36
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4

# New system calls have the same number on every architecture.
_SYS_OPEN_TREE, _SYS_MOVE_MOUNT, _SYS_FSOPEN = 428, 429, 430
_SYS_FSCONFIG, _SYS_FSMOUNT, _SYS_FSPICK, _SYS_MOUNT_SETATTR = 431, 432, 433, 442
_SYS_UNSHARE, _SYS_SETNS, _SYS_SETHOSTNAME = (97, 268, 161) if platform.machine() == "aarch64" else (272, 308, 170)
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_EMPTY_PATH = 0x4, 0x40
_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CMD_CREATE, _FSCONFIG_CMD_RECONFIGURE = 0, 1, 6, 7
_FSOPEN_CLOEXEC = _FSMOUNT_CLOEXEC = 1
_FSPICK_EMPTY_PATH = 8
_SHM_INFO, _SEM_INFO, _MSG_INFO = 14, 19, 12

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_key = 0


def _check(result: int, what: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def _syscall(number: int, what: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """At most five arguments: the sixth, which none of these calls has, is the key of this process's filter."""
    padded = (*arguments, 0, 0, 0, 0, 0)[:5]
    converted = [ctypes.c_long(value) if isinstance(value, int) else value for value in (*padded, _key)]
    return _check(_libc.syscall(ctypes.c_long(number), *converted), what)


def use_key(key: int) -> None:
    """Pass `key` with every call from now on; see `seccomp`."""
    global _key  # noqa: PLW0603 - as the filter, it belongs to the process
    _key = key


def load_seccomp(number: int, operation: int, flags: int, program: bytes) -> None:
    """`seccomp(2)`, whose number the caller knows; `program` is a `struct sock_fprog`."""
    _syscall(number, "seccomp", operation, flags, program)


def unshare(flags: int) -> None:
    _syscall(_SYS_UNSHARE, "unshare", flags)


def setns(fd: int, kind: int) -> None:
    _syscall(_SYS_SETNS, "setns", fd, kind)


def set_host_name(name: str) -> None:
    """Set this UTS namespace's host name (64 bytes at most)."""
    encoded = name.encode()[:64]
    _syscall(_SYS_SETHOSTNAME, "sethostname", encoded, len(encoded))


def mount(source: str, target: str, fstype: str, flags: int) -> None:
    result = _libc.mount(source.encode(), target.encode(), fstype.encode() or None, ctypes.c_ulong(flags), None)
    _check(result, f"mount {target}")


def die_with_parent(signal_number: int) -> None:
    """The kernel sends `signal_number` when the *thread* that forked this process ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "PR_SET_PDEATHSIG")


def forbid_ptrace() -> None:
    """No process of the same uid may trace this process or read its memory."""
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "PR_SET_DUMPABLE")


def adopt_orphans() -> None:
    """Descendants whose parent ends become children of this process, not of the machine's init."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "PR_SET_CHILD_SUBREAPER")


def forbid_new_privileges() -> None:
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")


def keep_only_capabilities(kept: Iterable[int]) -> None:
    """Whatever this process executes can hold at most `kept`; the process itself keeps what it has."""
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    allowed = set(kept)
    for capability in range(64):
        if capability not in allowed and _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            error = ctypes.get_errno()
            if error == 22:  # EINVAL: past the last capability that this kernel knows
                return
            raise OSError(error, f"PR_CAPBSET_DROP: {os.strerror(error)}")


def open_tree(path: str, *, recursive: bool = True) -> int:
    """A detached copy of the mount at `path`, to be put in place by `move_mount`, in another mount namespace too."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    return _syscall(_SYS_OPEN_TREE, f"open_tree {path}", _AT_FDCWD, os.fsencode(path), flags)


def move_mount(tree: int, target: str) -> None:
    """Attach a detached mount at `target`; closes `tree`."""
    try:
        _syscall(
            _SYS_MOVE_MOUNT, f"mount at {target}", tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH
        )
    finally:
        os.close(tree)


def move_mount_onto(tree: int, place: int) -> None:
    """Attach a detached mount at an open place; both stay open."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
    _syscall(_SYS_MOVE_MOUNT, "mount", tree, b"", place, b"", flags)


def restrict_all_mounts() -> None:
    """Make every mount of this namespace read-only and its setuid bits without effect."""
    attributes = ctypes.create_string_buffer(struct.pack("QQQQ", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, 0))
    _syscall(_SYS_MOUNT_SETATTR, "mount_setattr /", _AT_FDCWD, b"/", _AT_RECURSIVE, attributes, 32)


def set_read_only(path: str, read_only: bool) -> None:
    """Make the mount at `path` (a mount point), but none below it, read-only or writable."""
    added, cleared = (MOUNT_ATTR_RDONLY, 0) if read_only else (0, MOUNT_ATTR_RDONLY)
    attributes = ctypes.create_string_buffer(struct.pack("QQQQ", added, cleared, 0, 0))
    _syscall(_SYS_MOUNT_SETATTR, f"mount_setattr {path}", _AT_FDCWD, os.fsencode(path), 0, attributes, 32)


def make_read_only(tree: int) -> None:
    """Make a detached mount, with all below it, read-only."""
    buffer = ctypes.create_string_buffer(struct.pack("QQQQ", MOUNT_ATTR_RDONLY, 0, 0, 0))
    _syscall(_SYS_MOUNT_SETATTR, "mount_setattr", tree, b"", _AT_EMPTY_PATH | _AT_RECURSIVE, buffer, 32)


def new_mount(fstype: str, options: Mapping[str, str | None], attributes: int = 0) -> int:
    """A new file system as a detached mount. An option without a value is a flag."""
    context = _syscall(_SYS_FSOPEN, f"fsopen {fstype}", fstype.encode(), _FSOPEN_CLOEXEC)
    try:
        for key, value in options.items():
            command = _FSCONFIG_SET_FLAG if value is None else _FSCONFIG_SET_STRING
            encoded = None if value is None else os.fsencode(value)
            _syscall(_SYS_FSCONFIG, f"{fstype} {key}={value}", context, command, key.encode(), encoded, 0)
        _syscall(_SYS_FSCONFIG, f"create {fstype}", context, _FSCONFIG_CMD_CREATE, None, None, 0)
        return _syscall(_SYS_FSMOUNT, f"fsmount {fstype}", context, _FSMOUNT_CLOEXEC, attributes)
    finally:
        os.close(context)


def resize_tmpfs(root: int, size_bytes: int) -> None:
    """Give the tmpfs whose root folder is open as `root` another limit; fails where it holds more already."""
    context = _syscall(_SYS_FSPICK, "fspick", root, b"", _FSOPEN_CLOEXEC | _FSPICK_EMPTY_PATH)
    try:
        _syscall(_SYS_FSCONFIG, "tmpfs size", context, _FSCONFIG_SET_STRING, b"size", str(size_bytes).encode(), 0)
        _syscall(_SYS_FSCONFIG, "resize tmpfs", context, _FSCONFIG_CMD_RECONFIGURE, None, None, 0)
    finally:
        os.close(context)


def system_v_use() -> tuple[int, int]:
    """(objects, bytes in memory) of System V shared memory, semaphores and message queues in this IPC namespace."""
    buffer = ctypes.create_string_buffer(128)
    _check(_libc.shmctl(0, _SHM_INFO, buffer), "shmctl")
    segments, _, resident_pages = struct.unpack_from("iLL", buffer)
    _check(_libc.semctl(0, 0, _SEM_INFO, buffer), "semctl")
    (semaphores,) = struct.unpack_from("i", buffer, 7 * 4)
    _check(_libc.msgctl(0, _MSG_INFO, buffer), "msgctl")
    (queues,) = struct.unpack_from("i", buffer)
    return segments + semaphores + queues, resident_pages * os.sysconf("SC_PAGE_SIZE")

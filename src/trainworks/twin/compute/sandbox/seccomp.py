"""The system calls that a task may make: those that Docker's default profile allows to an ordinary container.

The profile is written here as its complement: what it refuses, by name, and a ceiling above which every call is
refused, so that a system call that a later kernel adds is refused until somebody has read what it does. A refused call
answers EPERM; `clone3` and what is above the ceiling answer ENOSYS, so that libraries fall back on what they used
before. Programs of another architecture (32 bit, x32) can make no call at all.

The slot itself goes on mounting after its filter is loaded, and what it starts inherits the filter. So some calls are
refused to all who do not pass the slot's *key*, 62 random bits in the sixth argument, which those calls do not have and
the kernel does not look at. A task cannot learn it: its memory is its own from `execve` on, and it may read no other's.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from trainworks.twin.compute.sandbox import linux

_COLUMNS = ("x86_64", "aarch64")
# Numbers on x86_64 and aarch64; None if the architecture does not have the call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89), "add_key": (248, 217), "bpf": (321, 280), "clock_settime": (227, 112),
    "create_module": (174, None), "delete_module": (176, 106), "fanotify_init": (300, 262), "finit_module": (313, 273),
    "get_kernel_syms": (177, None), "get_mempolicy": (239, 236), "init_module": (175, 105),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "io_uring_setup": (425, 425),
    "ioperm": (173, None), "iopl": (172, None), "kcmp": (312, 272), "kexec_file_load": (320, 294),
    "kexec_load": (246, 104), "keyctl": (250, 219), "listmount": (458, 458), "lookup_dcookie": (212, 18),
    "lsm_set_self_attr": (460, 460), "mbind": (237, 235), "migrate_pages": (256, 238), "mount": (165, 40),
    "move_pages": (279, 239), "nfsservctl": (180, 42), "open_by_handle_at": (304, 265), "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438), "pivot_root": (155, 41), "process_madvise": (440, 440), "query_module": (178, None),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "reboot": (169, 142), "request_key": (249, 218),
    "set_mempolicy": (238, 237), "set_mempolicy_home_node": (450, 450), "setdomainname": (171, 162),
    "settimeofday": (164, 170), "statmount": (457, 457), "swapoff": (168, 225), "swapon": (167, 224),
    "sysctl": (156, None), "sysfs": (139, None), "syslog": (103, 116), "umount2": (166, 39), "uselib": (134, None),
    "userfaultfd": (323, 282), "ustat": (136, None), "vhangup": (153, 58),
}  # fmt: skip
_KEYED: dict[str, tuple[int, int]] = {
    "fsconfig": (431, 431), "fsmount": (432, 432), "fsopen": (430, 430), "fspick": (433, 433),
    "mount_setattr": (442, 442), "move_mount": (429, 429), "open_tree": (428, 428), "sethostname": (170, 161),
    "setns": (308, 268), "unshare": (272, 97),
}  # fmt: skip
_CLONE, _CLONE3, _SOCKET, _PERSONALITY = (56, 220), (435, 435), (41, 198), (135, 92)
_SECCOMP = (317, 277)
_CEILING = 467  # removexattrat, the last call of Linux 6.13, is 466
_AUDIT_ARCH = (0xC000003E, 0xC00000B7)

_NAMESPACE_FLAGS = 0x7E020000  # of clone: all namespaces but the one of time, which clone cannot make
_AF_VSOCK = 40
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)

_LOAD, _RETURN = 0x20, 0x06
_JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT = 0x15, 0x35, 0x45
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_SET_MODE_FILTER, _SPEC_ALLOW = 1, 4


@dataclass(frozen=True, slots=True)
class _Instruction:
    """One classic BPF instruction; `then` and `otherwise` are labels, "" the instruction that follows."""

    code: int
    value: int
    then: str = ""
    otherwise: str = ""
    label: str = ""


def load_filter(key: int) -> None:
    """Bind this process, and all that it will ever start, to the filter. Needs `no_new_privs`. Cannot be undone.

    Raises `OSError` if the kernel has no filters or this project does not know the machine's architecture.
    """
    column = _column(platform.machine())
    code = program(platform.machine(), key)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    linux.load_seccomp(_SECCOMP[column], _SET_MODE_FILTER, _SPEC_ALLOW, header)
    linux.use_key(key)


def program(machine: str, key: int) -> bytes:
    """The filter as the kernel takes it: 8 bytes an instruction."""
    column = _column(machine)
    refused = [numbers[column] for numbers in _REFUSED.values()]
    instructions = [
        _Instruction(_LOAD, _ARCHITECTURE),
        _Instruction(_JUMP_EQUAL, _AUDIT_ARCH[column], otherwise="unknown"),
        _Instruction(_LOAD, _NUMBER),
        _Instruction(_JUMP_AT_LEAST, _CEILING, then="unknown"),
        _Instruction(_JUMP_EQUAL, _CLONE3[column], then="unknown"),
        _Instruction(_JUMP_EQUAL, _CLONE[column], then="clone"),
        _Instruction(_JUMP_EQUAL, _SOCKET[column], then="socket"),
        _Instruction(_JUMP_EQUAL, _PERSONALITY[column], then="personality"),
        *(_Instruction(_JUMP_EQUAL, numbers[column], then="keyed") for numbers in _KEYED.values()),
        *(_Instruction(_JUMP_EQUAL, number, then="refuse") for number in refused if number is not None),
        _Instruction(_RETURN, _ALLOW, label="allow"),
        _Instruction(_RETURN, _ERRNO | errno.EPERM, label="refuse"),
        _Instruction(_RETURN, _ERRNO | errno.ENOSYS, label="unknown"),
        _Instruction(_LOAD, _argument(0), label="clone"),
        _Instruction(_JUMP_ANY_BIT, _NAMESPACE_FLAGS, then="refuse2", otherwise="allow2"),
        _Instruction(_LOAD, _argument(0), label="socket"),
        _Instruction(_JUMP_EQUAL, _AF_VSOCK, then="refuse2", otherwise="allow2"),
        _Instruction(_LOAD, _argument(5), label="keyed"),
        _Instruction(_JUMP_EQUAL, key & 0xFFFFFFFF, otherwise="refuse2"),
        _Instruction(_LOAD, _argument(5) + 4),
        _Instruction(_JUMP_EQUAL, key >> 32, then="allow2", otherwise="refuse2"),
        _Instruction(_LOAD, _argument(0), label="personality"),
        *(_Instruction(_JUMP_EQUAL, value, then="allow2") for value in _PERSONALITIES),
        _Instruction(_RETURN, _ERRNO | errno.EPERM, label="refuse2"),
        _Instruction(_RETURN, _ALLOW, label="allow2"),
    ]
    return _assembled(instructions)


def _assembled(instructions: Sequence[_Instruction]) -> bytes:
    places = {each.label: place for place, each in enumerate(instructions) if each.label}

    def distance(label: str, place: int) -> int:
        return places[label] - place - 1 if label else 0

    return b"".join(
        struct.pack("=HBBI", each.code, distance(each.then, place), distance(each.otherwise, place), each.value)
        for place, each in enumerate(instructions)
    )


def _argument(number: int) -> int:
    """Where the low half of an argument lies; both architectures are little-endian."""
    return _ARGUMENTS + 8 * number


def _column(machine: str) -> int:
    if machine not in _COLUMNS:
        raise OSError(errno.ENOSYS, f"the system call filter does not know the architecture {machine}")
    return _COLUMNS.index(machine)

"""Entering namespaces, and finding out whether this machine lets us.

Capabilities end at the user namespace, so a task cannot touch what the twin's own user could not. Root without user
namespaces (they can be switched off) gets the other namespaces all the same.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

from trainworks.twin.compute.sandbox import linux, seccomp
from trainworks.twin.compute.sandbox.process_limit import limit_slot
from trainworks.twin.compute.sandbox.relay import Relay
from trainworks.twin.compute.sandbox.view import View, ViewSpec

_SIOCSIFFLAGS = 0x8914
_INSTANCE = linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC | linux.CLONE_NEWCGROUP
# chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, sys_chroot, setfcap:
# Docker's default set without mknod, net_raw and audit_write.
_KEPT_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31)


class SandboxMode(StrEnum):
    """USER_NAMESPACE: all namespaces. ROOT: all but the user namespace. OFF: sessions and environment paths only."""

    USER_NAMESPACE = "user-namespace"
    ROOT = "root"
    OFF = "off"


def enter_instance(mode: SandboxMode) -> None:
    """Give this process its own user, mount, UTS, IPC and cgroup namespaces, and its children a PID namespace."""
    uid, gid = os.geteuid(), os.getegid()
    linux.unshare(_INSTANCE | (linux.CLONE_NEWUSER if mode is SandboxMode.USER_NAMESPACE else 0))
    if mode is SandboxMode.USER_NAMESPACE:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    linux.mount("", "/", "", linux.MS_REC | linux.MS_SLAVE)


def enter_slot(view: View, *, network: bool, relay: Relay | None = None) -> None:
    """Give this process, PID 1 of a slot, its own view of the file system, and no way to more privileges.

    Without `network` it has `relay` alone, which was started before.
    """
    limit_slot()
    linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC | (0 if network else linux.CLONE_NEWNET))
    if not network:
        _bring_loopback_up()
        if relay is not None:
            relay.open()
    view.build()
    linux.keep_only_capabilities(_KEPT_CAPABILITIES)
    linux.forbid_new_privileges()
    seccomp.load_filter(secrets.randbits(62))


def candidate_modes() -> tuple[SandboxMode, ...]:
    return (SandboxMode.USER_NAMESPACE, SandboxMode.ROOT) if os.geteuid() == 0 else (SandboxMode.USER_NAMESPACE,)


def usable_mode(spec: ViewSpec, modes: Sequence[SandboxMode]) -> tuple[SandboxMode, str]:
    """The first of `modes` in which a forked trial really mounts everything, else OFF and what kept it from that."""
    reasons: list[str] = []
    for mode in modes:
        reason = _run_forked(lambda mode=mode: _trial(mode, spec))  # type: ignore[misc]
        if not reason:
            return mode, ""
        reasons.append(reason)
    return SandboxMode.OFF, "; ".join(dict.fromkeys(reasons))


def _trial(mode: SandboxMode, spec: ViewSpec) -> str:
    enter_instance(mode)
    return _run_forked(lambda: _build_view(spec))


def _build_view(spec: ViewSpec) -> str:
    enter_slot(View(spec), network=True)
    return ""


def _run_forked(action: Callable[[], str]) -> str:
    """Run `action` in a child; what it returns, or the error that it raised. The child never returns from here."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            linux.die_with_parent(signal.SIGKILL)
            answer = action()
        except OSError as error:
            answer = error.strerror or str(error)
        except BaseException as error:  # noqa: BLE001 - a child must not run its parent's code: report and end
            answer = repr(error)
        os.write(writing, answer.encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read().decode()
    _, status = os.waitpid(pid, 0)
    return answer or ("" if status == 0 else f"the trial ended with status {status}")


def _bring_loopback_up() -> None:
    """A new network namespace has nothing but a loopback interface that is down."""
    name, flags = b"lo", 0x1 | 0x40  # IFF_UP, IFF_RUNNING
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", name, flags))


def check_platform() -> str:
    """Why the sandbox cannot work on this operating system at all: "" if it can."""
    return "" if sys.platform == "linux" else f"{sys.platform} has no Linux namespaces"

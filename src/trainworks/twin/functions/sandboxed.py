"""An execution environment from inside: `python -I -S sandboxed.py CONTROL RUNTIME OUTPUT`, three descriptors.

1. read the settings, the first line on CONTROL
2. enter the namespaces of the sandbox and fork: the child is PID 1, so that its end is the end of every process in here
3. show `/var/task` and `/opt` (read-only), `/var/runtime`, a `/tmp` of its own
4. start the runtime with RUNTIME as its descriptor 3 and OUTPUT as its output, and watch over it

CONTROL says `run` and `idle`: between two events every process in here is stopped, as AWS freezes an environment. Its
end is the end of the environment. What ends by itself is reported there: `{"exit": status, "out_of_memory": bool}`.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from trainworks.twin.compute.agent.processes import (
    DescendantProcesses,
    NamespaceProcesses,
    Processes,
    proportional_bytes,
    reap_orphans,
    resident_bytes,
)
from trainworks.twin.compute.sandbox import linux
from trainworks.twin.compute.sandbox.namespaces import SandboxMode, enter_instance, enter_slot
from trainworks.twin.compute.sandbox.shared_memory import SharedMemory
from trainworks.twin.compute.sandbox.view import View, ViewSpec

RUNTIME_FD = 3
_TICK_SECONDS = 0.05
# "Lambda quotas": execution processes and threads, file descriptors.
_MOST_PROCESSES = 1024
_MOST_FILES = 1024
_RESET_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(control_fd: int, runtime_fd: int, output_fd: int) -> None:
    os.umask(0o077)
    # Moved away from the numbers that the runtime gets, and closed in whatever is executed.
    control, runtime, output = (
        fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (control_fd, runtime_fd, output_fd)
    )
    for fd in (control_fd, runtime_fd, output_fd):
        os.close(fd)
    channel = socket.socket(fileno=control)
    settings = json.loads(_first_line(channel))
    mode = SandboxMode(settings["mode"])
    if mode is not SandboxMode.OFF:
        _become_first_process(mode)
    linux.forbid_ptrace()
    processes: Processes = NamespaceProcesses()
    shared_bytes: Callable[[], int] = lambda: 0  # noqa: E731
    try:
        if mode is SandboxMode.OFF:
            linux.adopt_orphans()
            processes = DescendantProcesses()
        else:
            shared_bytes = _enter_view(settings).used_bytes
        _limit(mode)
        pid = _start_runtime(settings, runtime, output)
    except (OSError, ValueError) as error:
        channel.sendall(json.dumps({"broken": str(error)}).encode() + b"\n")
        return
    os.close(runtime)
    os.close(output)
    monitor = MemoryMonitor(processes, int(settings["memory_bytes"]), shared_bytes)
    RuntimeSupervisor(channel, pid, monitor, freezes=mode is not SandboxMode.OFF).run()


def _become_first_process(mode: SandboxMode) -> None:
    enter_instance(mode)
    child = os.fork()
    if child:
        os.closerange(3, 64)
        os.waitpid(child, 0)
        os._exit(0)
    linux.die_with_parent(signal.SIGKILL)


def _enter_view(settings: dict[str, Any]) -> SharedMemory:
    """Enter the view of a task, with AWS's folders. The view hides their sources, so those are opened before."""
    shown = {target: _read_only(source) for target, source in settings["shown"].items()}
    layers = {entry: _read_only(str(entry)) for entry in sorted(Path(settings["layers"]).iterdir())}
    tmp = settings["tmp"]
    options = {"mode": "1777", "size": str(settings["tmp_bytes"])}
    linux.move_mount(linux.new_mount("tmpfs", options, linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV), tmp)
    view = View(ViewSpec(tuple(settings["hidden"]), tuple(settings["visible"]), tmp))
    enter_slot(view, network=True)
    shared_memory = SharedMemory(view.shared_memory, view.message_queues)
    shared_memory.limit(int(settings["memory_bytes"]))
    for parent in sorted({str(Path(target).parent) for target in shown}):
        here = {target: tree for target, tree in shown.items() if str(Path(target).parent) == parent}
        _with_entries(parent, here, keep=tuple(entry.name for entry in Path(parent).iterdir()))
    # As on AWS, `/opt` is the layers; of the machine's own `/opt` only what the interpreter needs stays.
    needed = {Path(path).parts[2] for path in settings["visible"] if path.startswith("/opt/")}
    _with_entries("/opt", {f"/opt/{entry.name}": tree for entry, tree in layers.items()}, keep=tuple(needed))
    return shared_memory


def _read_only(path: str) -> int:
    tree = linux.open_tree(path)
    linux.make_read_only(tree)
    return tree


def _with_entries(folder: str, entries: dict[str, int], keep: tuple[str, ...]) -> None:
    """Replace `folder` by a small file system with `entries`, and with those of `keep` that it had."""
    kept = [Path(folder, name) for name in keep if f"{folder}/{name}" not in entries]
    links = {path: path.readlink() for path in kept if path.is_symlink()}
    held = {str(path): linux.open_tree(str(path)) for path in kept if path not in links and path.exists()}
    linux.move_mount(
        linux.new_mount("tmpfs", {"mode": "0755", "size": "1m"}, linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV),
        folder,
    )
    for target, tree in {**held, **entries}.items():
        if os.path.isdir(f"/proc/self/fd/{tree}"):  # noqa: PTH112 - a descriptor
            Path(target).mkdir()
        else:
            Path(target).touch()
        linux.move_mount(tree, target)
    for link, destination in links.items():
        link.symlink_to(destination)
    linux.set_read_only(folder, True)


def _limit(mode: SandboxMode) -> None:
    if mode is SandboxMode.USER_NAMESPACE:
        resource.setrlimit(resource.RLIMIT_NPROC, (_MOST_PROCESSES, _MOST_PROCESSES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES, _MOST_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _start_runtime(settings: dict[str, Any], runtime: int, output: int) -> int:
    argv = settings["argv"]
    return os.posix_spawn(
        argv[0],
        argv,
        settings["env"],
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
            (os.POSIX_SPAWN_DUP2, runtime, RUNTIME_FD),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=_RESET_SIGNALS,
    )


class MemoryMonitor:
    """The processes of an environment, and whether they are too many or use more memory than the function has."""

    def __init__(self, processes: Processes, memory_bytes: int, shared_bytes: Callable[[], int]) -> None:
        self.processes = processes
        self._memory_bytes = memory_bytes
        self._shared_bytes = shared_bytes

    def passes_limits(self) -> bool:
        pids = self.processes.pids()
        if len(pids) > _MOST_PROCESSES:
            return True
        shared = self._shared_bytes()
        if resident_bytes(pids) + shared <= self._memory_bytes:
            return False
        return proportional_bytes(pids, shared) > self._memory_bytes


class RuntimeSupervisor:
    """Watches over the runtime `pid` until it ends, or until the server closes the environment."""

    def __init__(self, control: socket.socket, pid: int, monitor: MemoryMonitor, *, freezes: bool) -> None:
        self._control = control
        self._pid = pid
        self._monitor = monitor
        self._processes = monitor.processes
        self._freezes = freezes
        self._runs = True
        self._out_of_memory = False

    def run(self) -> None:
        pidfd = os.pidfd_open(self._pid)
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        poller.register(self._control, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poller.poll(_TICK_SECONDS * 1000 if self._runs else None)}
            if pidfd in ready:
                self._report_end()
                return
            if self._control.fileno() in ready and not self._obey():
                self._processes.kill()
                return
            if self._runs and self._monitor.passes_limits():
                self._out_of_memory = True
                self._processes.kill()

    def _obey(self) -> bool:
        """Do what CONTROL says; False if its other end is closed."""
        words = self._control.recv(4096).split()
        for word in words:
            self._runs = word == b"run"
            if self._freezes:
                with suppress(ProcessLookupError):
                    os.kill(-1, signal.SIGCONT if self._runs else signal.SIGSTOP)
        return bool(words)

    def _report_end(self) -> None:
        _, status = os.waitpid(self._pid, 0)
        self._processes.kill()
        reap_orphans()
        ending = {"exit": os.waitstatus_to_exitcode(status), "out_of_memory": self._out_of_memory}
        with suppress(OSError):
            self._control.sendall(json.dumps(ending).encode() + b"\n")


def _first_line(channel: socket.socket) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        part = channel.recv(1 << 16)
        if not part:
            raise SystemExit(1)
        line += part
    return bytes(line)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]))

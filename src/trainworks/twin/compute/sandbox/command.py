"""One command in the sandbox of jobs: `python -I -S command.py`, which reads its settings, one line, from its input.

1. read the settings
2. enter the namespaces and fork: the child is PID 1, so that its end is the end of every process in here
3. show the folders that the command may read and write; everything else in the homes is hidden
4. start the command, and end with it, or when the other end of the input is closed, whoever closed it

The exit code is the command's, or BROKEN, with the reason as the last line, where the sandbox could not be made.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))

from trainworks.twin.compute.agent.processes import (
    DescendantProcesses,
    NamespaceProcesses,
    Processes,
    reap_orphans,
)
from trainworks.twin.compute.sandbox import linux
from trainworks.twin.compute.sandbox.namespaces import SandboxMode, enter_instance, enter_slot
from trainworks.twin.compute.sandbox.view import DetachedMount, View, ViewSpec

BROKEN = 125
_RESET_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_KILLED = 128


def main() -> int:
    settings = json.loads(_first_line(0))
    mode = SandboxMode(settings["mode"])
    try:
        if mode is SandboxMode.OFF:
            linux.adopt_orphans()
            return _run(settings, DescendantProcesses())
        enter_instance(mode)
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        linux.die_with_parent(signal.SIGKILL)
        _enter_view(settings)
        os._exit(_run(settings, NamespaceProcesses()))
    except OSError as error:
        sys.stdout.write(f"the sandbox cannot be made: {error}\n")
        sys.stdout.flush()
        os._exit(BROKEN)


def _enter_view(settings: dict[str, Any]) -> None:
    """The view of a task. What is shown in it lies in folders that it hides: it is taken hold of first."""
    trees = []
    for path in settings["readable"]:
        tree = linux.open_tree(path)
        linux.make_read_only(tree)
        trees.append(DetachedMount(tree, path, Path(path).is_dir()))
    trees += [DetachedMount(linux.open_tree(path), path, True) for path in settings["writable"]]
    view = View(ViewSpec(tuple(settings["hidden"]), tuple(settings["visible"]), settings["tmp"]))
    enter_slot(view, network=True)
    view.attach(trees)


def _run(settings: dict[str, Any], processes: Processes) -> int:
    os.chdir(settings["cwd"])
    argv = settings["argv"]
    pid = os.posix_spawn(
        argv[0],
        argv,
        settings["env"],
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
        setsid=True,
        setsigmask=[],
        setsigdef=_RESET_SIGNALS,
    )
    poller = select.poll()
    pidfd = os.pidfd_open(pid)
    poller.register(pidfd, select.POLLIN)
    poller.register(0, select.POLLIN)
    ended = {fd for fd, _ in poller.poll()}
    if pidfd not in ended:
        processes.kill()
        return _KILLED + signal.SIGKILL
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    processes.kill()
    reap_orphans()
    return _KILLED - code if code < 0 else code


def _first_line(fd: int) -> bytes:
    """Byte by byte: what follows it is never read, only its end is waited for."""
    line = bytearray()
    while not line.endswith(b"\n"):
        part = os.read(fd, 1)
        if not part:
            raise SystemExit(1)
        line += part
    return bytes(line)


if __name__ == "__main__":
    sys.exit(main())

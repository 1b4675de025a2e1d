"""Starting slot processes, and the agent's end of each."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainworks.twin.compute.agent.processes import DescendantProcesses, NamespaceProcesses, Processes
from trainworks.twin.compute.agent.slot import serve
from trainworks.twin.compute.agent.task import Task, TaskDoor
from trainworks.twin.compute.begun import BegunWriter
from trainworks.twin.compute.channel import Channel, ChannelClosed, pair
from trainworks.twin.compute.sandbox import linux
from trainworks.twin.compute.sandbox.door import Door
from trainworks.twin.compute.sandbox.namespaces import SandboxMode, enter_slot
from trainworks.twin.compute.sandbox.relay import Relay
from trainworks.twin.compute.sandbox.task_view import NamespaceView, PlainView, TaskView
from trainworks.twin.compute.sandbox.view import View, ViewSpec

Devices = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Doors:
    """What a slot reaches: the machine's network, or nothing but, with a port, the AWS endpoint; and how it is
    reached."""

    network: bool = True
    endpoint_port: int | None = None
    inwards: TaskDoor | None = None


def doors_of(task: Task) -> Doors:
    """What a task needs its slot to reach."""
    return Doors(task.network, None if task.network else task.endpoint_port, task.door)


class SlotProcess:
    """A slot as the agent sees it; `task` is what it runs now. One with devices is made for one task alone."""

    def __init__(self, pid: int, channel: Channel, doors: Doors, *, devices: Devices = ()) -> None:
        self._pid = pid
        self._channel = channel
        self.doors = doors
        self.devices = devices
        self.task: Task | None = None

    def fileno(self) -> int:
        return self._channel.fileno()

    def receive(self) -> list[dict[str, Any]]:
        return self._channel.receive()

    def run(self, task: Task) -> None:
        self.task = task
        self._send({"run": task.to_wire()})

    def stop(self, grace_seconds: float, reason: str) -> None:
        if self.task is not None:
            self._send({"stop": grace_seconds, "reason": reason})

    def set_memory(self, memory_bytes: int) -> None:
        self._send({"memory": memory_bytes})

    def kill(self) -> None:
        """End the slot and with it, in a PID namespace, every process of its task."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        self._channel.close()

    def _send(self, message: dict[str, Any]) -> None:
        with suppress(ChannelClosed):  # its end is heard, and its task accounted for, in the agent's loop
            self._channel.send(message)


class SlotFactory:
    """Forks slots. `view` gives what their base view depends on, for a slot's own `/tmp`."""

    def __init__(
        self, mode: SandboxMode, folder: Path, hidden: tuple[str, ...], visible: tuple[str, ...], begun: BegunWriter
    ) -> None:
        self._begun = begun
        self._mode = mode
        self._folder = folder
        self._hidden = hidden
        self._visible = visible
        self._started = 0
        self.memory_bytes = 0
        if mode is not SandboxMode.OFF:
            self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
            self._host_view = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)

    def start(self, doors: Doors, *, devices: Devices = ()) -> SlotProcess:
        self._started += 1
        scratch = self._folder / f"slot-{self._started}"
        tmp = scratch / "tmp"
        tmp.mkdir(parents=True)
        tmp.chmod(0o1777)
        ours, theirs = pair()
        pid = self._fork()
        if pid:
            theirs.close()
            return SlotProcess(pid, ours, doors, devices=devices)
        ours.close()
        linux.die_with_parent(signal.SIGKILL)
        serve(
            theirs,
            self._view_maker(scratch, tmp, doors, devices=devices),
            self._processes(),
            self.memory_bytes,
            self._begun,
        )
        raise AssertionError("a slot never returns")

    def _fork(self) -> int:
        if self._mode is SandboxMode.OFF:
            return os.fork()
        linux.unshare(linux.CLONE_NEWPID)
        pid = os.fork()
        if pid:
            # Only from its own PID namespace can this process make another one for the next slot.
            linux.setns(self._own_pids, linux.CLONE_NEWPID)
        return pid

    def _processes(self) -> Processes:
        return DescendantProcesses() if self._mode is SandboxMode.OFF else NamespaceProcesses()

    def _view_maker(self, scratch: Path, tmp: Path, doors: Doors, *, devices: Devices) -> Callable[[], TaskView]:
        if self._mode is SandboxMode.OFF:

            def plain() -> TaskView:
                if doors.inwards is not None:
                    raise OSError("a port of its own needs namespaces, which this machine does not give")
                linux.adopt_orphans()
                return PlainView(tmp)

            return plain

        def namespaces() -> TaskView:
            view = View(ViewSpec(self._hidden, self._visible, str(tmp), devices))
            relay = None if doors.endpoint_port is None else Relay(doors.endpoint_port)
            door = None if doors.inwards is None else Door(Path(doors.inwards.path), doors.inwards.port)
            enter_slot(view, network=doors.network, relay=relay)
            if door is not None:
                door.open()
            return NamespaceView(view, self._host_view, tmp, scratch)

        return namespaces

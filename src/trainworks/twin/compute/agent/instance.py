"""The instance: takes leases from the server, runs their tasks in slots as capacity allows, keeps the journal.

One loop. In each turn it reads what has arrived and gives all that happened to the journal as one group; when that is
on disk it rings the server ("the journal has N bytes"). It needs no server to go on: leases are worked off without one.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from trainworks.twin.compute.agent.committer import Committer
from trainworks.twin.compute.agent.slots import Doors, SlotFactory, SlotProcess, doors_of
from trainworks.twin.compute.agent.task import Task
from trainworks.twin.compute.channel import Channel, ChannelClosed
from trainworks.twin.compute.journal import Entry, JournalWriter

_UNCLAIMED_SECONDS = 15.0
_IDLE_TURN_SECONDS = 5.0
_GROUP_SECONDS = 0.02
_LATE_SECONDS = 1.0
"""A disk that takes longer for a group is left alone: no task starts whose end could not be noted."""


@dataclass
class Capacity:
    """What the instance's tasks may take together. A task larger than all of it runs alone."""

    vcpus: float = 0.0
    memory_bytes: int = 0
    gpus: int = 0
    used: list[Task] = field(default_factory=list)

    def has_room_for(self, task: Task) -> bool:
        if not self.used:
            return True
        return (
            sum(each.vcpus for each in self.used) + task.vcpus <= self.vcpus
            and sum(each.memory_bytes for each in self.used) + task.memory_bytes <= self.memory_bytes
            and sum(each.gpus for each in self.used) + task.gpus <= self.gpus
        )


class Instance:
    """Runs until the server ends it, its spot notice is over, or nobody has needed it for long."""

    def __init__(self, listener: socket.socket, journal: JournalWriter, slots: SlotFactory, welcome: dict[str, Any]):
        listener.setblocking(False)
        self._listener = listener
        self._committer = Committer(journal)
        self._factory = slots
        self._welcome = welcome
        self._server: Channel | None = None
        self._capacity = Capacity()
        self._claimed = False
        self._lease = 0
        self._waiting: deque[Task] = deque()
        self._slots: list[SlotProcess] = [slots.start(Doors())]
        self._entries: list[Entry] = []
        self._end_at: float | None = None
        self._publish_after = 0.0
        self._alone_since = time.monotonic()
        self._idle_seconds = _UNCLAIMED_SECONDS

    def run(self) -> None:
        while not self._is_over():
            self._turn()
        self._end_everything()

    def _turn(self) -> None:
        channels: list[Any] = [self._listener, self._committer, *self._slots]
        if self._server is not None:
            channels.append(self._server)
        ready = set(select.select(channels, [], [], self._timeout())[0])
        for slot in [slot for slot in self._slots if slot in ready]:
            self._hear_slot(slot)
        if self._server is not None and self._server in ready:
            self._hear_server(self._server)
        if self._listener in ready:
            self._accept()
        if self._committer in ready:
            self._tell_server({"op": "journal", "size": self._committer.arrived()})
        self._start_waiting()
        self._publish()

    def _timeout(self) -> float:
        now = time.monotonic()
        deadlines = [now + _IDLE_TURN_SECONDS]
        if self._end_at is not None:
            deadlines.append(self._end_at)
        if self._entries and not self._committer.is_busy:
            deadlines.append(self._publish_after)
        return max(0.0, min(deadlines) - now)

    def _is_over(self) -> bool:
        now = time.monotonic()
        busy = bool(self._waiting) or any(slot.task for slot in self._slots)
        if self._end_at is not None:
            return now >= self._end_at or not busy
        if self._server is None and not busy:
            return now - self._alone_since >= self._idle_seconds
        return False

    def _end_everything(self) -> None:
        """The end of the instance takes its tasks along; they are lost, and the journal says why."""
        lost = [slot.task.task_id for slot in self._slots if slot.task] + [task.task_id for task in self._waiting]
        for slot in self._slots:
            slot.kill()
        if self._end_at is not None:
            self._entries += [_lost(task_id) for task_id in lost]
        self._publish_now()

    # The server's side

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            if self._server is not None:
                self._server.close()
            self._server = Channel(connection)
            self._tell_server({**self._welcome, "op": "welcome", "lease": self._lease, "claimed": self._claimed})

    def _hear_server(self, server: Channel) -> None:
        try:
            for message in server.receive():
                self._obey(message)
        except ChannelClosed:
            self._lose_server()

    def _obey(self, message: dict[str, Any]) -> None:
        match message["op"]:
            case "claim":
                self._claimed = True
                self._idle_seconds = message["idle_seconds"]
                self._capacity.vcpus = message["vcpus"]
                self._capacity.memory_bytes = message["memory_bytes"]
                self._capacity.gpus = message["gpus"]
                self._factory.memory_bytes = message["instance_memory_bytes"]
                for slot in self._slots:
                    slot.set_memory(self._factory.memory_bytes)
            case "lease":
                if message["n"] > self._lease:
                    self._lease = message["n"]
                    self._waiting.extend(Task.from_wire(wire) for wire in message["tasks"])
            case "stop":
                self._stop(message["task_id"], message["grace"], message["reason"])
            case "interrupt":
                self._interrupt(message["notice"])
            case "end":
                self._waiting.clear()
                self._lose_slots()

    def _lose_slots(self) -> None:
        for slot in self._slots:
            slot.kill()
        self._publish_now()
        os._exit(0)

    def _stop(self, task_id: str, grace: float | None, reason: str) -> None:
        for task in self._waiting:
            if task.task_id == task_id:
                self._waiting.remove(task)
                self._entries.append({"t": task_id, "s": "CANCELLED", "at": time.time(), "reason": reason})
                return
        for slot in self._slots:
            if slot.task is not None and slot.task.task_id == task_id:
                slot.stop(slot.task.stop_grace_seconds if grace is None else grace, reason)

    def _interrupt(self, notice_seconds: float) -> None:
        if self._end_at is not None:
            return
        self._end_at = time.monotonic() + notice_seconds
        self._entries += [_lost(task.task_id) for task in self._waiting]
        self._waiting.clear()
        for slot in self._slots:
            slot.stop(notice_seconds + 1, "spot interruption")

    def _tell_server(self, message: dict[str, Any]) -> None:
        if self._server is None:
            return
        try:
            self._server.send(message)
        except ChannelClosed:
            self._lose_server()

    def _lose_server(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = None
        self._alone_since = time.monotonic()

    # The tasks' side

    def _start_waiting(self) -> None:
        if self._committer.is_late(_LATE_SECONDS):
            return
        while self._waiting and self._end_at is None and self._capacity.has_room_for(self._waiting[0]):
            task = self._waiting.popleft()
            self._capacity.used.append(task)
            self._slot_for(task).run(task)

    def _slot_for(self, task: Task) -> SlotProcess:
        for slot in self._slots:
            if slot.task is None and slot.doors == doors_of(task) and not (slot.devices or task.devices):
                return slot
        slot = self._factory.start(doors_of(task), devices=task.devices)
        self._slots.append(slot)
        return slot

    def _hear_slot(self, slot: SlotProcess) -> None:
        try:
            messages = slot.receive()
        except ChannelClosed:
            self._bury(slot)
            return
        for message in messages:
            if slot not in self._slots:
                return
            if "usage" in message and slot.task is not None:
                self._tell_server({"op": "usage", "task_id": slot.task.task_id, **message["usage"]})
            elif message.get("s") == "BROKEN":
                print(f"slot: {message['reason']}", file=sys.stderr)  # noqa: T201 - stderr is the agent's log
                self._finish(slot, {"s": "EXITED", "at": time.time(), "code": 126} | _cannot_start(message["reason"]))
            elif message.get("s") == "EXITED":
                self._finish(slot, message)
            elif message.get("s") == "RUNNING" and slot.task is not None:
                self._entries.append({"t": slot.task.task_id, "s": "RUNNING", "at": message["at"]})

    def _finish(self, slot: SlotProcess, message: dict[str, Any]) -> None:
        task = slot.task
        if task is None:
            return
        slot.task = None
        if slot.devices or not message.get("reuse", True):
            self._slots.remove(slot)
            slot.kill()
        self._capacity.used.remove(task)
        state = "EXITED" if self._end_at is None else "LOST"
        reason = message["reason"] if self._end_at is None else "spot interruption"
        self._entries.append(
            {"t": task.task_id, "s": state, "at": message["at"], "code": message["code"], "reason": reason}
        )

    def _bury(self, slot: SlotProcess) -> None:
        """A slot's process has ended: as agreed after a task that left something behind, or because it was killed."""
        self._slots.remove(slot)
        slot.kill()
        if slot.task is not None:
            self._capacity.used.remove(slot.task)
            self._entries.append({"t": slot.task.task_id, "s": "LOST", "at": time.time(), "reason": "instance failed"})

    def _publish(self) -> None:
        """Journal what happened, as one group; within milliseconds of the last group wait for more to come."""
        if not self._entries or self._committer.is_busy or time.monotonic() < self._publish_after:
            return
        self._committer.commit(self._entries)
        self._entries = []
        self._publish_after = time.monotonic() + _GROUP_SECONDS

    def _publish_now(self) -> None:
        """Return when all that happened is on disk and the server has been told."""
        self._tell_server({"op": "journal", "size": self._committer.commit_now(self._entries)})
        self._entries = []


def _lost(task_id: str) -> Entry:
    return {"t": task_id, "s": "LOST", "at": time.time(), "reason": "spot interruption"}


def _cannot_start(reason: str) -> dict[str, str]:
    return {"reason": f"cannot start: {reason}"}


def ignore_terminal_signals() -> None:
    """The instance ends when the server says so, not with the terminal that the server was started from."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

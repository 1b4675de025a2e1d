"""Tasks that have port 8080 of a network of their own, and the way in."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tests.functional.compute.harness import Bench
from tests.patience import until
from trainworks.twin.ports import TaskDoor, TaskState
from trainworks.twin.serving import doors

ECHO = """
import os, socket, sys, time
server = socket.create_server(("127.0.0.1", 8080))
while True:
    connection, _ = server.accept()
    while data := connection.recv(100):
        connection.sendall(sys.argv[1].encode() + data)
"""


def said(door: Path, text: bytes) -> bytes:
    async def ask() -> bytes:
        with await doors.connect(door) as connection:
            connection.setblocking(True)
            connection.settimeout(60)
            connection.sendall(text)
            return connection.recv(100)

    return asyncio.run(ask())


def is_open(door: Path) -> bool:
    try:
        asyncio.run(doors.connect(door)).close()
    except doors.ClosedError:
        return False
    return True


def test_each_task_has_the_port_for_itself_and_is_reached_by_its_door(sandboxed: Bench, tmp_path: Path) -> None:
    sandboxed.pool(max_vcpus=None)
    ways = {name: tmp_path / ("long-" * 30) / name / "port" for name in ("a", "b")}
    for name, path in ways.items():
        spec = sandboxed.script(name, ECHO, name, network=False, door=TaskDoor(path, 8080))
        sandboxed.submit(spec)
    for name, path in ways.items():
        sandboxed.wait(name, {TaskState.RUNNING})
        until(lambda path=path: is_open(path))  # type: ignore[misc]
        assert said(path, b"!") == name.encode() + b"!"
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", 8080), timeout=5)
    sandboxed.compute.stop(["a", "b"], 0)
    for name in ways:
        sandboxed.wait(name)
    for path in ways.values():
        until(lambda path=path: not is_open(path))  # type: ignore[misc]


def test_a_door_without_a_sandbox_is_refused(unsandboxed: Bench, tmp_path: Path) -> None:
    unsandboxed.pool()
    event = unsandboxed.run(unsandboxed.script("a", ECHO, "a", network=False, door=TaskDoor(tmp_path / "port", 8080)))
    assert "needs namespaces" in event.reason

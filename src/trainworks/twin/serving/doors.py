"""Connect to a container's door, and get a connection to its port. See `ports.TaskDoor`."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path

_OPEN = b"+"
_PING = b"GET /ping HTTP/1.1\r\nHost: model\r\nConnection: close\r\n\r\n"
_PING_SECONDS = 2.0
_GOOD = (b"HTTP/1.1 200", b"HTTP/1.0 200")


class ClosedError(OSError):
    """The door leads to no container, or nothing listens on its port."""


def is_ready(door: Path) -> bool:
    """Whether the container behind the door answers /ping with 200. Blocks this thread, for a few seconds at most."""
    try:
        with _to_door(door) as caller:
            deadline = time.monotonic() + _PING_SECONDS
            caller.settimeout(_PING_SECONDS)
            with _taken(caller) as connection:
                connection.settimeout(_PING_SECONDS)
                connection.sendall(_PING)
                answer = b""
                while len(answer) < len(_GOOD[0]) and (left := deadline - time.monotonic()) > 0:
                    connection.settimeout(left)  # of all together: one byte now and then is no answer
                    part = connection.recv(64)
                    if not part:
                        break
                    answer += part
                return answer.startswith(_GOOD)
    except OSError:
        return False


async def connect(door: Path) -> socket.socket:
    """A connection to the port, which does not block. Raises `ClosedError`."""
    loop = asyncio.get_running_loop()
    try:
        with _to_door(door) as caller:
            caller.setblocking(False)
            readable = loop.create_future()
            loop.add_reader(caller, _done, readable)
            try:
                await readable
            finally:
                loop.remove_reader(caller)
            connection = _taken(caller)
    except OSError as error:
        raise ClosedError(str(error)) from error
    connection.setblocking(False)
    return connection


def _to_door(door: Path) -> socket.socket:
    """A connected Unix socket; connecting takes no time, whatever the other side does."""
    caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        folder = os.open(door.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            caller.setblocking(False)  # if the queue of connections is full this fails instead of waiting
            caller.connect(f"/proc/self/fd/{folder}/{door.name}")
        finally:
            os.close(folder)
    except OSError:
        caller.close()
        raise
    return caller


def _taken(caller: socket.socket) -> socket.socket:
    """The connection that the door passes."""
    word, descriptors, _, _ = socket.recv_fds(caller, 1, 1)
    if word != _OPEN or not descriptors:
        raise ClosedError("nothing listens on the container's port")
    return socket.socket(fileno=descriptors[0])


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

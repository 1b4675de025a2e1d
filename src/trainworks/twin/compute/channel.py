"""Lines of JSON over a stream socket, one message a line. Used between server and agent, and agent and slot."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterable
from typing import Any

Message = dict[str, Any]
_CHUNK_BYTES = 1 << 16
"""Small enough for the heap: more would be mapped and unmapped for each message."""
_SEND_TIMEOUT_SECONDS = 10.0


class ChannelClosed(Exception):  # noqa: N818 - an event of the protocol rather than a fault
    """The other side has gone."""


class ChannelStuck(ChannelClosed):
    """The other side is there, and takes nothing."""


class Channel:
    """A socket whose reads never block; `send` waits until the other side has taken everything."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._pending = b""

    def fileno(self) -> int:
        return self._sock.fileno()

    def send(self, *messages: Message | bytes) -> None:
        """A message may be a line already. Raises `ChannelClosed` when nobody receives any more, `ChannelStuck` when
        nobody has for ten seconds."""
        self._send_all(b"".join(each if isinstance(each, bytes) else encode([each]) for each in messages))

    def receive(self) -> list[Message]:
        """The complete messages that have arrived, perhaps none. Raises `ChannelClosed` once all were returned."""
        data = self._read()
        if not data:
            return []
        *lines, self._pending = (self._pending + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def wait(self, timeout_seconds: float | None) -> bool:
        return bool(select.select([self._sock], [], [], timeout_seconds)[0])

    def close(self) -> None:
        self._sock.close()

    def _read(self) -> bytes:
        chunks: list[bytes] = []
        while True:
            try:
                chunk = self._sock.recv(_CHUNK_BYTES)
            except BlockingIOError:
                break
            except ConnectionError as error:
                if chunks:
                    break
                raise ChannelClosed from error
            if not chunk:
                if chunks:
                    break
                raise ChannelClosed
            chunks.append(chunk)
            if len(chunk) < _CHUNK_BYTES:
                break
        return b"".join(chunks)

    def _send_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view, socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                if not select.select([], [self._sock], [], _SEND_TIMEOUT_SECONDS)[1]:
                    raise ChannelStuck from None
            except (ConnectionError, OSError) as error:
                raise ChannelClosed from error


def pair() -> tuple[Channel, Channel]:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return Channel(left), Channel(right)


def encode(messages: Iterable[Message]) -> bytes:
    return b"".join(json.dumps(message, separators=(",", ":")).encode() + b"\n" for message in messages)

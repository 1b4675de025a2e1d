"""One worker process: HTTP/1.1 on a socket that it shares with the other ones, one request after the other.

A request is computed in the loop itself, as SageMaker's own containers do by one process a worker: while it computes
the worker takes no new connection, so those go to the others. A connection ends after `_MOST_REQUESTS`, which spreads
them anew.
"""

import asyncio
import json
import signal
import socket
import sys
import traceback
from typing import Any

from handlers import Handlers, UnsupportedFormatError  # type: ignore[import-not-found]  # beside this file

_MOST_REQUESTS = 1000
_HEAD_BYTES = 64 * 1024
_BODY_BYTES = 64 * 1024 * 1024
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable"}
_REASONS |= {411: "Length Required", 413: "Payload Too Large", 415: "Unsupported Media Type", 431: "Head Too Large"}
_STACK_BYTES = 2000


class Connection(asyncio.Protocol):
    """One connection; `handlers` answers."""

    def __init__(self, handlers: Handlers, everybody: set["Connection"]) -> None:
        self._handlers = handlers
        self._everybody = everybody
        self._pending = bytearray()
        self._served = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._everybody.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._everybody.discard(self)

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            size = self._serve(end)
            if size < 0:
                return
            del self._pending[:size]
            if self.transport.is_closing():
                return
        if len(self._pending) > _HEAD_BYTES:
            self._fail(431, "the request's head is too long")

    def _serve(self, end: int) -> int:
        """Answer the request whose head ends there; its length, or -1 if it is not complete or was refused."""
        lines = bytes(self._pending[:end]).split(b"\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip().decode("latin-1")
        length = headers.get(b"content-length", "")
        if b"transfer-encoding" in headers:
            return self._fail(411, "the body's length has to be given")
        if length and not (length.isascii() and length.isdigit()):
            return self._fail(400, "Content-Length is not a number")
        size = int(length or 0)
        if size > _BODY_BYTES:
            return self._fail(413, "the body is too large")
        whole = end + 4 + size
        if len(self._pending) < whole:
            return -1
        method, _, target = lines[0].partition(b" ")
        path = target.partition(b" ")[0]
        self._served += 1
        if path == b"/invocations" and method == b"POST":
            self._invoke(bytes(self._pending[end + 4 : whole]), headers)
        elif path == b"/ping":
            self._send(200, b"", "text/plain")
        elif path in {b"/invocations", b"/execution-parameters"}:
            self._send(405, b"", "text/plain")
        else:
            self._send(404, b"", "text/plain")
        return whole

    def _invoke(self, body: bytes, headers: dict[bytes, str]) -> None:
        try:
            answer, kind = self._handlers.answer(body, headers.get(b"content-type", ""), headers.get(b"accept", ""))
        except UnsupportedFormatError as error:
            self._send(error.status, _described(error, with_stack=False), "application/json")
        except Exception as error:  # noqa: BLE001 - whatever the user's functions raise is the answer, and in the log
            traceback.print_exc()
            sys.stderr.flush()
            self._send(500, _described(error), "application/json")
        else:
            self._send(200, answer, kind)

    def _send(self, status: int, body: bytes, kind: str) -> None:
        is_last = self._served >= _MOST_REQUESTS
        head = (
            f"HTTP/1.1 {status} {_REASONS.get(status, 'Internal Server Error')}\r\n"
            f"Content-Type: {_one_line(kind)}\r\nContent-Length: {len(body)}\r\n"
            f"{'Connection: close' if is_last else 'Connection: keep-alive'}\r\n\r\n"
        )
        self.transport.write(head.encode("latin-1", "replace") + body)
        if is_last:
            self.transport.close()

    def _fail(self, status: int, why: str) -> int:
        self._served = _MOST_REQUESTS
        self._send(status, json.dumps({"error": why}).encode(), "application/json")
        return -1


def run(listener: socket.socket, handlers: Handlers) -> None:
    """Serve until SIGTERM; then finish what is begun."""
    asyncio.run(_serve(listener, handlers))


async def _serve(listener: socket.socket, handlers: Handlers) -> None:
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    everybody: set[Connection] = set()
    joining: set[Any] = set()
    loop.add_signal_handler(signal.SIGTERM, over.set)

    def accept() -> None:
        # One at a time: those that a busy worker would hold up go to another one.
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = loop.create_task(loop.connect_accepted_socket(lambda: Connection(handlers, everybody), connection))
        joining.add(task)
        task.add_done_callback(joining.discard)

    loop.add_reader(listener, accept)
    await over.wait()
    loop.remove_reader(listener)
    for each in list(everybody):
        each.transport.close()


def _described(error: Exception, *, with_stack: bool = True) -> bytes:
    document = {"error": type(error).__name__, "error-message": str(error)}
    if with_stack:
        document["stack-trace"] = "".join(traceback.format_exception(error))[-_STACK_BYTES:]
    return json.dumps(document).encode()


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")

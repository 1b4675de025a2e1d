"""What a connection does that nothing comes from, or too slowly; the clock is the test's."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from trainworks.twin.connection import IDLE_SECONDS, Connection, Connections
from trainworks.twin.listener import Listener

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers how many bytes the body has."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    body = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class Heard(Connection):
    """Counts what came from each client, so that a test goes on when the server has it."""

    heard: Counter[Any]
    gone: set[Any]
    client_address: Any

    def connection_made(self, transport: Any) -> None:
        self.client_address = transport.get_extra_info("peername")
        self.heard[self.client_address] += 0
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self.heard[self.client_address] += len(data)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.add(self.client_address)
        super().connection_lost(exc)


class Door:
    def __init__(self, limit: int) -> None:
        self.heard: Counter[Any] = Counter()
        self.gone: set[Any] = set()
        self.connections = Connections(limit)
        self.loop = asyncio.get_running_loop()
        self._writers: list[asyncio.StreamWriter] = []
        config = Config(app, http="httptools", ws="none", lifespan="off", log_config=None)
        config.load()
        state = ServerState()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)

        def accepted() -> Connection:
            connection = Heard(config, state, self.loop, self.connections)
            connection.heard, connection.gone = self.heard, self.gone
            return connection

        self.listener = Listener(self.socket, accepted, self.connections, self.loop)

    async def connect(self, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.socket.getsockname()[1])
        self._writers.append(writer)
        writer.write(data)
        me = writer.get_extra_info("sockname")
        while me not in self.heard or (self.heard[me] < len(data) and me not in self.gone):
            await asyncio.sleep(0.001)
        for _ in range(20):  # what the server does with it takes turns of the loop, and no more
            await asyncio.sleep(0)
        return reader, writer

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
        self.connections.evict(1000)
        for connection in list(self.connections._open):
            connection.end()
        while self.gone != set(self.heard):
            await asyncio.sleep(0.001)
        self.listener.close()
        self.socket.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def door(limit: int = 8) -> AsyncIterator[Door]:
    each = Door(limit)
    try:
        yield each
    finally:
        await each.close()


@pytest.mark.parametrize(
    ("sent", "seconds", "answer"),
    [
        pytest.param(b"", 21, b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: loc", 21, b"HTTP/1.1 408 ", id="half a head"),
        pytest.param(POST + b"b" * 1000, 21, b"HTTP/1.1 408 ", id="half a body"),
        pytest.param(GET, 352, b"HTTP/1.1 200 ", id="idle after an answer"),
    ],
)
def test_who_says_no_more_is_ended(sent: bytes, seconds: int, answer: bytes) -> None:
    async def go() -> None:
        async with door() as at:
            reader, _ = await at.connect(sent)
            at.connections.sweep(at.loop.time() + seconds - 2)
            assert len(at.connections) == 1
            at.connections.sweep(at.loop.time() + seconds)
            at.connections.sweep(at.loop.time() + seconds + 6)  # what ends slowly has ended by then
            try:
                assert (await reader.read()).startswith(answer)
            except ConnectionResetError:
                assert not answer
            assert len(at.connections) == 0

    asyncio.run(go())


def test_a_request_that_comes_as_its_idle_connection_is_about_to_end_is_answered() -> None:
    async def go() -> None:
        async with door() as at:
            reader, writer = await at.connect(GET)
            assert (await reader.read(4096)).startswith(b"HTTP/1.1 200 ")
            writer.write(GET)  # the server's loop does not get to read it before it looks for idle connections
            at.connections.sweep(at.loop.time() + IDLE_SECONDS + 1)
            assert (await reader.read(4096)).startswith(b"HTTP/1.1 200 ")

    asyncio.run(go())


def test_a_body_that_trickles_is_ended() -> None:
    async def go() -> None:
        async with door() as at:
            reader, _ = await at.connect(POST + b"b" * 1000)
            (connection,) = at.connections._open
            for second in range(1, 30):
                connection.moved = at.loop.time() + second  # a byte came, each second
                at.connections.sweep(at.loop.time() + second)
            assert (await reader.read(4096)).startswith(b"HTTP/1.1 408 ")

    asyncio.run(go())


def test_the_one_that_waits_longest_makes_room_and_work_is_not_ended() -> None:
    async def go() -> None:
        async with door(limit=2) as at:
            at_work, keep = await at.connect(POST)
            waiting, _ = await at.connect(b"GET /")
            third, _ = await at.connect(GET)
            assert (await third.read(4096)).startswith(b"HTTP/1.1 200 ")
            assert await waiting.read() == b""
            await at.connect(POST)  # in place of the third, which is idle
            refused, _ = await at.connect(GET)
            assert (await refused.read(4096)).startswith(b"HTTP/1.1 503 ")
            keep.write(b"b" * 100_000)
            assert (await at_work.read(4096)).endswith(b"100000")

    asyncio.run(go())


def test_without_descriptors_it_waits_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> None:
        async with door() as at:
            listener: Any = at.listener
            for _ in range(3):
                listener._back_off(OSError(24, "Too many open files"))
            assert listener._retry is not None
            assert len(caplog.records) == 1

    asyncio.run(go())

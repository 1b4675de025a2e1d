"""One HTTP connection: uvicorn's, with what a client may send and how long it may take bounded.

    head     at most HEAD_BYTES, within HEAD_SECONDS                         else 431, 414 or 408, and the end
    body     goes on at BODY_BYTES_PER_SECOND, stands still BODY_IDLE_SECONDS at most      else 408, and the end
    answer   is taken: it stands still ANSWER_IDLE_SECONDS at most                                    else the end
    idle     kept for IDLE_SECONDS, less when others need the place (`Connections`)              the end, slowly

An answer whose status has no body is sent without one, whatever the application says.

An answer may come before the body was read. What is left of the body is then read and dropped, up to DRAIN_BYTES, so
that the next request on the connection is unharmed. A client that waits for `100 Continue` may send its body or leave
it out; nobody can tell, so that connection ends with its answer. It ends slowly: what is still on its way is taken, as
a connection that is closed before would lose the answer too.
"""

from __future__ import annotations

import asyncio
import select
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

HEAD_BYTES = 64 * 1024
URL_BYTES = 16 * 1024
HEAD_SECONDS = 20.0
BODY_IDLE_SECONDS = 20.0
BODY_BYTES_PER_SECOND = 1024
ANSWER_IDLE_SECONDS = 60.0
IDLE_SECONDS = 350.0
"""Longer than most clients keep theirs, so that they are the ones who end it, when they send nothing."""
LINGER_SECONDS = 5.0
DRAIN_BYTES = 16 * 1024 * 1024
_PIPELINED_MAX = 64
_BODILESS = frozenset({204, 304})
_OF_A_BODY = frozenset({b"content-length", b"transfer-encoding"})


class Connections:
    """All open connections of the server: their number is bounded, and those that are overdue are ended."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._open: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> bool:
        """Take a connection in; the one that has been idle longest makes room. False if all are at work."""
        if len(self._open) >= self.limit and not self.evict(1):
            return False
        self._open[connection] = None
        return True

    def discard(self, connection: Connection) -> None:
        self._open.pop(connection, None)

    def evict(self, count: int) -> int:
        """End up to `count` connections that are idle or have not sent a whole head, longest first; how many."""
        waiting = sorted((each for each in self._open if each.is_waiting), key=lambda each: each.moved)[:count]
        for connection in waiting:
            connection.end()
        return len(waiting)

    def sweep(self, now: float) -> None:
        """End what is overdue. `now` is of the event loop's clock."""
        for connection in list(self._open):
            connection.check(now)


class _Exchange(RequestResponseCycle):
    """One request and its answer. `lingers` once the connection ends with this answer while a body is still coming."""

    lingers = False
    received = 0
    announced: int | None = None
    _is_bodiless = False

    async def send(self, message: Any) -> None:
        message = self._without_body(message)
        early = not self.response_started and self.more_body
        if early and (self.waiting_for_100_continue or self._left > DRAIN_BYTES):
            self.keep_alive = False
        await super().send(message)
        if early and not self.keep_alive:
            # uvicorn closes at once what is not kept alive; this one is closed by its connection.
            self.keep_alive = self.lingers = True

    def _without_body(self, message: Any) -> Any:
        """No client reads a body of these: what was sent as one would be read as the answer to the next request."""
        if message["type"] == "http.response.start":
            self._is_bodiless = message["status"] in _BODILESS
            kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in _OF_A_BODY]
            return {**message, "headers": kept} if self._is_bodiless else message
        return {**message, "body": b""} if self._is_bodiless else message

    @property
    def _left(self) -> int:
        return 0 if self.announced is None else self.announced - self.received


class Connection(HttpToolsProtocol):
    """`connections` bounds how many there are; the rest is as in uvicorn."""

    cycle: _Exchange

    def __init__(
        self, config: Config, state: ServerState, loop: asyncio.AbstractEventLoop, connections: Connections
    ) -> None:
        super().__init__(config, state, {}, loop)
        self._all = connections
        self.moved = loop.time()
        self._since = self.moved  # when the part of the exchange began that the clock runs for
        self._in_head = True
        self._head_bytes = 0
        self._body_pending = False
        self._drained = 0
        self._linger: int | None = None
        self._unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self._all.add(self):
            self._refuse(503, "All connections are in use")

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.discard(self)
        super().connection_lost(exc)

    def eof_received(self) -> None:
        if self._linger is not None:
            self.end()

    def data_received(self, data: bytes) -> None:
        self.moved = self.loop.time()
        if self._linger is not None:
            self._linger -= len(data)
            if self._linger < 0:
                self.end()
            return
        if self._in_head:
            if self._head_bytes == 0:
                self._since = self.moved
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES:
            self._refuse(431, "The request's headers are too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)
        else:  # a trailer of chunked encoding: nothing signs it, so nobody may take it for a header
            self._count_body(len(name) + len(value))

    def on_headers_complete(self) -> None:
        self._in_head, self._body_pending = False, True
        self._since, self._drained = self.moved, 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if len(self.url) > URL_BYTES or size > HEAD_BYTES or len(self.pipeline) >= _PIPELINED_MAX:
            self._refuse(414 if len(self.url) > URL_BYTES else 431, "The request's head is too long")
            return
        if self._linger is None:
            self._begin()

    def _begin(self) -> None:
        """As uvicorn's own, with an exchange of ours."""
        version = self.parser.get_http_version()
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope: Any = self.scope
        scope.update(
            method=self.parser.get_method().decode("ascii"),
            http_version=version,
            path=unquote(path) if "%" in path else path,
            raw_path=url.path,
            query_string=url.query or b"",
        )
        before: _Exchange | None = self.cycle
        self.cycle = _Exchange(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive() and not self.parser.should_upgrade(),
            on_response=self.on_response_complete,
        )
        self.cycle.announced = next((int(value) for name, value in self.headers if name == b"content-length"), None)
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        if self._linger is not None:
            return
        self._count_body(len(body))
        if self.cycle.response_complete:
            return
        self.cycle.body += body
        if len(self.cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._in_head, self._body_pending, self._head_bytes = True, False, 0
        self._since = self.moved
        if self._linger is None and not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self.moved = self.loop.time()
        if self.transport.is_closing():
            return
        if self.cycle.lingers:
            self._end_slowly()
        self.flow.resume_reading()
        if self.pipeline and self._linger is None:
            self._start_asgi_task(*self.pipeline.pop())

    def shutdown(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    @property
    def is_waiting(self) -> bool:
        """Whether nobody works on this connection: it is idle, or its head is not complete, or it ends anyway."""
        return self._linger is not None or (
            self._in_head and (self.cycle is None or self.cycle.response_complete) and not self.pipeline
        )

    def end(self) -> None:
        """Close now, without waiting for anything."""
        self.transport.abort()

    def check(self, now: float) -> None:
        """End this connection if it is overdue."""
        unsent = self.transport.get_write_buffer_size()
        if unsent < self._unsent or (unsent and not self._unsent):
            self.moved = now
        self._unsent = unsent
        still = now - self.moved
        if unsent and still > ANSWER_IDLE_SECONDS:
            self.end()
        elif self._linger is not None:
            if now - self._since > LINGER_SECONDS:
                self.end()
        elif self._in_head and self._head_bytes:
            if now - self._since > HEAD_SECONDS:
                self._refuse(408, "The request's headers did not come in time")
        elif self.is_waiting:
            if still > (HEAD_SECONDS if self.cycle is None else IDLE_SECONDS) and not self._has_news():
                self._end_slowly()
        elif self._body_pending and self._is_slow(now, still):
            self._refuse(408, "The request's body did not come in time")

    def _has_news(self) -> bool:
        """Whether bytes have come that the loop has not read yet: such a request must not be refused any more."""
        arrived = select.poll()
        arrived.register(self.transport.get_extra_info("socket"), select.POLLIN)
        return bool(arrived.poll(0))

    def _is_slow(self, now: float, still: float) -> bool:
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            return False  # it is us whom the client waits for
        passed = now - self._since
        return still > BODY_IDLE_SECONDS or (
            passed > BODY_IDLE_SECONDS and self.cycle.received < passed * BODY_BYTES_PER_SECOND
        )

    def _count_body(self, size: int) -> None:
        if self.cycle is None:
            return
        self.cycle.received += size
        if self.cycle.response_complete:
            self._drained += size
            if self._drained > DRAIN_BYTES:
                self.end()

    def _refuse(self, status: int, why: str) -> None:
        """Answer in place of the application, unless it has begun to answer, and end the connection."""
        if self._linger is not None or self.transport.is_closing():
            return
        cycle: _Exchange | None = self.cycle
        working = cycle is not None and not cycle.response_complete
        if working:
            cycle.disconnected = True  # type: ignore[union-attr]  # it is there where somebody works on it
            cycle.message_event.set()  # type: ignore[union-attr]
        if not (working and cycle.response_started):  # type: ignore[union-attr]
            head = b"content-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(why)
            self.transport.write(STATUS_LINE[status] + head + why.encode())
        self._end_slowly()

    def _end_slowly(self) -> None:
        self._linger, self._since = DRAIN_BYTES, self.loop.time()
        self.pipeline.clear()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

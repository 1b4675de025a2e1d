"""Connections to containers: one request at a time on each, kept and used again.

No HTTP client library is used: for each request it would cost more time than everything else here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import httptools

from trainworks.twin.ports import Target
from trainworks.twin.serving.doors import connect

MOST_ANSWER_BYTES = 6 * 1024 * 1024
_MOST_HEAD_BYTES = 64 * 1024
MOST_FRAMING_BYTES = 256 * 1024
"""The most bytes of an answer that are not its body: the head, interim answers, trailers."""
_MOST_IDLE = 64


class BrokenError(Exception):
    """The connection ended before there was a byte of an answer: the request may be given to another container."""


class MalformedError(Exception):
    """The answer is malformed, or longer than may be sent on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a container answered. Header names are in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._framing_size = 0
        self._parser: Any = None
        self.is_used = False
        self.is_open = True
        self._begin()

    def _begin(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._head_size = 0
        self._has_head = False
        self._has_begun = False

    async def exchange(self, request: bytes, deadline: float) -> Answer:
        """Send a whole request and wait for the whole answer, until `deadline` of the loop's clock.

        Raises `BrokenError`, `MalformedError`, `TimeoutError`. Without an answer the connection is closed: what
        comes later must not be taken for the answer to another request.
        """
        if self._transport is None or not self.is_open:
            raise BrokenError
        self._begin()
        self._framing_size = 0
        self._parser = httptools.HttpResponseParser(self)
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        late = loop.call_at(deadline, self._fail, TimeoutError())
        self._transport.write(request)
        try:
            return await self._waiting
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            late.cancel()
            self._waiting = None
            self.is_used = True

    def close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._waiting is None or not self.is_open:  # no request is open: these bytes are no answer
            self.close()
            return
        self._has_begun = True
        before = len(self._body)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(MalformedError("the container's answer switches to another protocol"))
        except (httptools.HttpParserError, httptools.HttpParserCallbackError) as error:
            self._fail(MalformedError(f"the container's answer is not HTTP: {error}"))
        if len(self._body) == before and not self._waiting.done():
            # The parser keeps an incomplete header and copies it with each piece: an endless one must end here.
            self._framing_size += len(data)
            if self._framing_size > MOST_FRAMING_BYTES:
                self._fail(MalformedError("the head of the container's answer is too long"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._waiting is None or self._waiting.done():
            return
        if self._has_head and not {b"content-length", b"transfer-encoding"} & self._headers.keys():
            self._finish()  # its end is the end of the answer
        elif self._has_begun:
            self._fail(MalformedError("the container closed the connection in the middle of its answer"))
        else:
            self._fail(BrokenError())

    # -- httptools --------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._waiting is None or self._waiting.done():  # a second answer to one request
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._has_head:  # a trailer
            return
        self._head_size += len(name) + len(value)
        if self._head_size > _MOST_HEAD_BYTES:
            raise MalformedError("the head of the container's answer is too long")
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._has_head = self._parser.get_status_code() >= 200

    def on_body(self, body: bytes) -> None:
        if not self.is_open:
            return
        self._body += body
        if len(self._body) > MOST_ANSWER_BYTES:
            self._fail(MalformedError(f"the container's answer is larger than {MOST_ANSWER_BYTES} bytes"))

    def on_message_complete(self) -> None:
        if self._has_head:
            self._finish()
        else:  # `100 Continue`: the answer is still to come
            self._begin()

    def _finish(self) -> None:
        if not self._parser.should_keep_alive():
            self.close()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(self._parser.get_status_code(), self._headers, bytes(self._body)))
        self._begin()

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        self.close()


class Upstreams:
    """The connections to all containers, by task. Used on one event loop."""

    def __init__(self) -> None:
        self._idle: dict[str, list[Upstream]] = {}

    def idle(self, target: Target) -> Upstream | None:
        """A kept connection: the one that was used last."""
        kept = self._idle.get(target.task_id)
        while kept:
            upstream = kept.pop()
            if upstream.is_open:
                return upstream
        return None

    async def new(self, target: Target) -> Upstream:
        """Raises `doors.ClosedError`."""
        connection = await connect(target.door)
        _, upstream = await asyncio.get_running_loop().create_connection(Upstream, sock=connection)
        return upstream

    def keep(self, target: Target, upstream: Upstream, *, is_wanted: bool) -> None:
        """Keep it for the next request; close it if it is broken, one too many, or of a container that gets no more."""
        kept = self._idle.setdefault(target.task_id, [])
        if upstream.is_open and len(kept) < _MOST_IDLE and is_wanted:
            kept.append(upstream)
        else:
            upstream.close()

    def forget(self, task_id: str) -> None:
        """Close the kept connections to a container."""
        for upstream in self._idle.pop(task_id, ()):
            upstream.close()

    def forget_all_but(self, task_ids: AbstractSet[str]) -> None:
        for task_id in self._idle.keys() - task_ids:
            self.forget(task_id)

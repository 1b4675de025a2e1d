"""Answers of containers as they may come: whole, in pieces, without an end, and as no answer at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.serving.upstream import MOST_ANSWER_BYTES, Answer, BrokenError, MalformedError, Upstream

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 3\r\n\r\n1,2"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n1,\r\n1\r\n2\r\n0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Wire(asyncio.Transport):
    """What was written, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def abort(self) -> None:
        self.closed = True


def exchanged(tell: Callable[[Upstream], None]) -> Answer:
    """What comes of one request where the container does what `tell` says."""

    async def run() -> Answer:
        upstream = Upstream()
        upstream.connection_made(Wire())
        waiting = asyncio.ensure_future(upstream.exchange(b"POST", asyncio.get_running_loop().time() + 60))
        await asyncio.sleep(0)
        tell(upstream)
        return await asyncio.wait_for(waiting, 60)

    return asyncio.run(run())


@given(st.sampled_from([WHOLE, CHUNKED, CONTINUE + WHOLE]), st.lists(st.integers(1, 100)))
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(answer: bytes, cuts: list[int]) -> None:
    def tell(upstream: Upstream) -> None:
        rest = answer
        for cut in cuts:
            if rest[:cut]:
                upstream.data_received(rest[:cut])
            rest = rest[cut:]
        if rest:
            upstream.data_received(rest)

    assert exchanged(tell).body == b"1,2"


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    def tell(upstream: Upstream) -> None:
        upstream.data_received(b"HTTP/1.0 200 OK\r\n\r\n1,")
        upstream.data_received(b"2")
        upstream.connection_lost(None)

    assert exchanged(tell).body == b"1,2"


def test_a_connection_that_ends_without_a_byte_is_broken() -> None:
    with pytest.raises(BrokenError):
        exchanged(lambda upstream: upstream.connection_lost(None))


@pytest.mark.parametrize(
    "said",
    [
        b"\x00\x01 no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nbegun",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST_ANSWER_BYTES + 1) + b"x" * (MOST_ANSWER_BYTES + 1),
    ],
)
def test_what_is_no_answer_is_told_and_its_connection_is_not_used_again(said: bytes) -> None:
    made: list[Upstream] = []

    def tell(upstream: Upstream) -> None:
        made.append(upstream)
        upstream.data_received(said)
        upstream.connection_lost(None)

    with pytest.raises(MalformedError):
        exchanged(tell)
    assert not made[0].is_open


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65_536),
        (b"HTTP/1.1 200 OK\r\n", b"x" * 65_536),
        (b"HTTP/1.1 200 ", b"x" * 65_536),
        (b"", CONTINUE * 3000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: ", b"x" * 65_536),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 65_536),
    ],
)
def test_what_comes_around_a_body_ends_however_it_comes(begin: bytes, piece: bytes) -> None:
    """The parser copies what it has of a header with each piece: the loop would do nothing else, for everybody."""
    made: list[Upstream] = []

    def tell(upstream: Upstream) -> None:
        made.append(upstream)
        for each in (begin, *[piece] * 10):
            if each:
                upstream.data_received(each)

    with pytest.raises(MalformedError, match="too long"):
        exchanged(tell)
    assert not made[0].is_open


def test_a_second_answer_is_no_part_of_the_first_and_ends_the_connection() -> None:
    made: list[Upstream] = []

    def tell(upstream: Upstream) -> None:
        made.append(upstream)
        upstream.data_received(WHOLE + WHOLE.replace(b"text/csv", b"text/bad"))

    answer = exchanged(tell)
    assert (answer.headers[b"content-type"], answer.body) == (b"text/csv", b"1,2")
    assert not made[0].is_open


def test_a_trailer_is_no_header() -> None:
    said = CHUNKED.replace(b"0\r\n\r\n", b"0\r\nContent-Type: text/bad\r\n\r\n")
    assert b"content-type" not in exchanged(lambda upstream: upstream.data_received(said)).headers


def test_a_change_to_another_protocol_is_no_answer() -> None:
    said = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    with pytest.raises(MalformedError, match="another protocol"):
        exchanged(lambda upstream: upstream.data_received(said))


def test_what_nobody_asked_for_ends_the_connection() -> None:
    upstream, wire = Upstream(), Wire()
    upstream.connection_made(wire)
    upstream.data_received(WHOLE)
    assert wire.closed
    assert not upstream.is_open


def test_an_answer_that_is_late_is_not_waited_for_and_belongs_to_nobody_later() -> None:
    async def run() -> None:
        upstream = Upstream()
        upstream.connection_made(Wire())
        with pytest.raises(TimeoutError):
            await upstream.exchange(b"POST", asyncio.get_running_loop().time())
        assert not upstream.is_open

    asyncio.run(run())

"""Bodies: plain and aws-chunked, signed and unsigned, whole and broken."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.payload import BodyDisconnectedError, Verifier, raw_body, verified
from trainworks.twin.ports import ApiError
from trainworks.twin.sigv4 import EMPTY_SHA256, PayloadClaim

KEY, DATE, SCOPE, SEED = b"signing-key", "20300101T000000Z", "20300101/us-east-1/s3/aws4_request", "seed"


def read(body: bytes, claim: PayloadClaim, piece: int = 7, trailers: dict[str, str] | None = None) -> bytes:
    verifier = Verifier(claim)
    plain = b"".join(
        part for start in range(0, len(body), piece) for part in verifier.feed(body[start : start + piece])
    )
    found = verifier.finish()
    if trailers is not None:
        trailers.update(found)
    assert verified(claim, body, hashlib.sha256(body).hexdigest()) == plain
    return plain


def chunk_signature(previous: str, data: bytes) -> str:
    parts = ["AWS4-HMAC-SHA256-PAYLOAD", DATE, SCOPE, previous, EMPTY_SHA256, hashlib.sha256(data).hexdigest()]
    return hmac.new(KEY, "\n".join(parts).encode(), hashlib.sha256).hexdigest()


def chunked(chunks: list[bytes], *, signed: bool) -> bytes:
    previous, framed = SEED, b""
    for chunk in [*(chunk for chunk in chunks if chunk), b""]:
        extension = b""
        if signed:
            previous = chunk_signature(previous, chunk)
            extension = b";chunk-signature=" + previous.encode()
        framed += f"{len(chunk):x}".encode() + extension + b"\r\n" + chunk + (b"\r\n" if chunk else b"")
    return framed


SIGNED = PayloadClaim(chunked=True, signing_key=KEY, seed_signature=SEED, amz_date=DATE, scope=SCOPE)


@given(chunks=st.lists(st.binary(max_size=40), max_size=5), piece=st.integers(1, 50))
def test_signed_chunks_give_back_what_was_put_in(chunks: list[bytes], piece: int) -> None:
    assert read(chunked(chunks, signed=True) + b"\r\n", SIGNED, piece) == b"".join(chunks)


@given(chunks=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=3), at=st.integers(0, 39))
def test_a_changed_byte_in_a_signed_chunk_is_refused(chunks: list[bytes], at: int) -> None:
    framed = bytearray(chunked(chunks, signed=True) + b"\r\n")
    start = framed.index(b"\r\n") + 2
    framed[start + at % len(chunks[0])] ^= 1
    with pytest.raises(ApiError):
        read(bytes(framed), SIGNED)


def test_trailers_of_unsigned_chunks_are_handed_out() -> None:
    trailers: dict[str, str] = {}
    body = chunked([b"hello"], signed=False) + b"x-amz-checksum-crc32:abc=\r\n\r\n"
    assert read(body, PayloadClaim(chunked=True, trailer=True), trailers=trailers) == b"hello"
    assert trailers == {"x-amz-checksum-crc32": "abc="}


@pytest.mark.parametrize("body", [b"5\r\nhello\r\n", b"zz\r\n", b"5\r\nhelloXX0\r\n\r\n", b"-5\r\n"])
def test_broken_framing_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError, match="IncompleteBody"):
        read(body, PayloadClaim(chunked=True))


def test_a_plain_body_must_have_the_signed_digest() -> None:
    claim = PayloadClaim(sha256=hashlib.sha256(b"hello").hexdigest())
    assert read(b"hello", claim) == b"hello"
    with pytest.raises(ApiError, match="XAmzContentSHA256Mismatch"):
        read(b"hallo", claim)


def test_a_client_that_leaves_is_told_apart_from_the_end() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def collect() -> None:
        async for _ in raw_body(receive):
            raise AssertionError("there is no body")

    with pytest.raises(BodyDisconnectedError):
        asyncio.run(collect())

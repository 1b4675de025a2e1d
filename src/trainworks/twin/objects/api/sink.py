"""A body on its way to disk: taken out of its framing, hashed, checked against everything the request says about it,
written.

`BodySink` is synchronous and runs in a worker thread; `receive_body` feeds it in large blocks, so that memory stays
bounded by two blocks and the hashing of one overlaps the arrival of the next.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from trainworks.twin.numerals import whole_number
from trainworks.twin.objects import checksums
from trainworks.twin.objects.api.answer import BLOCK_BYTES
from trainworks.twin.objects.api.request import S3Request
from trainworks.twin.objects.blobs import Blobs
from trainworks.twin.objects.errors import S3Error, invalid_request
from trainworks.twin.payload import Verifier, raw_body
from trainworks.twin.sigv4 import PayloadClaim

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MAX_BODY_BYTES = 5 * 1024**3
"""The largest PutObject or UploadPart, as on AWS."""


@dataclass(frozen=True, slots=True)
class Body:
    """A complete, verified body. `etag` is its MD5, `checksum` base64.

    It is on disk, or `unsynced` has its bytes, which are committed with the row that names the blob.
    """

    blob: str
    size: int
    etag: str
    checksum_algorithm: str
    checksum: str
    unsynced: bytes | None = None


class BodySink:
    """One body. `write` takes bytes as they come from the connection; `finish` verifies and makes the blob durable."""

    def __init__(
        self, request: S3Request, claim: PayloadClaim, blobs: Blobs, algorithm: str | None, small_in_row: bool = False
    ) -> None:
        """`algorithm` is computed where the request names none. `small_in_row` where the row takes `unsynced` bytes."""
        headers = request.headers
        self._verifier = Verifier(claim)
        self._expected_size = expected_size(request, claim)
        self._content_md5 = _content_md5(headers.get("content-md5"))
        self._sent = checksums.from_headers(headers)
        self._trailer = checksums.from_trailer_name(headers["x-amz-trailer"]) if "x-amz-trailer" in headers else None
        named = self._sent[0] if self._sent else self._trailer
        self.algorithm = named or algorithm or checksums.DEFAULT
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._checksum = checksums.running(self.algorithm)
        self._writer = blobs.create()
        self._small_in_row = small_in_row

    def write(self, data: bytes | bytearray) -> None:
        for plain in self._verifier.feed(data):
            self._take(plain)

    def finish(self) -> Body:
        """Raises `BadDigest`, `IncompleteBody`, `XAmzContentSHA256Mismatch`, `SignatureDoesNotMatch`."""
        trailers = self._verifier.finish()
        if self._expected_size is not None and self._writer.size != self._expected_size:
            message = "You did not provide the number of bytes specified by the Content-Length HTTP header"
            raise S3Error("IncompleteBody", message, 400)
        if self._content_md5 is not None and not hmac.compare_digest(self._content_md5, self._md5.digest()):
            raise S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.", 400)
        self._verify_checksum(trailers)
        unsynced = None
        if self._small_in_row:
            unsynced = self._writer.finish_small()
        else:
            self._writer.finish()
        return Body(
            blob=self._writer.blob,
            size=self._writer.size,
            etag=self._md5.hexdigest(),
            checksum_algorithm=self.algorithm,
            checksum=checksums.encode(self._checksum.digest()),
            unsynced=unsynced,
        )

    @property
    def finished(self) -> bool:
        """Whether the body is on disk and nothing is left to give up."""
        return self._writer.finished

    def close(self) -> None:
        """Give up a body that was not finished."""
        self._writer.close()

    def _take(self, data: bytes | bytearray) -> None:
        self._md5.update(data)
        self._checksum.update(data)
        self._writer.write(data)
        if self._writer.size > MAX_BODY_BYTES:
            raise entity_too_large(self._writer.size)

    def _verify_checksum(self, trailers: Mapping[str, str]) -> None:
        expected = self._sent[1] if self._sent else None
        if self._trailer is not None:
            expected = trailers.get(checksums.header_name(self._trailer))
            if expected is None:
                raise S3Error(
                    "MalformedTrailerError", "The request contained trailing data that was not well-formed", 400
                )
        if expected is not None:
            checksums.verify(self.algorithm, self._checksum.digest(), expected)


def check_document_digests(headers: Mapping[str, str], body: bytes) -> None:
    """Raise `BadDigest` unless a small body is what its `Content-MD5` and `x-amz-checksum-` headers say."""
    content_md5 = _content_md5(headers.get("content-md5"))
    if content_md5 is not None and content_md5 != hashlib.md5(body, usedforsecurity=False).digest():
        raise S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.", 400)
    sent = checksums.from_headers(headers)
    if sent is not None:
        checksum = checksums.running(sent[0])
        checksum.update(body)
        checksums.verify(sent[0], checksum.digest(), sent[1])


def expected_size(request: S3Request, claim: PayloadClaim) -> int | None:
    """The plain size that the headers announce. Raises `MissingContentLength`, `EntityTooLarge`."""
    name = "x-amz-decoded-content-length" if claim.chunked else "content-length"
    value = request.headers.get(name)
    if value is None:
        if request.headers.get("transfer-encoding", "").lower() == "chunked" and not claim.chunked:
            return None
        raise S3Error("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)
    size = whole_number(value)
    if size is None:
        raise invalid_request(f"The value of {name} is not a number.")
    if size > MAX_BODY_BYTES:
        raise entity_too_large(size)
    return size


def waits(headers: Mapping[str, str]) -> bool:
    """Whether the client sends its body, of more than a block, only when it is told to go on."""
    length = whole_number(headers.get("content-length", "")) or 0
    return headers.get("expect", "").lower() == "100-continue" and length > BLOCK_BYTES


def entity_too_large(size: int) -> S3Error:
    elements = {"ProposedSize": str(size), "MaxSizeAllowed": str(MAX_BODY_BYTES)}
    message = "Your proposed upload exceeds the maximum allowed size"
    return S3Error("EntityTooLarge", message, 400, elements=elements)


async def receive_body(
    receive: Receive,
    begin: Callable[[], BodySink],
    commit: Callable[[Body], Any],
    pool: Executor,
    *,
    waits: bool = False,
) -> Any:
    """Stream a body into the sink that `begin` makes, then `commit` it; gives what `commit` gives.

    `begin`, writing and `commit` run in `pool`: in one go for a body of one block. A client that `waits` with a large
    body until it is asked for it is refused before it sends it.
    """
    loop = asyncio.get_running_loop()
    sink: BodySink | None = None
    pending: asyncio.Future[None] | None = None
    block = bytearray()

    def last() -> Any:
        nonlocal sink
        if sink is None:
            sink = begin()
        if block:
            sink.write(block)
        return commit(sink.finish())

    try:
        if waits:
            sink = await loop.run_in_executor(pool, begin)
        async for data in raw_body(receive):
            block += data
            if len(block) < BLOCK_BYTES:
                continue
            if sink is None:
                sink = await loop.run_in_executor(pool, begin)
            if pending is not None:
                await pending
            pending = loop.run_in_executor(pool, sink.write, block)
            block = bytearray()
        if pending is not None:
            await pending
        return await loop.run_in_executor(pool, last)
    finally:
        if pending is not None and not pending.done():
            await asyncio.wait([pending])
        if sink is not None and not sink.finished:
            await loop.run_in_executor(pool, sink.close)


def _content_md5(header: str | None) -> bytes | None:
    if header is None:
        return None
    try:
        digest = base64.b64decode(header, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise S3Error("InvalidDigest", "The Content-MD5 you specified was invalid.", 400)
    return digest

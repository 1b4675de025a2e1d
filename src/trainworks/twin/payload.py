"""Request bodies, checked against what the signature says about them while they are read.

After "Signature Calculations ... Transferring Payload in Multiple Chunks" (Amazon S3 API Reference).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

from trainworks.twin.ports import ApiError
from trainworks.twin.sigv4 import EMPTY_SHA256, PayloadClaim

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_MAX_CHUNK_HEADER = 4096
_MAX_TRAILERS = 16384


class BodyDisconnectedError(Exception):
    """The client went away in the middle of its body."""


async def raw_body(receive: Receive) -> AsyncIterator[bytes]:
    """The body as it comes from the connection. Raises `BodyDisconnectedError`."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyDisconnectedError
        chunk: bytes = message.get("body", b"")
        if chunk:
            yield chunk
        if not message.get("more_body"):
            return


class Verifier:
    """The one check of a body against what its signature says, while it is read.

    `feed` gives plain bytes: as they came, or taken out of the aws-chunked framing. They are not verified before
    `finish`, so a reader must not act on the body before that.
    """

    def __init__(self, claim: PayloadClaim) -> None:
        self._claim = claim
        self._decoder = _ChunkDecoder(claim) if claim.chunked else None
        self._digest = None if claim.chunked or claim.sha256 is None else hashlib.sha256()

    def feed(self, data: bytes | bytearray) -> Sequence[bytes | bytearray]:
        """Add bytes from the connection; the plain bytes that became available. Raises `ApiError`, as `finish`."""
        if self._decoder is not None:
            return self._decoder.feed(bytes(data))
        if self._digest is not None:
            self._digest.update(data)
        return (data,)

    def finish(self) -> Mapping[str, str]:
        """The last byte was fed: the trailing headers (checksums) by their names.

        Raises `ApiError` `XAmzContentSHA256Mismatch` or `SignatureDoesNotMatch`, `IncompleteBody` for broken framing.
        """
        if self._decoder is not None:
            self._decoder.finish()
            return self._decoder.trailers
        if self._digest is not None:
            _check_digest(self._claim, self._digest.hexdigest())
        return {}


def verified(claim: PayloadClaim, content: bytes, sha256: str) -> bytes:
    """The plain bytes of a whole body whose SHA-256 is known already. Raises what `Verifier` raises."""
    if not claim.chunked:
        _check_digest(claim, sha256)
        return content
    verifier = Verifier(claim)
    plain = b"".join(verifier.feed(content))
    verifier.finish()
    return plain


def _check_digest(claim: PayloadClaim, computed: str) -> None:
    """Raise `XAmzContentSHA256Mismatch` unless the body's digest is the signed one."""
    if claim.sha256 is not None and not hmac.compare_digest(claim.sha256, computed):
        raise ApiError(
            "XAmzContentSHA256Mismatch",
            f"The provided 'x-amz-content-sha256' header does not match what was computed: "
            f"{claim.sha256} was signed, the body has {computed}",
        )


class _ChunkDecoder:
    """Takes aws-chunked framing apart and checks each chunk's signature in its chain."""

    def __init__(self, claim: PayloadClaim) -> None:
        self._claim = claim
        self._buffer = bytearray()
        self._remaining = -1  # bytes of the current chunk still to come; -1: its header is next
        self._digest = hashlib.sha256()
        self._provided = ""
        self._previous = claim.seed_signature
        self._last = False
        self.trailers: dict[str, str] = {}

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes from the connection; the plain bytes that became available."""
        self._buffer += data
        plain: list[bytes] = []
        while not self._last:
            if self._remaining < 0:
                if not self._read_header():
                    break
            elif self._remaining > 0:
                if not self._buffer:
                    break
                part = bytes(self._buffer[: self._remaining])
                del self._buffer[: len(part)]
                self._remaining -= len(part)
                self._digest.update(part)
                plain.append(part)
            elif len(self._buffer) >= 2:
                if self._buffer[:2] != b"\r\n":
                    raise _broken("a chunk does not end where its size says")
                del self._buffer[:2]
                self._check_chunk()
                self._remaining = -1
            else:
                break
        if len(self._buffer) > _MAX_TRAILERS and self._last:
            raise _broken("the trailer is too long")
        return plain

    def finish(self) -> None:
        """The connection's body has ended: check the final chunk and the trailer."""
        if not self._last:
            raise _broken("the final chunk is missing")
        lines = bytes(self._buffer).decode("latin-1").split("\r\n")
        signed = ""
        for line in lines:
            name, separator, value = line.partition(":")
            if separator:
                self.trailers[name.strip().lower()] = value.strip()
                if name.strip().lower() != "x-amz-trailer-signature":
                    signed += f"{name.strip().lower()}:{value.strip()}\n"
        if self._claim.trailer and self._claim.signing_key is not None:
            self._check_trailer(self._claim.signing_key, signed)

    def _read_header(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_CHUNK_HEADER:
                raise _broken("a chunk header is too long")
            return False
        size, _, extension = bytes(self._buffer[:end]).decode("latin-1").partition(";")
        del self._buffer[: end + 2]
        try:
            self._remaining = int(size, 16)
        except ValueError:
            raise _broken(f"{size!r} is not a chunk size") from None
        if self._remaining < 0:
            raise _broken(f"{size!r} is not a chunk size")
        self._provided = extension.removeprefix("chunk-signature=").strip()
        self._digest = hashlib.sha256()
        if self._remaining == 0:
            self._check_chunk()
            self._last = True
        return True

    def _check_chunk(self) -> None:
        claim = self._claim
        if claim.signing_key is None:
            return
        text = "\n".join(
            [
                "AWS4-HMAC-SHA256-PAYLOAD",
                claim.amz_date,
                claim.scope,
                self._previous,
                EMPTY_SHA256,
                self._digest.hexdigest(),
            ]
        )
        self._previous = hmac.new(claim.signing_key, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(self._previous, self._provided):
            raise ApiError("SignatureDoesNotMatch", "The signature of a chunk does not match its content.", 403)

    def _check_trailer(self, signing_key: bytes, signed: str) -> None:
        claim = self._claim
        digest = hashlib.sha256(signed.encode()).hexdigest()
        text = "\n".join(["AWS4-HMAC-SHA256-TRAILER", claim.amz_date, claim.scope, self._previous, digest])
        expected = hmac.new(signing_key, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, self.trailers.get("x-amz-trailer-signature", "")):
            raise ApiError("SignatureDoesNotMatch", "The signature of the trailer does not match its content.", 403)


def _broken(what: str) -> ApiError:
    return ApiError("IncompleteBody", f"The request body is not valid aws-chunked content: {what}.")

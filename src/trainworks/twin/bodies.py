"""Request bodies that are read as a whole: each within its service's limit, all together within one budget.

What was not signed yet lies in memory up to `IN_MEMORY_BYTES` and then in a file without a name. Object data does not
come this way: it is streamed (`objects`).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from trainworks.twin.numerals import whole_number
from trainworks.twin.payload import Message, Receive, raw_body
from trainworks.twin.ports import ApiError

_MIB = 1024 * 1024
IN_MEMORY_BYTES = _MIB
BUDGET_BYTES = 256 * _MIB
OPEN_BODY_BYTES = 64 * 1024
"""The largest answer of a custom resource, whose request no signature covers."""
DEFAULT_BYTES = 8 * _MIB
LIMIT_BYTES: Mapping[str, int] = {
    "lambda": 70 * _MIB,  # a zip file of 50 MB in base64
    "ecr": 32 * _MIB,  # a part of a layer, 20 MiB, in base64
    "sagemaker": 26 * _MIB,  # the body of InvokeEndpoint, 25 MB
    "dynamodb": 18 * _MIB,  # BatchWriteItem, 16 MB
    "kinesis": 12 * _MIB,
    "firehose": 12 * _MIB,
    "iam": 2 * _MIB,  # a form: policy documents of 131,072 characters, some at once when they are simulated
    "sts": _MIB // 2,  # a form: an assertion of 100,000 characters, a policy of 2,048
}
"""The largest request of a service, by the name in its signature, with room for its framing."""


@dataclass(frozen=True, slots=True)
class WholeBody:
    """A body as received, and its SHA-256 in hexadecimal."""

    content: bytes
    sha256: str


class MemoryBudget:
    """Bytes of bodies that all requests together may hold. Used on one event loop."""

    def __init__(self, total: int = BUDGET_BYTES) -> None:
        self._left = total

    @contextmanager
    def hold(self, count: int) -> Iterator[None]:
        """Take `count` bytes for the block.

        Raises `SlowDown` (503, after which clients try again) if they are not free.
        """
        if count > self._left:
            raise ApiError("SlowDown", "The twin holds too many bytes of requests now. Reduce your request rate.", 503)
        self._left -= count
        try:
            yield
        finally:
            self._left += count


def limit_of(service: str) -> int:
    """How many bytes a request to a service may have."""
    return LIMIT_BYTES.get(service, DEFAULT_BYTES)


def announced_size(content_length: str, limit: int) -> int:
    """The bytes that a body takes at most. Raises `RequestEntityTooLarge` if it says itself that it is too large."""
    size = whole_number(content_length)
    if size is None:
        return limit
    if size > limit:
        raise _too_large(limit)
    return size


def body_size(headers: Mapping[str, str], limit: int) -> int:
    """The bytes that a request's body takes at most, by its headers: none where it announces none.

    Raises `RequestEntityTooLarge` as `announced_size` does.
    """
    length = headers.get("content-length", "")
    if not length and not headers.get("transfer-encoding"):
        return 0
    return announced_size(length, limit)


async def read_whole(receive: Receive, limit: int) -> WholeBody:
    """Read a body to its end. Raises `RequestEntityTooLarge`, `BodyDisconnectedError`."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):  # in one piece, as most come
        content: bytes = message.get("body", b"")
        if len(content) > limit:
            raise _too_large(limit)
        return WholeBody(content, hashlib.sha256(content).hexdigest())
    digest = hashlib.sha256()
    first: bytes | None = None
    size = 0
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as spool:
        async for part in raw_body(_again(message, receive)):
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            digest.update(part)
            if first is None:
                first = part
            else:
                if size == len(first) + len(part):
                    spool.write(first)
                spool.write(part)
        if size == len(first or b""):
            return WholeBody(first or b"", digest.hexdigest())
        spool.seek(0)
        return WholeBody(spool.read(), digest.hexdigest())


def _again(message: Message, receive: Receive) -> Receive:
    """As `receive`, with a message before that was received already."""
    before = [message]

    async def received() -> Message:
        return before.pop() if before else await receive()

    return received


def _too_large(limit: int) -> ApiError:
    return ApiError("RequestEntityTooLarge", f"The request body is larger than {limit} bytes.", 413)

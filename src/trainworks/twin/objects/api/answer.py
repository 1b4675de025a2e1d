"""What an operation answers: status, headers, and a body that is in memory or a stretch of a blob."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from trainworks.twin.objects.api import xml
from trainworks.twin.objects.errors import S3Error
from trainworks.twin.ports import ApiError

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileBody:
    """`count` bytes of an open file from `offset`. Whoever sends the answer closes `descriptor`."""

    descriptor: int
    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class Response:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | FileBody = b""


def xml_response(root: str, children: Sequence[xml.Node], headers: Mapping[str, str] | None = None) -> Response:
    return Response(200, {"content-type": "application/xml", **(headers or {})}, xml.document(root, children))


def error_response(error: ApiError, path: str) -> Response:
    """An error as S3 sends it; a 304 has no body."""
    elements = error.elements if isinstance(error, S3Error) else {}
    headers = error.headers if isinstance(error, S3Error) else {}
    request_id = secrets.token_hex(8).upper()
    children: list[xml.Node] = [
        ("Code", error.code),
        ("Message", error.message),
        *elements.items(),
        ("Resource", path),
        ("RequestId", request_id),
        ("HostId", "trainworks"),
    ]
    body = xml.document("Error", children, namespace=False)
    return Response(error.status, {"content-type": "application/xml", "x-amz-request-id": request_id, **headers}, body)


def http_date(seconds: float) -> str:
    return formatdate(seconds, usegmt=True)


async def send_response(answer: Response, send: Send, pool: Executor, *, head: bool = False) -> None:
    """Send an answer; a file goes out in blocks, the next being read while one is sent. HEAD sends no body."""
    body = answer.body
    size = body.count if isinstance(body, FileBody) else len(body)
    headers = {"x-amz-request-id": secrets.token_hex(8).upper(), "x-amz-id-2": "trainworks", **answer.headers}
    if answer.status not in (204, 304):
        headers.setdefault("content-length", str(size))
    raw = [(name.encode("latin-1"), _header_bytes(value)) for name, value in headers.items()]
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        if isinstance(body, FileBody) and not head:
            await _send_file(body, send, pool)
        else:
            await send({"type": "http.response.body", "body": b"" if head else body})
    finally:
        if isinstance(body, FileBody):
            os.close(body.descriptor)


async def _send_file(body: FileBody, send: Send, pool: Executor) -> None:
    loop = asyncio.get_running_loop()
    offset, end = body.offset, body.offset + body.count

    def read(at: int) -> bytes:
        return os.pread(body.descriptor, min(BLOCK_BYTES, end - at), at)

    ahead = loop.run_in_executor(pool, read, offset)
    try:
        while True:
            block = await ahead
            if not block and offset < end:
                raise EOFError(f"a blob ends {end - offset} bytes early")
            offset += len(block)
            if offset >= end:
                await send({"type": "http.response.body", "body": block})
                return
            ahead = loop.run_in_executor(pool, read, offset)
            await send({"type": "http.response.body", "body": block, "more_body": True})
    finally:
        if not ahead.done():
            await asyncio.wait([ahead])


def _header_bytes(value: str) -> bytes:
    """Header values beyond ASCII go out as the UTF-8 that they came in as; line breaks cannot get in."""
    return value.replace("\r", " ").replace("\n", " ").encode("utf-8")

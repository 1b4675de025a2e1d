"""Requests to function URLs at the door: the only ones that need no signature, where a URL says so.

A URL is a path of the twin's own address, `/_lambda-url/ID/...`, as names below `localhost` do not resolve everywhere;
`ID.lambda-url.REGION.localhost` is the same to clients that resolve it. The id is random, so a page that a browser
shows cannot name it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from trainworks.twin.bodies import MemoryBudget, announced_size, read_whole
from trainworks.twin.payload import Receive, verified
from trainworks.twin.ports import URL_PREFIX, ApiError, Caller, FunctionUrls, UrlAnswer, UrlRequest
from trainworks.twin.sigv4 import ALGORITHM, KeyLookup, SignedRequest, verify

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BODY_BYTES = 6 * 1024 * 1024
_MOST_AT_ONCE = 64
_PATH = re.compile(rf"^{URL_PREFIX}(?P<id>[a-z0-9]{{32}})(?P<path>/.*)?$", re.DOTALL)
_LABEL = re.compile(r"^(?P<id>[a-z0-9]{32})\.lambda-url\.[a-z0-9-]+$")


class UrlRequests:
    """Answers them; each waits for its function in a thread of its own, and holds up nobody else's requests."""

    def __init__(self, urls: FunctionUrls, keys: KeyLookup, budget: MemoryBudget, clock: Callable[[], float]) -> None:
        self._urls = urls
        self._keys = keys
        self._budget = budget
        self._clock = clock
        self._threads = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="function-url")

    async def serve(self, named: tuple[str, str], request: SignedRequest, receive: Receive, send: Send) -> None:
        """Answer a request that `named_url` found."""
        url_id, path = named
        loop = asyncio.get_running_loop()
        try:
            with self._budget.hold(announced_size(request.header("content-length"), MOST_BODY_BYTES)):
                whole = await read_whole(receive, MOST_BODY_BYTES)
                auth_type = await loop.run_in_executor(self._threads, self._urls.auth_type, url_id)
                caller, body = self._checked(request, whole.content, whole.sha256, auth_type)
                asked = UrlRequest(url_id, request.method, path, request.raw_query, request.by_name, body)
                answer = await loop.run_in_executor(self._threads, self._urls.answer, asked, caller)
        except ApiError as error:
            answer = self._urls.refusal(error)
        await _send(send, answer, with_body=request.method != "HEAD")

    def _checked(
        self, request: SignedRequest, body: bytes, sha256: str, auth_type: str | None
    ) -> tuple[Caller | None, bytes]:
        """(who signed, the body). A URL for everybody leaves `Authorization` to its function."""
        if auth_type != "AWS_IAM" or not _is_signed(request):
            return None, body
        claim = verify(request, self._keys, self._clock(), sha256)
        if claim.service != "lambda":
            raise ApiError("AccessDeniedException", f"Credential should be scoped to lambda, not {claim.service}.", 403)
        return claim.caller, verified(claim.payload, body, sha256)


def named_url(path: str, label: str) -> tuple[str, str] | None:
    """(id of a URL, path behind it) that a request's raw path or its host's label names; None if neither does."""
    if found := _PATH.match(path):
        return found["id"], found["path"] or "/"
    by_host = _LABEL.match(label)
    return (by_host["id"], path) if by_host else None


def _is_signed(request: SignedRequest) -> bool:
    return request.header("authorization").startswith(ALGORITHM) or "X-Amz-Signature=" in request.raw_query


async def _send(send: Send, answer: UrlAnswer, *, with_body: bool) -> None:
    headers = [(name.encode(), value.encode("utf-8")) for name, value in answer.headers]
    if with_body or answer.body:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})

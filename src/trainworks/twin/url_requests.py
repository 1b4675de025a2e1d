"""Requests to function URLs at the door: the only ones that need no signature, where a URL says so.

A URL is a path of the twin's own address, `/_lambda-url/ID/...`, as names below `localhost` do not resolve everywhere;
`ID.lambda-url.REGION.localhost` is the same to clients that resolve it. The id is random, so a page that a browser
shows cannot name it.
"""

from __future__ import annotations

import asyncio
import re
import weakref
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from trainworks.twin.bodies import MemoryBudget, WholeBody, body_size, read_whole
from trainworks.twin.payload import Receive, verified
from trainworks.twin.ports import URL_PREFIX, ApiError, Caller, FunctionUrls, UrlAnswer, UrlRequest
from trainworks.twin.sigv4 import ALGORITHM, KeyLookup, SignedRequest, verify

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BODY_BYTES = 6 * 1024 * 1024
_MOST_AT_ONCE, _LOOKS_AT_ONCE = 64, 2
_MOST_OF_ONE = 32
"""Requests of one URL at once: further ones wait, and leave the threads to other functions."""
_BUDGET_BYTES = 128 * 1024 * 1024
"""Of all bodies together: who signs nothing takes none of what signed requests may hold."""
_PATH = re.compile(rf"^{URL_PREFIX}(?P<id>[a-z0-9]{{32}})(?P<path>/.*)?$", re.DOTALL)
_LABEL = re.compile(r"^(?P<id>[a-z0-9]{32})\.lambda-url\.[a-z0-9-]+$")


class UrlRequests:
    """Answers them; each waits for its function in a thread of its own, and holds up nobody else's requests."""

    def __init__(self, urls: FunctionUrls, keys: KeyLookup, clock: Callable[[], float]) -> None:
        self._urls = urls
        self._keys = keys
        self._budget = MemoryBudget(_BUDGET_BYTES)
        self._clock = clock
        self._threads = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="function-url")
        self._looks = ThreadPoolExecutor(_LOOKS_AT_ONCE, thread_name_prefix="function-url-look")
        self._places: weakref.WeakValueDictionary[str, asyncio.Semaphore] = weakref.WeakValueDictionary()

    async def serve(self, named: tuple[str, str], request: SignedRequest, receive: Receive, send: Send) -> None:
        """Answer a request that `named_url` found."""
        url_id, path = named
        try:
            auth_type = await asyncio.get_running_loop().run_in_executor(self._looks, self._urls.auth_type, url_id)
            limit = 0 if auth_type is None else MOST_BODY_BYTES  # an id that is no URL's is not read for
            size = body_size(request.by_name, MOST_BODY_BYTES)
            with self._budget.hold(min(size, limit)):
                whole = await read_whole(receive, limit) if limit else WholeBody(b"", "")
                caller, body = self._checked(request, whole.content, whole.sha256, auth_type)
                asked = UrlRequest(url_id, request.method, path, request.raw_query, request.by_name, body)
                answer = await self._answered(asked, caller)
        except ApiError as error:
            answer = self._urls.refusal(error)
        await _send(send, answer, with_body=request.method != "HEAD")

    async def _answered(self, asked: UrlRequest, caller: Caller | None) -> UrlAnswer:
        places = self._places.get(asked.url_id)
        if places is None:
            places = self._places[asked.url_id] = asyncio.Semaphore(_MOST_OF_ONE)
        async with places:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._urls.answer, asked, caller)

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

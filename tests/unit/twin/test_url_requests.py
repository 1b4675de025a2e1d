"""Requests to function URLs at the door: no function takes the threads of all others."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from unittest.mock import Mock

from trainworks.twin.ports import Caller, FunctionUrls, UrlAnswer, UrlRequest
from trainworks.twin.sigv4 import SignedRequest
from trainworks.twin.url_requests import UrlRequests


async def nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def test_a_function_that_never_ends_leaves_others_their_threads() -> None:
    over = threading.Event()
    urls = Mock(spec=FunctionUrls)
    urls.auth_type.return_value = "NONE"

    def answer(asked: UrlRequest, caller: Caller | None) -> UrlAnswer:
        del caller
        if asked.url_id == "slow":
            over.wait()
        return UrlAnswer(200, (), b"")

    urls.answer.side_effect = answer
    requests = UrlRequests(urls, Mock(), lambda: 0.0)

    async def ask(url_id: str) -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await requests.serve((url_id, "/"), SignedRequest("GET", "/", "", []), nothing, send)
        return int(sent[0]["status"])

    async def run() -> list[int]:
        slow = [asyncio.ensure_future(ask("slow")) for _ in range(100)]
        await asyncio.sleep(0)
        try:
            found = [await asyncio.wait_for(ask(f"quick-{number}"), 60) for number in range(5)]
        finally:
            over.set()
        return found + list(await asyncio.gather(*slow))

    assert asyncio.run(run()) == [200] * 105

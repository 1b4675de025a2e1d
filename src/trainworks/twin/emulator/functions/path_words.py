"""A function, version or alias may be called as a word of Lambda's own paths: `url`, `event-invoke-config`.

Stock takes the operation of some requests from words that are anywhere in the path, so that
`/2015-03-31/functions/url-shortener/policy` is a request for a function URL. Here such a word counts where the route of
the operation's model has it.
"""

from __future__ import annotations

import re
from typing import Any, Self
from urllib.parse import unquote

from trainworks.twin.ports import ApiError
from trainworks.twin.wire.call import Request
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.protocols import protocol_of

_LABEL = re.compile(r"\{[^}]*\}")


class RoutedPath(str):
    """A request's path. What is `in` it is what is in its route, where no name stands: `/2021-10-31/functions//url`."""

    __slots__ = ("route",)
    route: str

    @classmethod
    def of(cls, path: str, route: str) -> Self:
        made = cls(path)
        made.route = route
        return made

    def __contains__(self, part: object) -> bool:
        return isinstance(part, str) and part in self.route


def install(lambda_svc: Any) -> None:
    """Lambda was loaded; before anything else takes requests for it."""
    stock = lambda_svc.handle_request

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        return await stock(method, _routed(method, path, headers, query), headers, body, query)

    lambda_svc.handle_request, lambda_svc.unquote = handle_request, _unquoted


def _routed(method: str, path: str, headers: Any, query: Any) -> str:
    model = service_model("lambda")
    request = Request(method, path, headers, query, b"")
    try:
        operation = protocol_of(model, request).operation(model, request)
    except ApiError:  # stock says itself that nothing is there
        return path
    return RoutedPath.of(path, _LABEL.sub("", operation.http["requestUri"].partition("?")[0]))


def _unquoted(text: str) -> str:
    plain = unquote(text)
    return RoutedPath.of(plain, text.route) if isinstance(text, RoutedPath) else plain

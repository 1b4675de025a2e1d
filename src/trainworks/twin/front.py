"""The door: one ASGI application in front of everything, through which only signed requests for this host pass.

    connection -> host check -> key and times -> (body, within its limit) -> signature -> route by the signed service
    -> handler -> answer

A name that a web page could have bound to 127.0.0.1 is refused before anything else (DNS rebinding). Nothing is served
without a signature except the health check, answers to custom resources, which carry their own secret in the path, and
function URLs that say so (`url_requests`).
The signature is checked before the body is read, unless it is made over a digest that only the body can tell.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs

import trainworks
from trainworks.twin import answers, documents
from trainworks.twin.bodies import OPEN_BODY_BYTES, MemoryBudget, announced_size, body_size, limit_of, read_whole
from trainworks.twin.payload import BodyDisconnectedError, verified
from trainworks.twin.ports import ApiError, Caller, FunctionUrls
from trainworks.twin.post_policy import PostPermission, permit
from trainworks.twin.sigv4 import Claim, KeyLookup, PayloadClaim, SignedRequest, Verified, confirm, examine
from trainworks.twin.url_requests import UrlRequests, named_url

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CONTROL_PREFIX = "/_trainworks/"
HEALTH_PATH = "/_trainworks/health"

# localhost and what is below it always means this machine (RFC 6761), so no other party can own such a name.
_LOCAL_HOST = re.compile(r"^(?:127\.0\.0\.1|\[::1\]|(?:(?P<label>[a-z0-9][a-z0-9.-]*)\.)?localhost)(?::\d{1,5})?$")
_S3_LABEL = re.compile(r"^(?:(?P<bucket>.+)\.)?s3(?:[.-][a-z]{2}-[a-z]+-\d)?$")
# Where the emulator takes the answer of a custom resource: the rest of the path is a random token.
_OPEN_PATHS = re.compile(r"^/_ministack/cfn-(?:response|signal)/[A-Za-z0-9-]{16,}$")
# Doors of the emulator that its permission checks do not cover: administration, a Docker registry, load balancers.
_CLOSED_PATHS = ("/_ministack", "/_localstack", "/_aws", "/_alb", "/v2/")

_LOG = logging.getLogger(__name__)


class Response(Protocol):
    """What an endpoint answers (`wire.Response` is one)."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class Endpoint(Protocol):
    """A service of ours; synchronous, run in a thread."""

    def handle(  # noqa: PLR0917 - what an HTTP request consists of
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        query: Mapping[str, list[str]],
        body: bytes,
        caller: Caller,
    ) -> Response: ...


class StreamingHandler(Protocol):
    """Object data: takes the request while its body is still coming. Checks the body against `payload` itself."""

    def wants(self, method: str, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> bool:
        """Whether this request is about object data; everything else of S3 goes on to the emulator."""
        ...

    async def handle(
        self, scope: Scope, receive: Receive, send: Send, caller: Caller, payload: PayloadClaim
    ) -> None: ...

    async def handle_form(
        self, scope: Scope, receive: Receive, send: Send, permit: Callable[[Mapping[str, str]], PostPermission]
    ) -> None:
        """A browser's form, whose signature is in its fields: `permit` checks it with them."""


class Invocations(Protocol):
    """Requests to SageMaker endpoints: answered on the event loop."""

    def wants(self, method: str, path: str) -> bool:
        """Whether this request of SageMaker's is an invocation; everything else goes on to the endpoint."""
        ...

    async def invoke(self, path: str, headers: Mapping[str, str], body: bytes, caller: Caller, send: Send) -> None: ...


Fallback = Callable[[Scope, bytes, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Routes:
    """Who answers what: `control` the twin's own operations, `fallback` all that no endpoint of ours serves."""

    endpoints: Mapping[str, Endpoint]
    objects: StreamingHandler
    invocations: Invocations
    control: Endpoint
    fallback: Fallback
    urls: FunctionUrls


class Front:
    """The ASGI application. `keys` looks up an access key; `clock` gives seconds since the epoch."""

    def __init__(self, keys: KeyLookup, routes: Routes, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._routes = routes
        self._clock = clock
        self._budget = MemoryBudget()
        self._urls = UrlRequests(routes.urls, keys, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        request = SignedRequest(
            scope["method"], scope["raw_path"].decode("ascii"), scope["query_string"].decode("latin-1"), headers
        )
        try:
            await self._serve(request, scope, receive, send)
        except BodyDisconnectedError:
            _LOG.debug("client left during %s %s", request.method, request.raw_path)
        except ApiError as error:
            await answers.send_error(send, request, error)

    async def _serve(self, request: SignedRequest, scope: Scope, receive: Receive, send: Send) -> None:
        label = check_host(request.header("host"))
        if (named := named_url(request.raw_path, label)) is not None:  # by its host, every path is the function's
            await self._urls.serve(named, request, receive, send)
            return
        if request.method == "GET" and scope["path"] == HEALTH_PATH:
            await answers.send_json(send, 200, {"version": trainworks.__version__, "pid": os.getpid()})
            return
        if request.method == "PUT" and _OPEN_PATHS.match(scope["path"]):
            with self._budget.hold(announced_size(request.header("content-length"), OPEN_BODY_BYTES)):
                await self._routes.fallback(scope, (await read_whole(receive, OPEN_BODY_BYTES)).content, send)
            return
        if scope["path"].startswith(_CLOSED_PATHS):
            raise ApiError("AccessDenied", "This path is closed.", 403)
        if _is_form(request):
            scope = _path_style(scope, request, label, "s3")
            bucket = scope["path"].strip("/")
            await self._routes.objects.handle_form(
                scope, receive, send, lambda fields: permit(fields, bucket, self._keys, self._clock())
            )
            return
        claim = examine(request, self._keys, self._clock())
        if isinstance(claim, Claim) and not claim.needs_body:
            claim = confirm(claim)
        service = claim.service if isinstance(claim, Verified) else claim.signature.service
        if service == "sagemaker" and self._routes.invocations.wants(request.method, request.raw_path):
            await self._invoke(claim, request, receive, send)
            return
        scope = _path_style(scope, request, label, service)
        query = parse_qs(request.raw_query, keep_blank_values=True) if request.raw_query else {}
        if isinstance(claim, Verified) and service == "s3":
            objects = self._routes.objects
            if objects.wants(request.method, scope["path"], query, request.by_name):
                await objects.handle(scope, receive, send, claim.caller, claim.payload)
                return
        limit = limit_of(service)
        with self._budget.hold(body_size(request.by_name, limit)):
            whole = await read_whole(receive, limit)
            if isinstance(claim, Claim):
                claim = confirm(claim, whole.sha256)
            body = verified(claim.payload, whole.content, whole.sha256)
            documents.check(service, request.header("content-type"), body)
            await self._route(claim, request, scope, query, body, send)

    async def _invoke(self, claim: Claim | Verified, request: SignedRequest, receive: Receive, send: Send) -> None:
        """A request to an endpoint, whose body is the container's matter alone."""
        limit = limit_of("sagemaker")
        with self._budget.hold(body_size(request.by_name, limit)):
            whole = await read_whole(receive, limit)
            if isinstance(claim, Claim):
                claim = confirm(claim, whole.sha256)
            body = verified(claim.payload, whole.content, whole.sha256)
            await self._routes.invocations.invoke(request.raw_path, request.by_name, body, claim.caller, send)

    async def _route(  # noqa: PLR0917 -- what an HTTP request consists of
        self,
        verified: Verified,
        request: SignedRequest,
        scope: Scope,
        query: Mapping[str, list[str]],
        body: bytes,
        send: Send,
    ) -> None:
        control = scope["path"].startswith(CONTROL_PREFIX)
        endpoint = self._routes.control if control else self._routes.endpoints.get(verified.service)
        if endpoint is None:
            await self._routes.fallback(scope, body, _without_date(send))
            return
        # The path as it was sent: decoded, an ARN in it could not be told from further segments.
        response = await asyncio.to_thread(
            endpoint.handle, request.method, request.raw_path, request.by_name, query, body, verified.caller
        )
        await answers.send_response(send, response.status, response.headers, response.body)


def check_host(host: str) -> str:
    """The label before `localhost` in a Host header, or "". Raises `ApiError` for a name of another machine."""
    match = _LOCAL_HOST.match(host.lower())
    if match is None:
        raise ApiError("AccessDenied", f"The twin serves 127.0.0.1 and localhost, not the host '{host}'.", 403)
    return match["label"] or ""


def _is_form(request: SignedRequest) -> bool:
    """Whether a request posts an object by a form: it is not signed itself, its policy is."""
    return (
        request.method == "POST"
        and request.header("content-type").startswith("multipart/form-data")
        and not request.header("authorization")
        and not request.raw_query
    )


def _path_style(scope: Scope, request: SignedRequest, label: str, service: str) -> Scope:
    """The same request with a bucket that was named by the host moved into the path."""
    if service != "s3" or not label:
        return scope
    match = _S3_LABEL.match(label)
    bucket = match["bucket"] if match else label
    if not bucket:
        return scope
    host = request.header("host").rsplit("localhost", 1)[1]
    headers = [(name, f"localhost{host}".encode() if name == b"host" else value) for name, value in scope["headers"]]
    raw_path = f"/{bucket}{request.raw_path}"
    return {**scope, "path": f"/{bucket}{scope['path']}", "raw_path": raw_path.encode("ascii"), "headers": headers}


def _without_date(send: Send) -> Send:
    """Leave `Date` to the server, which sends it with every answer: twice, it is not a date to clients that read it."""

    async def send_without_date(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message["headers"] if name.lower() != b"date"]
            message = {**message, "headers": kept}
        await send(message)

    return send_without_date

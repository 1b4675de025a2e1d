"""The gates in front of ministack: a request goes on when its model, the table of members and the twin allow it.

Object data of S3 never comes here; the operations on buckets are told apart by ministack itself.
"""

from __future__ import annotations

import asyncio
import logging
import re
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextvars import ContextVar
from functools import cache
from typing import Any
from urllib.parse import parse_qs
from xml.parsers import expat

from trainworks.twin.emulator.members.ledger import Ledger
from trainworks.twin.emulator.page_tokens import PageTokens
from trainworks.twin.emulator.services import BOTOCORE_NAMES, SERVICES
from trainworks.twin.emulator.stock import StockResponse
from trainworks.twin.ports import ApiError
from trainworks.twin.wire.call import Request, Response
from trainworks.twin.wire.gate import Dialect, Gate
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.validation import Broken

UNGATED = frozenset({"s3"})
"""Nothing of ours reads XML by a model; ministack checks what buckets are given."""

_INVALID_PARAMETER = Dialect({"": "InvalidParameterException"})
_VALIDATION_ERROR = Dialect({"": "ValidationError"})
_DIALECTS: dict[str, Dialect] = {
    "budgets": _INVALID_PARAMETER,
    "cloudformation": _VALIDATION_ERROR,
    "ec2": Dialect(
        {Broken.MISSING: "MissingParameter", Broken.UNKNOWN: "UnknownParameter", "": "InvalidParameterValue"},
        {
            Broken.MISSING: "The request must contain the parameter {path}",
            Broken.UNKNOWN: "The parameter {path} is not recognized",
        },
    ),
    "ecr": _INVALID_PARAMETER,
    "iam": _VALIDATION_ERROR,
    "monitoring": Dialect(
        {Broken.MISSING: "MissingParameter", "": "ValidationError"},
        {Broken.MISSING: "The parameter {path} is required."},
    ),
    "resource-groups": Dialect({"": "BadRequestException"}),
    "sns": Dialect({"": "InvalidParameter"}),
    "sqs": Dialect(
        {Broken.MISSING: "MissingParameter", "": "InvalidParameterValue"},
        {Broken.MISSING: "The request must contain the parameter {path}."},
    ),
    "sts": _VALIDATION_ERROR,
    "tagging": _INVALID_PARAMETER,
}


_ERRORS = 300
_SHOWN = 1000
_LOG = logging.getLogger(__name__)
# Characters that are in no XML document, as UTF-8.
_NO_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")

Handler = Callable[..., Awaitable[StockResponse]]
_REQUEST: ContextVar[Request | None] = ContextVar("gated request", default=None)


@cache
def _gate(scope: str) -> Gate:
    return Gate(BOTOCORE_NAMES.get(scope, scope), _DIALECTS.get(scope, Dialect()), Ledger(scope))


async def unserved(service: str, scope: Mapping[str, Any], body: bytes) -> Response | None:
    """The error that answers a request for an operation that is not served, or None if it may go on."""
    if service in UNGATED:
        return None
    gate = _gate(service)
    if not gate.ready:
        # A model is some megabytes of JSON: others do not wait for it.
        await asyncio.to_thread(service_model, gate.service_name)
        gate.ready = True
    request = _request(scope, body)
    _REQUEST.set(request)
    return gate.unserved(request)


def install(handlers: MutableMapping[str, Handler], tokens: PageTokens) -> None:
    """Refuses invalid requests before they reach a handler of ministack; the caller's permission is checked before."""
    for service in SERVICES:
        if service not in UNGATED:
            handlers[service] = _gated(service, handlers[service], tokens)


def _gated(service: str, handler: Handler, tokens: PageTokens) -> Handler:
    async def handle(*arguments: Any) -> StockResponse:
        request = _REQUEST.get()
        if request is None:
            return await handler(*arguments)
        gate = _gate(service)
        refused = gate.invalid(request)
        if refused is not None:
            return refused.status, dict(refused.headers), refused.body
        method, path, given, body, query = arguments
        try:
            body, query, seal = tokens.open(service, gate.operation(request), body, query)
        except ApiError as error:
            refused = gate.refused(request, error)
            return refused.status, dict(refused.headers), refused.body
        status, headers, answer = await handler(method, path, given, body, query)
        sealed = seal(answer) if status < _ERRORS else answer
        readable = _readable(sealed)
        if not _is_whole(readable):
            _LOG.error("%s: ministack's answer is not XML: %r", gate.operation(request).name, readable[:_SHOWN])
            refused = gate.refused(request, ApiError("InternalFailure", "The answer could not be written as XML.", 500))
            return refused.status, dict(refused.headers), refused.body
        return status, headers if readable is answer else _of_body(headers, readable), readable

    return handle


def _of_body(headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """An answer's headers that describe its body, for another body."""
    told = {"content-length": str(len(body)), "x-amz-crc32": str(zlib.crc32(body))}
    return {name: told.get(name.lower(), value) for name, value in headers.items()}


def _readable(body: bytes) -> bytes:
    """An answer that a client can read: what no XML may hold is gone, and a carriage return is not taken for a line."""
    if not isinstance(body, bytes) or not body.startswith(b"<"):
        return body
    return _NO_XML.sub(b"?", body).replace(b"\r", b"&#13;")


def _is_whole(body: bytes) -> bool:
    """Whether an answer is no XML, or XML that a parser takes to its end."""
    if not isinstance(body, bytes) or not body.startswith(b"<"):
        return True
    try:
        expat.ParserCreate().Parse(body, True)
    except expat.ExpatError:
        return False
    return True


def _request(scope: Mapping[str, Any], body: bytes) -> Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return Request(scope["method"], scope["raw_path"].decode("ascii"), headers, query, body)

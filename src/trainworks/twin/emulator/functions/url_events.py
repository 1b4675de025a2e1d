"""A request to a function URL as the function's event, and the function's result as an answer: payload format 2.0.

After "Invoking Lambda function URLs", "Request and response payloads", and "Cross-origin resource sharing". Pure.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from trainworks.twin.ports import UrlAnswer, UrlRequest

_TEXT_TYPES = ("application/json", "application/xml", "application/javascript")
_PRELUDE_END = b"\0" * 8
_TOKEN = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_MOST_HEADER_BYTES = 64 * 1024
"""The longest head of an answer: clients and gateways read no longer one."""
# Headers of the connection, not of the answer: the server sets them.
_CONNECTION_HEADERS = frozenset(
    {"connection", "content-length", "date", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
# Headers with which a function could act as its caller.
_OF_THE_SIGNATURE = frozenset({"authorization", "x-amz-security-token"})
_OF_A_SIGNED_QUERY = frozenset({"x-amz-signature", "x-amz-security-token"})
FAILED = UrlAnswer(502, (("content-type", "application/json"),), b"Internal Server Error")
"""What the caller gets if anything goes wrong in a function; the function's log has the details."""


@dataclass(frozen=True, slots=True)
class UrlIdentity:
    """What an event says about the caller: nothing if the URL admits everybody."""

    account_id: str
    arn: str = ""
    access_key_id: str = ""
    user_id: str = ""


def event_of(request: UrlRequest, region: str, identity: UrlIdentity, request_id: str, now: float) -> dict[str, Any]:
    """The event. `identity.account_id` is `anonymous` for a URL without authentication. `now`: seconds since 1970."""
    domain = f"{request.url_id}.lambda-url.{region}.on.aws"
    headers = request.headers
    context: dict[str, Any] = {
        "accountId": identity.account_id,
        "apiId": request.url_id,
        "domainName": domain,
        "domainPrefix": request.url_id,
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }
    if identity.arn:
        context["authorizer"] = {
            "iam": {
                "accessKey": identity.access_key_id,
                "accountId": identity.account_id,
                "callerId": identity.user_id,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": identity.arn,
                "userId": identity.user_id,
            }
        }
    body, is_base64 = _body(request)
    query = _without_signature(request.query) if identity.arn else request.query
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": query,
        "headers": {
            **{name: value for name, value in headers.items() if not (identity.arn and name in _OF_THE_SIGNATURE)},
            "host": domain,
            "x-amzn-trace-id": f"Root=1-{int(now):08x}-{request_id.replace('-', '')[:24]}",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": context,
        "isBase64Encoded": is_base64,
    }
    if cookies := [each.strip() for each in headers.get("cookie", "").split(";") if each.strip()]:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = _parameters(query)
    if body is not None:
        event["body"] = body
    return event


def _body(request: UrlRequest) -> tuple[str | None, bool]:
    if not request.body:
        return None, False
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in _TEXT_TYPES:
        return request.body.decode(errors="replace"), False
    return base64.b64encode(request.body).decode(), True


def _without_signature(query: str) -> str:
    return "&".join(
        item for item in query.split("&") if unquote_plus(item.partition("=")[0]).lower() not in _OF_A_SIGNED_QUERY
    )


def _parameters(query: str) -> dict[str, str]:
    """Each name once; several values of one are joined by commas."""
    found: dict[str, str] = {}
    for item in filter(None, query.split("&")):
        name, _, value = item.partition("=")
        name, value = unquote_plus(name), unquote_plus(value)
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def answer_of(result: Any) -> UrlAnswer:
    """A handler's result as an answer. A result that cannot be one gives `FAILED`, as a gateway answers.

    A result without `statusCode` is the body itself, with status 200.
    """
    if not isinstance(result, Mapping) or "statusCode" not in result:
        return _sent(200, {}, (), _text(result))
    body = result.get("body")
    content: bytes | None = (body if isinstance(body, str) else _text(body)).encode() if body is not None else b""
    if result.get("isBase64Encoded"):
        content = _decoded(body)
    cookies = result.get("cookies") or ()
    if content is None:
        return FAILED
    return _sent(result["statusCode"], result.get("headers") or {}, cookies, content)


def streamed_answer(payload: bytes) -> UrlAnswer:
    """The answer of a URL that streams: the handler's bytes, behind what `HttpResponseStream` puts before them."""
    kind = {"content-type": "application/octet-stream"}
    head, found, rest = payload.partition(_PRELUDE_END)
    try:
        prelude = json.loads(head) if found else None
    except (ValueError, RecursionError):
        prelude = None
    if not isinstance(prelude, dict):
        return _sent(200, kind, (), payload)
    headers = prelude.get("headers") or {}
    if not isinstance(headers, Mapping):
        return FAILED
    return _sent(prelude.get("statusCode", 200), {**kind, **headers}, prelude.get("cookies") or (), rest)


def _sent(status: Any, headers: Any, cookies: Any, body: str | bytes) -> UrlAnswer:
    try:
        code = int(status)
    except (TypeError, ValueError, OverflowError):
        return FAILED
    if not isinstance(cookies, Sequence) or isinstance(cookies, str):
        return FAILED
    if not 200 <= code < 600 or isinstance(status, bool) or not isinstance(headers, Mapping):
        return FAILED
    lines = {str(name).lower(): _value(value) for name, value in headers.items()}
    sent = [(name, value) for name, value in lines.items() if name not in _CONNECTION_HEADERS]
    if "content-type" not in lines:
        sent.append(("content-type", "application/json"))
    sent += [("set-cookie", str(each)) for each in cookies]
    for name, value in sent:
        if not _TOKEN.match(name) or _UNSENDABLE.search(value):
            return FAILED
    if sum(len(name) + len(value.encode()) + 4 for name, value in sent) > _MOST_HEADER_BYTES:
        return FAILED
    return UrlAnswer(code, tuple(sent), body.encode() if isinstance(body, str) else body)


def _value(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _decoded(body: Any) -> bytes | None:
    try:
        return base64.b64decode(body or b"", validate=True)
    except (binascii.Error, TypeError, ValueError):
        return None


def is_preflight(request: UrlRequest, cors: Mapping[str, Any]) -> bool:
    """Whether a browser asks what it may do, which Lambda answers itself if the URL has a `Cors` configuration."""
    asks = "origin" in request.headers and "access-control-request-method" in request.headers
    return bool(cors) and request.method == "OPTIONS" and asks


def cors_headers(cors: Mapping[str, Any], origin: str, *, preflight: bool) -> list[tuple[str, str]]:
    """The CORS headers of a URL for a page of `origin`; none if its `Cors` configuration does not name the origin."""
    allowed = cors.get("AllowOrigins") or []
    if not origin or not ("*" in allowed or origin in allowed):
        return []
    headers = [("access-control-allow-origin", "*" if "*" in allowed and not cors.get("AllowCredentials") else origin)]
    if headers[0][1] != "*":
        headers.append(("vary", "Origin"))
    if cors.get("AllowCredentials"):
        headers.append(("access-control-allow-credentials", "true"))
    if cors.get("ExposeHeaders"):
        headers.append(("access-control-expose-headers", ",".join(cors["ExposeHeaders"])))
    if preflight:
        for name, member in (("methods", "AllowMethods"), ("headers", "AllowHeaders")):
            if cors.get(member):
                headers.append((f"access-control-allow-{name}", ",".join(cors[member])))
        if cors.get("MaxAge") is not None:
            headers.append(("access-control-max-age", str(cors["MaxAge"])))
    return headers


def with_headers(answer: UrlAnswer, headers: Sequence[tuple[str, str]]) -> UrlAnswer:
    """The answer with these headers in place of its own of the same names."""
    names = {name for name, _ in headers}
    kept = [pair for pair in answer.headers if pair[0] not in names]
    return UrlAnswer(answer.status, (*kept, *headers), answer.body)

"""Answers that the front gives itself: errors in the form that the caller's protocol parses, and small documents."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from xml.sax.saxutils import escape

from trainworks.twin.ports import ApiError
from trainworks.twin.sigv4 import SignedRequest, credential_scope

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# S3 and the JSON services have names of their own for what the Query API calls so.
_S3_CODES = {
    "InvalidClientTokenId": "InvalidAccessKeyId",
    "MissingAuthenticationToken": "AccessDenied",
    "RequestExpired": "AccessDenied",
    "IncompleteSignature": "AuthorizationHeaderMalformed",
}
_JSON_CODES = {
    "InvalidClientTokenId": "UnrecognizedClientException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "RequestTimeTooSkewed": "InvalidSignatureException",
    "ExpiredToken": "ExpiredTokenException",
    "IncompleteSignature": "IncompleteSignatureException",
    "AccessDenied": "AccessDeniedException",
}


async def send_response(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Send one whole answer; Content-Length is added."""
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    if not any(name == b"content-length" for name, _ in pairs):
        pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def send_json(send: Send, status: int, document: Mapping[str, object]) -> None:
    """Send a JSON document."""
    await send_response(send, status, {"content-type": "application/json"}, json.dumps(document).encode())


async def send_error(send: Send, request: SignedRequest, error: ApiError) -> None:
    """Answer an error as the caller's client expects it. A body that is still coming is left to the connection."""
    status, headers, body = error_response(request, error)
    if request.method == "HEAD":
        body = b""
    await send_response(send, status, headers, body)


def error_response(request: SignedRequest, error: ApiError) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of an error in the protocol that the request speaks: S3, EC2, Query, CBOR or JSON."""
    service = credential_scope(request)[0]
    request_id = secrets.token_hex(8)
    headers = {"x-amzn-requestid": request_id, "x-amz-request-id": request_id.upper()}
    content_type = request.header("content-type")
    if service == "s3" or _could_be_s3(service, request):
        body = _s3_error(_S3_CODES.get(error.code, error.code), error.message, request, request_id)
        return error.status, {**headers, "content-type": "application/xml"}, body
    if "x-www-form-urlencoded" in content_type or "Action=" in request.raw_query:
        body = _query_error(service, error, request_id)
        return error.status, {**headers, "content-type": "text/xml"}, body
    code = _JSON_CODES.get(error.code, error.code)
    if "cbor" in content_type:
        fields = {"__type": code, "message": error.message}
        body = b"\xa2" + b"".join(_cbor_text(text) for pair in fields.items() for text in pair)
        return error.status, {**headers, "content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, body
    document = json.dumps({"__type": code, "message": error.message}).encode()
    return error.status, {**headers, "content-type": "application/x-amz-json-1.1", "x-amzn-errortype": code}, document


def _could_be_s3(service: str, request: SignedRequest) -> bool:
    """Whether an unsigned request is one of S3, the only service whose operations have no name in the request."""
    return not service and not request.header("content-type") and "Action=" not in request.raw_query


def _s3_error(code: str, message: str, request: SignedRequest, request_id: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        f"<Resource>{escape(request.raw_path)}</Resource><RequestId>{request_id}</RequestId></Error>"
    ).encode()


def _query_error(service: str, error: ApiError, request_id: str) -> bytes:
    code, message = escape(error.code), escape(error.message)
    if service == "ec2":
        return (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        ).encode()
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def _cbor_text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 24:
        return bytes([0x60 + len(raw)]) + raw
    return b"\x7a" + len(raw).to_bytes(4, "big") + raw

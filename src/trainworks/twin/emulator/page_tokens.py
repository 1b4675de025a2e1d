"""Seals the page tokens of ministack, and opens them when they come back; a token that was never issued is refused.

ministack's own tokens are numbers and names, which each service reads in its own way. A sealed token belongs to one
operation, stays valid over a restart, and cannot be forged. botocore's models say which members are tokens.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from html import escape, unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from trainworks.twin.ports import ApiError
from trainworks.twin.wire.protocols import cbor

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

_NAMES = frozenset({"nexttoken", "paginationtoken", "marker", "nextmarker"})
_MARK_BYTES = 12
_CBOR_MAP = 5
_CODES = {
    "cloudformation": "ValidationError",
    "ec2": "InvalidNextToken",
    "ecr": "InvalidParameterException",
    "iam": "ValidationError",
    "lambda": "InvalidParameterValueException",
    "monitoring": "InvalidNextToken",
    "resource-groups": "BadRequestException",
    "sns": "InvalidParameter",
    "sqs": "InvalidParameterValue",
}
"""By service, if the model names no error for a bad token; "ValidationException" for all others."""


@dataclass(frozen=True, slots=True)
class TokenMembers:
    """An operation's member for tokens: `member` in the model, `sent` and `given` on the wire of request and response.

    `location` is where the request has it (body, querystring); `code` the error for a bad one.
    """

    member: str
    sent: str
    given: str
    location: str
    code: str


@lru_cache(maxsize=1024)
def _members_of(service: str, operation: OperationModel) -> TokenMembers | None:
    if operation.input_shape is None or operation.output_shape is None:
        return None
    asked, given = _token(operation.input_shape), _token(operation.output_shape)
    if asked is None or given is None:
        return None
    shape: Shape = operation.input_shape.members[asked]
    of_output: Shape = operation.output_shape.members[given]
    sent = asked if operation.service_model.metadata["protocol"] == "ec2" else shape.serialization.get("name", asked)
    return TokenMembers(
        asked,
        sent,
        of_output.serialization.get("name", given),
        shape.serialization.get("location", "body"),
        _code(service, operation),
    )


def _token(shape: Any) -> str | None:
    names = (name for name, member in shape.members.items() if member.type_name == "string")
    return next((name for name in names if name.lower() in _NAMES), None)


def _code(service: str, operation: OperationModel) -> str:
    """The error code for a bad token, as the operation's model names it; the one for expired tokens does not count."""
    named = [
        str(shape.metadata.get("error", {}).get("code", shape.name))
        for shape in operation.error_shapes
        if re.match(r"Invalid.*(Token|Marker)", shape.name)
    ]
    return named[0] if named else _CODES.get(service, "ValidationException")


class PageTokens:
    """`secret` is the same at each start, so that tokens stay valid."""

    def __init__(self, secret: str) -> None:
        self._key = sha256(b"page tokens\0" + secret.encode()).digest()

    def open(
        self, service: str, operation: OperationModel, body: Any, query: Mapping[str, list[str]]
    ) -> tuple[Any, Mapping[str, list[str]], Callable[[Any], Any]]:
        """Body and query with the token opened, for ministack, and a function that seals the token in its answer.

        Raises `ApiError` for a token that this operation did not issue.
        """
        members = _members_of(service, operation)
        if members is None:
            return body, query, lambda answer: answer
        bound = f"{service}:{operation.name}"

        def opened(token: str) -> str:
            return self._opened(bound, token, members)

        if members.location == "querystring":
            query = _with_query(query, members.sent, opened)
        elif (document := _document(body)) is not None:
            body = _with_document(body, document, members.sent, opened)
        else:
            body, query = _with_form(body, members.sent, opened), _with_query(query, members.sent, opened)
        return (
            body,
            query,
            lambda answer: _sealed_answer(answer, members.given, lambda token: self._sealed(bound, token)),
        )

    def _sealed(self, bound: str, token: str) -> str:
        return base64.b64encode(self._mark(bound, token) + token.encode()).decode()

    def _opened(self, bound: str, sealed: str, members: TokenMembers) -> str:
        try:
            data = base64.b64decode(sealed.encode("ascii"), validate=True)
            mark, token = data[:_MARK_BYTES], data[_MARK_BYTES:].decode()
        except (UnicodeError, binascii.Error):
            mark, token = b"", ""
        if not hmac.compare_digest(mark, self._mark(bound, token)):
            raise ApiError(members.code, f"The specified {members.member} is invalid.")
        return token

    def _mark(self, bound: str, token: str) -> bytes:
        return hmac.digest(self._key, f"{bound}\0{token}".encode(), "sha256")[:_MARK_BYTES]


def _with_query(query: Mapping[str, list[str]], name: str, opened: Callable[[str], str]) -> Mapping[str, list[str]]:
    given = query.get(name)
    if not given or not any(given):
        return query
    return {**query, name: [opened(each) for each in given]}


def _with_form(body: Any, name: str, opened: Callable[[str], str]) -> Any:
    text = body.decode("utf-8", "surrogateescape") if isinstance(body, bytes) else body
    if not text or (f"{name}=" not in text and "%" not in text):
        return body
    pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    if all(key != name for key, _ in pairs):
        return body
    changed = [(key, opened(value) if key == name and value else value) for key, value in pairs]
    return urlencode(changed, errors="surrogateescape").encode() if isinstance(body, bytes) else urlencode(changed)


def _document(body: Any) -> dict[str, Any] | None:
    """The document in a body of JSON or CBOR; None for any other. Raises `ApiError` for JSON in UTF-16 or -32."""
    if _is_cbor(body):
        read = cbor.decode(body)
    elif isinstance(body, str | bytes) and body.lstrip()[:1] in (b"{", "{"):
        read = json.loads(body)
    elif isinstance(body, bytes) and json.detect_encoding(body) != "utf-8":
        raise ApiError("SerializationException", "The request is not JSON in UTF-8.", 400)
    else:
        return None
    return read if isinstance(read, dict) else None


def _is_cbor(body: Any) -> bool:
    return isinstance(body, bytes) and bool(body) and body[0] >> 5 == _CBOR_MAP


def _with_document(body: Any, document: dict[str, Any], name: str, changed: Callable[[str], str]) -> Any:
    token = document.get(name)
    if not isinstance(token, str) or not token:
        return body
    document |= {name: changed(token)}
    return cbor.encode(document) if _is_cbor(body) else json.dumps(document).encode()


def _sealed_answer(answer: Any, name: str, sealed: Callable[[str], str]) -> Any:
    raw = answer.encode() if isinstance(answer, str) else answer
    if name.encode() not in raw:
        return answer
    if raw.lstrip().startswith(b"<"):
        pattern = rf"<{name}>([^<]+)</{name}>"
        text = raw.decode("utf-8", "replace")
        return re.sub(pattern, lambda found: f"<{name}>{escape(sealed(unescape(found[1])))}</{name}>", text).encode()
    document = _document(raw)
    return answer if document is None else _with_document(raw, document, name, sealed)

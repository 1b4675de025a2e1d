"""The members of a request that ministack answers, by botocore's names: read for the checks that need them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs
from xml.etree.ElementTree import ParseError, fromstring

from trainworks.twin.ports import ApiError
from trainworks.twin.wire.call import Request
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.protocols import protocol_of


def request_members(scope: MutableMapping[str, Any], body: bytes, service: str, operation: str) -> Mapping[str, Any]:
    """The members of the operation's input. Raises `ApiError` for what cannot be read."""
    if service == "s3":
        return _s3_members(scope, body)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    request = Request(scope["method"], scope["path"], headers, query, body)
    model = service_model(service)
    return protocol_of(model, request).parse(model.operation_model(operation), request)


def _s3_members(scope: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """The bucket, a policy's text, and the role of a replication: S3 speaks XML; nothing more is read from it here."""
    members: dict[str, Any] = {"Bucket": scope["path"].strip("/").split("/", 1)[0]}
    query = scope["query_string"].decode("latin-1")
    if query.startswith("policy"):
        members["Policy"] = body.decode("utf-8", "replace")
    elif query.startswith("replication") and body:
        if b"<!" in body:
            raise _malformed()
        try:
            root = fromstring(body)  # noqa: S314 - without a document type there is nothing to expand
        except ParseError as error:
            raise _malformed() from error
        roles = [element.text for element in root.iter() if element.tag.rpartition("}")[2] == "Role"]
        members["ReplicationConfiguration"] = {"Role": roles[0] if roles else None}
    return members


def _malformed() -> ApiError:
    return ApiError("MalformedXML", "The XML you provided was not well-formed or did not validate", 400)

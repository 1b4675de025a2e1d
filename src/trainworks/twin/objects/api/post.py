"""PostObject: a browser's form becomes a PutObject whose headers are the form's fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from concurrent.futures import Executor
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from trainworks.twin.objects.api import xml
from trainworks.twin.objects.api.answer import Response
from trainworks.twin.objects.api.form import Form
from trainworks.twin.objects.api.request import S3Request, checked_key
from trainworks.twin.objects.api.sink import Receive, receive_body
from trainworks.twin.objects.api.writes import PutObject
from trainworks.twin.objects.errors import S3Error, invalid_argument
from trainworks.twin.objects.store import TwinObjectStore
from trainworks.twin.payload import raw_body
from trainworks.twin.post_policy import PostPermission
from trainworks.twin.s3_headers import refuse_unsupported
from trainworks.twin.sigv4 import PayloadClaim

Permit = Callable[[Mapping[str, str]], PostPermission]

_HEADERS = ("cache-control", "content-type", "content-disposition", "content-encoding", "expires")
_OF_POLICY = frozenset(f"x-amz-{name}" for name in ("algorithm", "credential", "date", "signature", "security-token"))
_STATUSES = {"200": 200, "201": 201}


async def post_object(
    store: TwinObjectStore, scope: MutableMapping[str, Any], receive: Receive, permit: Permit, pool: Executor
) -> Response:
    """Take a form. `permit` checks its fields once they are there, before the file is read."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    form = Form(headers.get("content-type", ""))
    body = raw_body(receive)
    first = b""
    async for data in body:
        first = form.feed(data)
        if form.at_file:
            break
    else:
        form.finish()
    fields = {**form.fields, "key": form.fields.get("key", "").replace("${filename}", form.file_name)}
    if not fields["key"]:
        raise invalid_argument("Bucket POST must contain a field named 'key'.", "key", "")
    permission = permit(fields)
    bucket = scope["path"].strip("/")
    request = S3Request(
        "PUT", bucket, checked_key(fields["key"]), {}, _headers(fields), permission.caller, f"/{bucket}"
    )
    refuse_unsupported(request.headers)
    size = 0

    async def receive_file() -> MutableMapping[str, Any]:
        """The file's bytes alone, as if they were a body, within the policy's range."""
        nonlocal first, size
        data, first = first, b""
        if not data and not form.complete:
            coming = await anext(body, None)
            if coming is None:
                form.finish()
            data = form.feed(coming or b"")
        size += len(data)
        if permission.most_bytes is not None and size > permission.most_bytes:
            elements = {"ProposedSize": str(size), "MaxSizeAllowed": str(permission.most_bytes)}
            message = "Your proposed upload exceeds the maximum allowed size"
            raise S3Error("EntityTooLarge", message, 400, elements=elements)
        if form.complete and size < permission.least_bytes:
            elements = {"ProposedSize": str(size), "MinSizeAllowed": str(permission.least_bytes)}
            message = "Your proposed upload is smaller than the minimum allowed size"
            raise S3Error("EntityTooSmall", message, 400, elements=elements)
        return {"type": "http.request", "body": data, "more_body": not form.complete}

    put = PutObject(store, request, PayloadClaim())
    stored: Response = await receive_body(receive_file, put.begin, put.commit, pool)
    return _answer(fields, stored, headers.get("host", "localhost"), bucket, request.key)


def _headers(fields: Mapping[str, str]) -> dict[str, str]:
    headers = {
        name: value
        for name, value in fields.items()
        if name in _HEADERS or (name.startswith("x-amz-") and name not in _OF_POLICY)
    }
    if "acl" in fields:
        headers["x-amz-acl"] = fields["acl"]
    if "tagging" in fields:
        tag_set = xml.parse(fields["tagging"].encode(), "Tagging").find("TagSet")
        tags = [] if tag_set is None else [(xml.required(tag, "Key"), xml.required(tag, "Value")) for tag in tag_set]
        headers["x-amz-tagging"] = urlencode(tags)
    return {**headers, "transfer-encoding": "chunked"}


def _answer(fields: Mapping[str, str], stored: Response, host: str, bucket: str, key: str) -> Response:
    etag = stored.headers["etag"]
    location = f"http://{host}/{bucket}/{quote(key)}"
    headers = {**stored.headers, "location": location}
    redirect = fields.get("success_action_redirect") or fields.get("redirect")
    if redirect and urlsplit(redirect).scheme in ("http", "https"):
        told = urlencode({"bucket": bucket, "key": key, "etag": etag})
        return Response(303, {**headers, "location": f"{redirect}{'&' if '?' in redirect else '?'}{told}"})
    status = _STATUSES.get(fields.get("success_action_status", ""), 204)
    if status != 201:
        return Response(status, headers)
    children: list[xml.Node] = [("Location", location), ("Bucket", bucket), ("Key", key), ("ETag", etag)]
    body = xml.document("PostResponse", children, namespace=False)
    return Response(201, {**headers, "content-type": "application/xml"}, body)

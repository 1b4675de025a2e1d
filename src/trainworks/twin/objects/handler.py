"""The HTTP face of object data: which operation a request is, run where it may block, answered as S3 answers.

    scope -> operation -> (body streamed to disk | body read | no body) -> operation in a worker thread -> answer

The front has verified the signature and made the request path-style. What object data does not execute is refused with
`NotImplemented` and its name; bucket operations go to the emulator.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from trainworks.twin.objects.api import listing, multipart, post, reads, tagging, writes
from trainworks.twin.objects.api.answer import Response, Send, error_response, send_response
from trainworks.twin.objects.api.request import S3Request
from trainworks.twin.objects.api.sink import Receive, check_document_digests, receive_body, waits
from trainworks.twin.objects.errors import S3Error, invalid_request, not_implemented
from trainworks.twin.objects.store import TwinObjectStore
from trainworks.twin.payload import BodyDisconnectedError, Verifier, raw_body
from trainworks.twin.ports import ApiError, Caller
from trainworks.twin.s3_headers import refuse_unsupported
from trainworks.twin.sigv4 import PayloadClaim

_LOG = logging.getLogger(__name__)
_THREADS = 16
_DOCUMENT_BYTES_MAX = 4 << 20

_PLAIN: Mapping[str, Callable[[TwinObjectStore, S3Request], Response]] = {
    "GetObject": reads.get_object,
    "HeadObject": reads.head_object,
    "GetObjectAttributes": reads.get_object_attributes,
    "CopyObject": writes.copy_object,
    "DeleteObject": writes.delete_object,
    "CreateMultipartUpload": multipart.create_multipart_upload,
    "UploadPartCopy": multipart.upload_part_copy,
    "AbortMultipartUpload": multipart.abort_multipart_upload,
    "ListParts": multipart.list_parts,
    "GetObjectTagging": tagging.get_object_tagging,
    "DeleteObjectTagging": tagging.delete_object_tagging,
    "ListObjects": listing.list_objects,
    "ListObjectsV2": listing.list_objects_v2,
    "ListObjectVersions": listing.list_object_versions,
    "ListMultipartUploads": multipart.list_multipart_uploads,
}
_WITH_DOCUMENT: Mapping[str, Callable[[TwinObjectStore, S3Request, bytes], Response]] = {
    "DeleteObjects": writes.delete_objects,
    "CompleteMultipartUpload": multipart.complete_multipart_upload,
    "PutObjectTagging": tagging.put_object_tagging,
}
_STREAMED: Mapping[
    str, Callable[[TwinObjectStore, S3Request, PayloadClaim], writes.PutObject | multipart.UploadPart]
] = {
    "PutObject": writes.PutObject,
    "UploadPart": multipart.UploadPart,
}
OPERATIONS = frozenset({*_PLAIN, *_WITH_DOCUMENT, *_STREAMED})
"""What is executed, by the operation names of the S3 API."""

REFUSED = {
    ("GET", "acl"): "GetObjectAcl",
    ("PUT", "acl"): "PutObjectAcl",
    ("GET", "legal-hold"): "GetObjectLegalHold",
    ("PUT", "legal-hold"): "PutObjectLegalHold",
    ("GET", "retention"): "GetObjectRetention",
    ("PUT", "retention"): "PutObjectRetention",
    ("GET", "torrent"): "GetObjectTorrent",
    ("POST", "restore"): "RestoreObject",
    ("POST", "select"): "SelectObjectContent",
    ("PUT", "renameObject"): "RenameObject",
    ("PUT", "encryption"): "UpdateObjectEncryption",
    ("GET", "annotation"): "GetObjectAnnotation",
    ("PUT", "annotation"): "PutObjectAnnotation",
    ("DELETE", "annotation"): "DeleteObjectAnnotation",
    ("GET", "annotations"): "ListObjectAnnotations",
}
"""Operations on objects that are refused by name, by method and sub-resource."""

_OBJECT = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
_TAGGING = {"GET": "GetObjectTagging", "PUT": "PutObjectTagging", "DELETE": "DeleteObjectTagging"}
_UPLOAD = {
    "GET": "ListParts",
    "PUT": "UploadPart",
    "POST": "CompleteMultipartUpload",
    "DELETE": "AbortMultipartUpload",
}
_LISTING_PARAMETERS = frozenset(
    {"list-type", "prefix", "delimiter", "marker", "max-keys", "encoding-type"}
    | {"continuation-token", "start-after", "fetch-owner", "x-id"}
)


def operation_of(  # noqa: PLR0911 -- a table of the API
    method: str, key: str, query: Mapping[str, Any], headers: Mapping[str, str]
) -> str | None:
    """The S3 operation on object data that a request is; None if it is one on a bucket or on the service.

    Raises `NotImplemented` for an operation on an object that is not executed.
    """
    if not key:
        return _bucket_operation(method, query)
    for (refused_method, resource), name in REFUSED.items():
        if method == refused_method and resource in query:
            raise not_implemented(name)
    if "uploadId" in query and method in _UPLOAD:
        copies = method == "PUT" and "x-amz-copy-source" in headers
        return "UploadPartCopy" if copies else _UPLOAD[method]
    if method == "POST" and "uploads" in query:
        return "CreateMultipartUpload"
    if "tagging" in query and method in _TAGGING:
        return _TAGGING[method]
    if method == "GET" and "attributes" in query:
        return "GetObjectAttributes"
    if method == "PUT" and "x-amz-copy-source" in headers:
        return "CopyObject"
    if method not in _OBJECT:
        raise not_implemented(f"{method} on an object")
    return _OBJECT[method]


def _bucket_operation(method: str, query: Mapping[str, Any]) -> str | None:
    if method == "POST" and "delete" in query:
        return "DeleteObjects"
    if method != "GET":
        return None
    for name, operation in (("versions", "ListObjectVersions"), ("uploads", "ListMultipartUploads")):
        if name in query:
            return operation
    others = [name for name in query if name not in _LISTING_PARAMETERS and not _is_of_signature(name)]
    if others:
        return None
    return "ListObjectsV2" if "list-type" in query else "ListObjects"


def _is_of_signature(name: str) -> bool:
    return name.lower().startswith("x-amz-") or name in ("AWSAccessKeyId", "Signature", "Expires")


class ObjectHandler:
    """`front.StreamingHandler` over one store."""

    def __init__(self, store: TwinObjectStore) -> None:
        self._store = store
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="objects")

    def close(self) -> None:
        """Wait for what runs. No request may come after it."""
        self._pool.shutdown()

    def wants(self, method: str, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> bool:
        """Whether a path-style request is about object data, be it to refuse it."""
        bucket, _, key = path.removeprefix("/").partition("/")
        return bool(bucket) and (bool(key) or _bucket_operation(method, query) is not None)

    async def handle(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, caller: Caller, payload: PayloadClaim
    ) -> None:
        """Answer one request. Raises `BodyDisconnectedError` if the client left in the middle of its body."""

        async def answer() -> Response:
            return await self._answer(S3Request.from_scope(scope, caller), receive, payload)

        await self._send(answer, scope, send)

    async def handle_form(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, permit: post.Permit
    ) -> None:
        """Answer a form that posts an object; `permit` says whether its signed policy lets its fields."""

        async def answer() -> Response:
            return await post.post_object(self._store, scope, receive, permit, self._pool)

        await self._send(answer, scope, send)

    async def _send(
        self, answering: Callable[[], Awaitable[Response]], scope: MutableMapping[str, Any], send: Send
    ) -> None:
        path = scope["raw_path"].decode("ascii")
        head = scope["method"] == "HEAD"
        try:
            answer = await answering()
        except ApiError as error:
            answer = error_response(error, path)
        except BodyDisconnectedError:
            raise
        except Exception:  # noqa: BLE001 -- recorded with its traceback; the client gets S3's InternalError
            _LOG.exception("%s %s failed", scope["method"], path)
            message = "We encountered an internal error. Please try again."
            answer = error_response(S3Error("InternalError", message, 500), path)
        await send_response(answer, send, self._pool, head=head)

    async def _answer(self, request: S3Request, receive: Receive, payload: PayloadClaim) -> Response:
        operation = operation_of(request.method, request.key, request.query, request.headers)
        loop = asyncio.get_running_loop()
        refuse_unsupported(request.headers)
        if operation is None:
            raise not_implemented(f"{request.method} on a bucket's objects")
        if operation in _STREAMED:
            streamed = _STREAMED[operation](self._store, request, payload)
            answer: Response = await receive_body(
                receive, streamed.begin, streamed.commit, self._pool, waits=waits(request.headers)
            )
            return answer
        if operation in _WITH_DOCUMENT:
            body = await _read_document(operation, request, receive, payload)
            return await loop.run_in_executor(self._pool, _WITH_DOCUMENT[operation], self._store, request, body)
        return await loop.run_in_executor(self._pool, _PLAIN[operation], self._store, request)


async def _read_document(operation: str, request: S3Request, receive: Receive, payload: PayloadClaim) -> bytes:
    """A small body, checked against its signature and its `Content-MD5` and checksum headers."""
    verifier = Verifier(payload)
    parts: list[bytes | bytearray] = []
    size = 0
    async for part in raw_body(receive):
        size += len(part)
        if size > _DOCUMENT_BYTES_MAX:
            raise invalid_request(f"The request's XML document is larger than {_DOCUMENT_BYTES_MAX} bytes.")
        parts += verifier.feed(part)
    verifier.finish()
    body = b"".join(parts)
    if operation != "CompleteMultipartUpload":  # whose checksum headers are about the object
        check_document_digests(request.headers, body)
    return body

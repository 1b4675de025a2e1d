"""PutObject, CopyObject, DeleteObject and DeleteObjects."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from urllib.parse import unquote

from trainworks.twin.bucket_config import Bucket
from trainworks.twin.objects import checksums
from trainworks.twin.objects.api import attributes, xml
from trainworks.twin.objects.api.answer import BLOCK_BYTES, Response, xml_response
from trainworks.twin.objects.api.reads import find
from trainworks.twin.objects.api.request import S3Request
from trainworks.twin.objects.api.sink import MAX_BODY_BYTES, Body, BodySink, entity_too_large
from trainworks.twin.objects.conditions import check_copy_source, write_precondition
from trainworks.twin.objects.errors import (
    invalid_argument,
    invalid_request,
    malformed_xml,
    not_implemented,
    precondition_failed,
)
from trainworks.twin.objects.records import Attributes, Checksum, NewVersion, ObjectVersion
from trainworks.twin.objects.store import TwinObjectStore
from trainworks.twin.ports import ApiError
from trainworks.twin.sigv4 import PayloadClaim

_DELETES_MAX = 1000


@dataclass(frozen=True, slots=True)
class Write:
    """A permitted write: what the object will have, once its body is there."""

    bucket: Bucket
    attributes: Attributes
    tags: dict[str, str]


def permitted_write(store: TwinObjectStore, request: S3Request) -> Write:
    """Check what can be checked before the body. Raises `AccessDenied`, `NoSuchBucket`, `InvalidArgument` ..."""
    bucket = store.access.bucket(request.bucket)
    request.check_owner(bucket)
    attributes.refuse_grants(request.headers)
    tags = attributes.asked_tags(request.headers)
    context = attributes.write_context(request.headers, tags)
    store.access.object(request.caller, "s3:PutObject", request.bucket, request.key, context)
    if tags:
        store.access.object(request.caller, "s3:PutObjectTagging", request.bucket, request.key, context)
    encryption = store.access.encrypt(request.caller, attributes.asked_encryption(request.headers, bucket))
    return Write(bucket, attributes.written_attributes(request.headers, encryption), tags)


class PutObject:
    """One PutObject: `begin` before its body, `commit` after it."""

    _write: Write  # what `begin` permitted

    def __init__(self, store: TwinObjectStore, request: S3Request, claim: PayloadClaim) -> None:
        self._store = store
        self._request = request
        self._claim = claim

    def begin(self) -> BodySink:
        self._write = permitted_write(self._store, self._request)
        write_precondition(self._request.headers)
        return BodySink(self._request, self._claim, self._store.blobs, None, small_in_row=True)

    def commit(self, body: Body) -> Response:
        checksum = Checksum(body.checksum_algorithm, body.checksum)
        new = NewVersion(
            bucket=self._request.bucket,
            key=self._request.key,
            blob=body.blob,
            size=body.size,
            etag=body.etag,
            attributes=replace(self._write.attributes, checksum=checksum),
            tags=self._write.tags,
            unsynced=body.unsynced,
        )
        version = committed(self._store, self._request, new, "s3:ObjectCreated:Put")
        headers = {
            "etag": f'"{version.etag}"',
            **attributes.encryption_headers(version.attributes.encryption),
            **attributes.checksum_headers(checksum.algorithm, checksum.value, checksum.type),
            **attributes.version_headers(self._store.access.bucket(self._request.bucket), version),
        }
        return Response(200, headers)


def committed(store: TwinObjectStore, request: S3Request, new: NewVersion, event_name: str) -> ObjectVersion:
    """Commit a version under the request's conditions; a blob that is refused is removed at once."""
    try:
        return store.commit(new, event_name, request.caller, write_precondition(request.headers))
    except BaseException:
        store.blobs.remove(new.blob)
        raise


def copy_object(store: TwinObjectStore, request: S3Request) -> Response:
    """After the botocore shapes `CopyObjectRequest` and `CopyObjectOutput`; the bytes are shared, not copied."""
    source_request = copy_source(request)
    write = permitted_write(store, request)
    replaces_tags = request.headers.get("x-amz-tagging-directive", "COPY").upper() == "REPLACE"
    found = find(store, source_request)
    source = found.version
    if source.tags and not replaces_tags:
        context = attributes.existing_tags_context(source)
        store.access.object(request.caller, "s3:GetObjectTagging", source.bucket, source.key, context)
        store.access.object(request.caller, "s3:PutObjectTagging", request.bucket, request.key, context)
    check_copy_source(request.headers, source)
    attributes.check_not_archived(source)
    store.access.decrypt(request.caller, source.attributes.encryption)
    if source.size > MAX_BODY_BYTES:
        raise entity_too_large(source.size)
    _refuse_pointless(request, source, replaces_tags)
    new = _copied(store, request, source, write, write.tags if replaces_tags else dict(source.tags))
    version = committed(store, request, new, "s3:ObjectCreated:Copy")
    headers = attributes.encryption_headers(version.attributes.encryption)
    headers |= attributes.version_headers(write.bucket, version)
    if found.bucket.versioning:
        headers["x-amz-copy-source-version-id"] = source.version_id
    return xml_response(
        "CopyObjectResult", copy_result(version.etag, version.last_modified, version.attributes.checksum), headers
    )


def copy_result(etag: str, last_modified: float, checksum: Checksum | None) -> list[xml.Node]:
    return [
        ("ETag", f'"{etag}"'),
        ("LastModified", xml.timestamp(last_modified)),
        *([(f"Checksum{checksum.algorithm}", checksum.value), ("ChecksumType", checksum.type)] if checksum else []),
    ]


def copy_source(request: S3Request) -> S3Request:
    """The read that `x-amz-copy-source` names. Raises `InvalidArgument`."""
    header = request.headers["x-amz-copy-source"]
    path, _, query = header.partition("?versionId=")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    if bucket.startswith("arn:"):
        raise not_implemented("copying from an access point")
    if not bucket or not key:
        message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise invalid_argument(message, "x-amz-copy-source", header)
    owner = request.headers.get("x-amz-source-expected-bucket-owner")
    return S3Request(
        method="GET",
        bucket=bucket,
        key=key,
        query={"versionId": unquote(query)} if "?versionId=" in header else {},
        headers={"x-amz-expected-bucket-owner": owner} if owner else {},
        caller=request.caller,
        path=request.path,
    )


def delete_object(store: TwinObjectStore, request: S3Request) -> Response:
    """After the botocore shape `DeleteObjectOutput`."""
    bucket = store.access.bucket(request.bucket)
    request.check_owner(bucket)
    etag = request.headers.get("if-match")
    marker, version_id = _delete(store, request, bucket, request.key, request.version_id, etag)
    headers = {"x-amz-version-id": version_id} if version_id and bucket.versioning else {}
    if marker:
        headers["x-amz-delete-marker"] = "true"
    return Response(204, headers)


def delete_objects(store: TwinObjectStore, request: S3Request, body: bytes) -> Response:
    """After the botocore shapes `Delete` and `DeleteObjectsOutput`; each key succeeds or fails by itself."""
    bucket = store.access.bucket(request.bucket)
    request.check_owner(bucket)
    root = xml.parse(body, "Delete")
    items = root.findall("Object")
    if not 1 <= len(items) <= _DELETES_MAX:
        raise malformed_xml()
    quiet = (xml.text_of(root, "Quiet") or "").lower() == "true"
    results: list[xml.Node] = []
    with store.index.transaction():
        for item in items:
            key, asked_version = xml.required(item, "Key"), xml.text_of(item, "VersionId") or None
            try:
                marker, version_id = _delete(store, request, bucket, key, asked_version, xml.text_of(item, "ETag"))
            except ApiError as error:
                failed: list[xml.Node] = [("Key", key), ("VersionId", asked_version)]
                results.append(("Error", [*failed, ("Code", error.code), ("Message", error.message)]))
                continue
            if not quiet:
                deleted: list[xml.Node] = [("Key", key), ("VersionId", asked_version)]
                if marker:
                    deleted += [("DeleteMarker", True), ("DeleteMarkerVersionId", version_id)]
                results.append(("Deleted", deleted))
    store.changed(bucket.notifies)
    return xml_response("DeleteResult", results)


def _delete(  # noqa: PLR0917 -- what one entry of a Delete document says
    store: TwinObjectStore, request: S3Request, bucket: Bucket, key: str, version_id: str | None, etag: str | None
) -> tuple[bool, str | None]:
    """`(whether a delete marker was made or removed, the version id to tell)`."""
    action = "s3:DeleteObject" if version_id is None else "s3:DeleteObjectVersion"
    store.access.object(request.caller, action, bucket.name, key, {"s3:VersionId": version_id} if version_id else None)
    requester = request.caller.account_id
    if etag is not None:
        current = store.index.current(bucket.name, key)
        if current is None or current.is_delete_marker:
            raise store.access.missing(request.caller, bucket.name, key)
        if etag.strip().strip('"') not in ("*", current.etag):
            raise precondition_failed("If-Match")
    if version_id is None:
        made = store.index.delete(bucket, key, requester)
        store.changed(bucket.notifies)
        return made is not None, made.version_id if made else None
    removed = store.index.delete_version(bucket, key, version_id, requester)
    store.changed(bucket.notifies)
    return removed is not None and removed.is_delete_marker, version_id


def _refuse_pointless(request: S3Request, source: ObjectVersion, replaces_tags: bool) -> None:
    same = (source.bucket, source.key) == (request.bucket, request.key)
    changes = (
        request.headers.get("x-amz-metadata-directive", "COPY").upper() == "REPLACE"
        or replaces_tags
        or not source.is_current
        or "?versionId=" in request.headers["x-amz-copy-source"]
        or any(
            name in request.headers
            for name in ("x-amz-storage-class", "x-amz-website-redirect-location", "x-amz-server-side-encryption")
        )
    )
    if same and not changes:
        raise invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes."
        )


def _copied(
    store: TwinObjectStore, request: S3Request, source: ObjectVersion, write: Write, tags: dict[str, str]
) -> NewVersion:
    directive = request.headers.get("x-amz-metadata-directive", "COPY").upper()
    if directive not in ("COPY", "REPLACE"):
        raise invalid_argument("Unknown metadata directive.", "x-amz-metadata-directive", directive)
    kept = write.attributes
    if directive == "COPY":
        # Where a redirect leads is of the object alone: S3 copies it with no directive.
        headers = {name: value for name, value in source.attributes.headers.items() if name != attributes.REDIRECT}
        if attributes.REDIRECT in kept.headers:
            headers[attributes.REDIRECT] = kept.headers[attributes.REDIRECT]
        kept = replace(kept, headers=headers, metadata=source.attributes.metadata)
    asked = request.headers.get("x-amz-checksum-algorithm")
    algorithm = checksums.known_algorithm(asked) if asked else None
    checksum = source.attributes.checksum
    blob, etag = store.blobs.link(source.body), source.etag
    fits = checksum is not None and checksum.type == "FULL_OBJECT" and algorithm in (None, checksum.algorithm)
    if source.attributes.parts or not fits:
        # one body now; it was in parts or had another checksum, so its digests have to be computed from it
        etag, checksum = _digests(store, blob, algorithm or (checksum.algorithm if checksum else checksums.DEFAULT))
    return NewVersion(request.bucket, request.key, blob, source.size, etag, replace(kept, checksum=checksum), tags)


def _digests(store: TwinObjectStore, blob: str, algorithm: str) -> tuple[str, Checksum]:
    md5, checksum = hashlib.md5(usedforsecurity=False), checksums.running(algorithm)
    with store.blobs.path(blob).open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            md5.update(block)
            checksum.update(block)
    return md5.hexdigest(), Checksum(algorithm, checksums.encode(checksum.digest()))


def copy_stretch(store: TwinObjectStore, source: ObjectVersion, offset: int, count: int, sink: BodySink) -> Body:
    """Put a stretch of an object through a sink, as if it had been sent."""
    descriptor = store.blobs.open(source.body)
    try:
        while count:
            block = os.pread(descriptor, min(BLOCK_BYTES, count), offset)
            if not block:
                raise EOFError(f"the body of {source.key} ends {count} bytes early")
            sink.write(block)
            offset, count = offset + len(block), count - len(block)
    finally:
        os.close(descriptor)
    return sink.finish()

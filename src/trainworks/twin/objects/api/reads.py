"""GetObject, HeadObject and GetObjectAttributes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from trainworks.twin.bucket_config import Bucket
from trainworks.twin.objects.api import attributes, xml
from trainworks.twin.objects.api.answer import BLOCK_BYTES, FileBody, Response, http_date, xml_response
from trainworks.twin.objects.api.request import S3Request
from trainworks.twin.objects.conditions import check_read
from trainworks.twin.objects.errors import S3Error, invalid_argument, no_such_key, no_such_version
from trainworks.twin.objects.ranges import byte_range
from trainworks.twin.objects.records import ObjectVersion
from trainworks.twin.objects.store import TwinObjectStore

_ATTRIBUTES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")
_LOOK_AGAIN = 5


@dataclass(frozen=True, slots=True)
class VisibleVersion:
    """A version that the caller may see."""

    bucket: Bucket
    version: ObjectVersion


def find(store: TwinObjectStore, request: S3Request, actions: tuple[str, ...] = ("s3:GetObject",)) -> VisibleVersion:
    """The version that a read names, once the caller may do `actions` on it (their `Version` forms with a version id).

    Raises `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed` for a delete marker named by its id, `AccessDenied`.
    """
    bucket = store.access.bucket(request.bucket)
    request.check_owner(bucket)
    version_id = request.version_id
    if version_id is None:
        version = store.index.current(request.bucket, request.key)
    else:
        version = store.index.version(request.bucket, request.key, version_id)
    context = attributes.existing_tags_context(version)
    if version_id is not None:
        context["s3:VersionId"] = version_id
    for action in actions:
        name = action if version_id is None else _of_version(action)
        store.access.object(request.caller, name, request.bucket, request.key, context)
    if version is None:
        missing = no_such_version(request.key, version_id) if version_id else no_such_key(request.key)
        raise store.access.missing(request.caller, request.bucket, request.key, missing)
    if version.is_delete_marker:
        raise _marker_error(version, named=version_id is not None)
    return VisibleVersion(bucket, version)


def get_object(store: TwinObjectStore, request: S3Request) -> Response:
    """After the botocore shapes `GetObjectRequest` and `GetObjectOutput`."""
    for attempt in range(_LOOK_AGAIN):
        found = find(store, request)
        answer = _read_answer(store, request, found)
        if answer.status == 304:
            return answer
        try:
            return _with_body(store, found.version, answer)
        except FileNotFoundError:
            # overwritten, and its blob removed, between the look and the opening: look again
            if attempt == _LOOK_AGAIN - 1:
                raise
    raise AssertionError("unreachable")


def head_object(store: TwinObjectStore, request: S3Request) -> Response:
    return _read_answer(store, request, find(store, request))


def get_object_attributes(store: TwinObjectStore, request: S3Request) -> Response:
    """After the botocore shape `GetObjectAttributesOutput`."""
    wanted = [name.strip() for name in request.headers.get("x-amz-object-attributes", "").split(",")]
    for name in wanted:
        if name not in _ATTRIBUTES:
            raise invalid_argument("Invalid attribute name specified.", "x-amz-object-attributes", name)
    found = find(store, request, ("s3:GetObject", "s3:GetObjectAttributes"))
    version = found.version
    store.access.decrypt(request.caller, version.attributes.encryption)
    children: list[xml.Node] = [
        ("ETag", version.etag if "ETag" in wanted else None),
        ("Checksum", _checksum_node(version) if "Checksum" in wanted else None),
        ("ObjectParts", _parts_node(version, request) if "ObjectParts" in wanted else None),
        ("StorageClass", version.attributes.storage_class if "StorageClass" in wanted else None),
        ("ObjectSize", version.size if "ObjectSize" in wanted else None),
    ]
    headers = {"last-modified": http_date(version.last_modified)}
    return xml_response(
        "GetObjectAttributesResponse", children, headers | attributes.version_headers(found.bucket, version)
    )


def _read_answer(store: TwinObjectStore, request: S3Request, found: VisibleVersion) -> Response:
    """Status and headers of a read; the size of its body is its content-length."""
    version = found.version
    if request.method == "GET":
        attributes.check_not_archived(version)
    store.access.decrypt(request.caller, version.attributes.encryption)
    if not check_read(request.headers, version):
        headers = {"etag": f'"{version.etag}"', "last-modified": http_date(version.last_modified)}
        return Response(304, headers | attributes.version_headers(found.bucket, version))
    checksum_mode = request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    stretch, part_headers = _stretch(request, version)
    headers = attributes.read_headers(found.bucket, version, checksum=checksum_mode and stretch is None)
    headers |= attributes.response_overrides(request.query)
    headers |= part_headers
    if version.tags and _may_see_tags(store, request, version):
        headers["x-amz-tagging-count"] = str(len(version.tags))
    if stretch is None:
        return Response(200, headers | {"content-length": str(version.size)})
    offset, count = stretch
    last = max(offset + count - 1, 0)
    content_range = {"content-range": f"bytes {offset}-{last}/{version.size}"} if version.size else {}
    return Response(206, headers | content_range | {"content-length": str(count)})


def _stretch(request: S3Request, version: ObjectVersion) -> tuple[tuple[int, int] | None, dict[str, str]]:
    """`(offset, count)` of the part or range asked for, and the headers that go with a part."""
    if "partNumber" not in request.query:
        return byte_range(request.headers.get("range"), version.size), {}
    if "range" in request.headers:
        raise S3Error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter", 400)
    number = request.integer("partNumber", 1, low=1, high=10_000)
    parts = version.attributes.parts
    if not parts and number == 1:
        return (0, version.size), {}
    offset = 0
    for position, part in enumerate(parts, start=1):
        if position == number:
            return (offset, part.size), {"x-amz-mp-parts-count": str(len(parts))}
        offset += part.size
    raise S3Error("InvalidPartNumber", "The requested partnumber is not satisfiable", 416)


def _with_body(store: TwinObjectStore, version: ObjectVersion, answer: Response) -> Response:
    count = int(answer.headers["content-length"])
    offset = 0
    if "content-range" in answer.headers:
        offset = int(answer.headers["content-range"].removeprefix("bytes ").partition("-")[0])
    descriptor = store.blobs.open(version.body)
    if count > BLOCK_BYTES:
        return Response(answer.status, answer.headers, FileBody(descriptor, offset, count))
    try:
        return Response(answer.status, answer.headers, os.pread(descriptor, count, offset))
    finally:
        os.close(descriptor)


def _may_see_tags(store: TwinObjectStore, request: S3Request, version: ObjectVersion) -> bool:
    context = attributes.existing_tags_context(version)
    try:
        store.access.object(request.caller, "s3:GetObjectTagging", request.bucket, request.key, context)
    except S3Error:
        return False
    return True


def _marker_error(version: ObjectVersion, *, named: bool) -> S3Error:
    if not named:
        return no_such_key(version.key, delete_marker_version=version.version_id)
    headers = {
        "x-amz-delete-marker": "true",
        "x-amz-version-id": version.version_id,
        "allow": "DELETE",
        "last-modified": http_date(version.last_modified),
    }
    elements = {"Method": "GET", "ResourceType": "DeleteMarker"}
    message = "The specified method is not allowed against this resource."
    return S3Error("MethodNotAllowed", message, 405, elements=elements, headers=headers)


def _checksum_node(version: ObjectVersion) -> list[xml.Node] | None:
    checksum = version.attributes.checksum
    if checksum is None:
        return None
    # the checksum of checksums is given without its number of parts here
    return [(f"Checksum{checksum.algorithm}", checksum.value.partition("-")[0]), ("ChecksumType", checksum.type)]


def _parts_node(version: ObjectVersion, request: S3Request) -> list[xml.Node] | None:
    parts = version.attributes.parts
    if not parts:
        return None
    marker = request.integer("x-amz-part-number-marker", 0)
    most = min(request.integer("x-amz-max-parts", 1000), 1000)
    rest = [(number, part) for number, part in enumerate(parts, start=1) if number > marker]
    page = rest[:most]
    algorithm = version.attributes.checksum.algorithm if version.attributes.checksum else ""
    return [
        ("TotalPartsCount", len(parts)),
        ("PartNumberMarker", marker),
        ("NextPartNumberMarker", page[-1][0] if page else 0),
        ("MaxParts", most),
        ("IsTruncated", len(rest) > len(page)),
        *(
            ("Part", [("PartNumber", number), ("Size", part.size), (f"Checksum{algorithm}", part.checksum)])
            for number, part in page
        ),
    ]


def _of_version(action: str) -> str:
    """`s3:GetObject` is `s3:GetObjectVersion` with a version id, `s3:GetObjectTagging` `s3:GetObjectVersionTagging`."""
    return action.replace("Object", "ObjectVersion", 1)

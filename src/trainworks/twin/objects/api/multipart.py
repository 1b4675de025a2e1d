"""Multipart uploads: each part a blob of its own, put together in the kernel when the upload completes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from itertools import pairwise
from sqlite3 import Connection

from trainworks.twin.numerals import whole_number
from trainworks.twin.objects import checksums
from trainworks.twin.objects.api import attributes, xml
from trainworks.twin.objects.api.answer import Response, xml_response
from trainworks.twin.objects.api.listing import Groups, owner_node
from trainworks.twin.objects.api.reads import find
from trainworks.twin.objects.api.request import S3Request
from trainworks.twin.objects.api.sink import Body, BodySink
from trainworks.twin.objects.api.writes import copy_result, copy_source, copy_stretch, permitted_write
from trainworks.twin.objects.conditions import check_copy_source, write_precondition
from trainworks.twin.objects.errors import S3Error, invalid_request, malformed_xml
from trainworks.twin.objects.ranges import copy_range
from trainworks.twin.objects.records import Checksum, NewVersion, Part, PartRange, Upload
from trainworks.twin.objects.store import TwinObjectStore
from trainworks.twin.sigv4 import PayloadClaim

_PARTS_MAX = 10_000
_PART_BYTES_MIN = 5 * 1024**2


@dataclass(frozen=True, slots=True)
class _Named:
    """A part as CompleteMultipartUpload names it."""

    part_number: int
    etag: str
    checksum: str | None


def create_multipart_upload(store: TwinObjectStore, request: S3Request) -> Response:
    """After the botocore shapes `CreateMultipartUploadRequest` and `CreateMultipartUploadOutput`."""
    write = permitted_write(store, request)
    asked = request.headers.get("x-amz-checksum-algorithm")
    algorithm = checksums.known_algorithm(asked) if asked else None
    checksum_type = None
    if algorithm:
        checksum_type = checksums.multipart_type(algorithm, request.headers.get("x-amz-checksum-type"))
    upload = Upload(
        upload_id=store.index.new_id(),
        bucket=request.bucket,
        key=request.key,
        initiated=store.index.now(),
        initiator=request.caller.arn,
        attributes=write.attributes,
        tags=write.tags,
        checksum_algorithm=algorithm,
        checksum_type=checksum_type,
    )
    store.index.create_upload(upload)
    headers = attributes.encryption_headers(write.attributes.encryption)
    if algorithm and checksum_type:
        headers |= {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": checksum_type}
    children: list[xml.Node] = [("Bucket", request.bucket), ("Key", request.key), ("UploadId", upload.upload_id)]
    return xml_response("InitiateMultipartUploadResult", children, headers)


class UploadPart:
    """One UploadPart: `begin` before its body, `commit` after it."""

    _upload: Upload  # what `begin` permitted

    def __init__(self, store: TwinObjectStore, request: S3Request, claim: PayloadClaim) -> None:
        self._store = store
        self._request = request
        self._claim = claim
        self._number = _part_number(request)

    def begin(self) -> BodySink:
        upload = self._upload = _permitted_upload(self._store, self._request)
        sink = BodySink(self._request, self._claim, self._store.blobs, upload.checksum_algorithm)
        expected = upload.checksum_algorithm
        if expected not in (None, sink.algorithm):
            sink.close()
            raise invalid_request(
                f"Checksum Type mismatch occurred, expected checksum Type: {str(expected).lower()}, "
                f"actual checksum Type: {sink.algorithm.lower()}"
            )
        return sink

    def commit(self, body: Body) -> Response:
        _commit_part(self._store, self._upload, self._number, body)
        headers = {"etag": f'"{body.etag}"', **attributes.encryption_headers(self._upload.attributes.encryption)}
        return Response(200, headers | attributes.checksum_headers(body.checksum_algorithm, body.checksum))


def upload_part_copy(store: TwinObjectStore, request: S3Request) -> Response:
    """After the botocore shapes `UploadPartCopyRequest` and `UploadPartCopyOutput`."""
    number = _part_number(request)
    upload = _permitted_upload(store, request)
    found = find(store, copy_source(request))
    check_copy_source(request.headers, found.version)
    attributes.check_not_archived(found.version)
    store.access.decrypt(request.caller, found.version.attributes.encryption)
    asked = request.headers.get("x-amz-copy-source-range")
    offset, count = copy_range(asked, found.version.size) if asked else (0, found.version.size)
    plain = replace(request, headers={"content-length": str(count)})
    sink = BodySink(plain, PayloadClaim(), store.blobs, upload.checksum_algorithm)
    try:
        body = copy_stretch(store, found.version, offset, count, sink)
    finally:
        sink.close()
    part = _commit_part(store, upload, number, body)
    checksum = Checksum(body.checksum_algorithm, body.checksum) if upload.checksum_algorithm else None
    headers = attributes.encryption_headers(upload.attributes.encryption)
    if found.bucket.versioning:
        headers["x-amz-copy-source-version-id"] = found.version.version_id
    children = [node for node in copy_result(part.etag, part.last_modified, checksum) if node[0] != "ChecksumType"]
    return xml_response("CopyPartResult", children, headers)


def complete_multipart_upload(store: TwinObjectStore, request: S3Request, body: bytes) -> Response:
    """After the botocore shapes `CompletedMultipartUpload` and `CompleteMultipartUploadOutput`.

    The same request again, as a client sends it that did not get the answer, has the same answer.
    """
    try:
        upload = _permitted_upload(store, request)
    except S3Error as error:
        repeated = _repeated(store, request, body) if error.code == "NoSuchUpload" else None
        if repeated is None:
            raise
        return repeated
    named = _named_parts(body, upload.checksum_algorithm)
    parts = _chosen(named, store.index.list_parts(upload.upload_id), upload)
    size = sum(part.size for part in parts)
    _check_size(request, size)
    checksum = _whole_checksum(upload, parts, request)
    etag = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False).hexdigest()
    blob = _assemble(store, parts)
    keep = blob if len(parts) == 1 else None
    new = NewVersion(
        bucket=upload.bucket,
        key=upload.key,
        blob=blob,
        size=size,
        etag=f"{etag}-{len(parts)}",
        attributes=replace(
            upload.attributes,
            checksum=checksum,
            parts=tuple(PartRange(part.part_number, part.size, part.checksum) for part in parts),
        ),
        tags=upload.tags,
    )

    def ended(tx: Connection) -> None:
        store.index.end_upload(tx, upload, keep)
        store.index.add_completed(tx, upload, _as_asked(named), json.dumps(children))

    children: list[tuple[str, str]] = [
        ("Location", f"http://{request.headers.get('host', 'localhost')}{request.path}"),
        ("Bucket", upload.bucket),
        ("Key", upload.key),
        ("ETag", f'"{new.etag}"'),
        *([(f"Checksum{checksum.algorithm}", checksum.value), ("ChecksumType", checksum.type)] if checksum else []),
    ]
    try:
        version = store.commit(
            new,
            "s3:ObjectCreated:CompleteMultipartUpload",
            request.caller,
            write_precondition(request.headers),
            also=ended,
        )
    except BaseException:
        if keep is None:
            store.blobs.remove(blob)
        raise
    headers = attributes.encryption_headers(version.attributes.encryption)
    headers |= attributes.version_headers(store.access.bucket(request.bucket), version)
    return xml_response("CompleteMultipartUploadResult", children, headers)


def _repeated(store: TwinObjectStore, request: S3Request, body: bytes) -> Response | None:
    """The answer to a request that completed this upload with these parts before."""
    found = store.index.completed(request.bucket, request.key, request.query["uploadId"])
    if found is None or found[0] != _as_asked(_named_parts(body, None)):
        return None
    children: list[tuple[str, str]] = [(name, text) for name, text in json.loads(found[1])]
    version = store.index.current(request.bucket, request.key)
    headers: dict[str, str] = {}
    if version is not None and ("ETag", f'"{version.etag}"') in children:
        headers = attributes.encryption_headers(version.attributes.encryption)
        headers |= attributes.version_headers(store.access.bucket(request.bucket), version)
    return xml_response("CompleteMultipartUploadResult", children, headers)


def _as_asked(named: list[_Named]) -> str:
    return json.dumps([(part.part_number, part.etag) for part in named])


def abort_multipart_upload(store: TwinObjectStore, request: S3Request) -> Response:
    request.check_owner(store.access.bucket(request.bucket))
    store.access.object(request.caller, "s3:AbortMultipartUpload", request.bucket, request.key)
    upload = store.index.upload(request.bucket, request.key, request.query["uploadId"])
    with store.index.transaction() as tx:
        store.index.end_upload(tx, upload)
    return Response(204)


def list_parts(store: TwinObjectStore, request: S3Request) -> Response:
    """After the botocore shape `ListPartsOutput`."""
    bucket = store.access.bucket(request.bucket)
    request.check_owner(bucket)
    store.access.object(request.caller, "s3:ListMultipartUploadParts", request.bucket, request.key)
    upload = store.index.upload(request.bucket, request.key, request.query["uploadId"])
    marker = request.integer("part-number-marker", 0)
    most = min(request.integer("max-parts", 1000), 1000)
    parts = store.index.list_parts(upload.upload_id, marker, most + 1)
    page = parts[:most]
    children: list[xml.Node] = [
        ("Bucket", upload.bucket),
        ("Key", upload.key),
        ("UploadId", upload.upload_id),
        ("PartNumberMarker", marker),
        ("NextPartNumberMarker", page[-1].part_number if page else 0),
        ("MaxParts", most),
        ("IsTruncated", len(parts) > most),
        ("ChecksumAlgorithm", upload.checksum_algorithm),
        ("ChecksumType", upload.checksum_type),
        *(("Part", _part_node(part, upload)) for part in page),
        ("Initiator", [("ID", upload.initiator), ("DisplayName", upload.initiator)]),
        ("Owner", owner_node(bucket)),
        ("StorageClass", upload.attributes.storage_class),
    ]
    return xml_response("ListPartsResult", children)


def list_multipart_uploads(store: TwinObjectStore, request: S3Request) -> Response:
    """After the botocore shape `ListMultipartUploadsOutput`."""
    bucket = store.access.bucket(request.bucket)
    request.check_owner(bucket)
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
    store.access.whole_bucket(request.caller, "s3:ListBucketMultipartUploads", request.bucket)
    key_marker, id_marker = request.query.get("key-marker", ""), request.query.get("upload-id-marker", "")
    most = min(request.integer("max-uploads", 1000), 1000)
    encoding = request.query.get("encoding-type")
    groups = Groups(prefix, delimiter, most)
    uploads: list[Upload] = []
    last: tuple[str, str] = ("", "")
    passed_marker = not id_marker
    for upload in store.index.list_uploads(request.bucket, prefix):
        if upload.key < key_marker or (upload.key == key_marker and passed_marker):
            continue
        if upload.key == key_marker:
            passed_marker = upload.upload_id == id_marker
            continue
        group = groups.of(upload.key)
        if group is not None and group == key_marker:
            continue
        if not groups.admit(upload.key):
            break
        last = (group or upload.key, "" if group else upload.upload_id)
        if group is None:
            uploads.append(upload)
    children: list[xml.Node] = [
        ("Bucket", request.bucket),
        ("KeyMarker", xml.encoded(key_marker, encoding)),
        ("UploadIdMarker", id_marker),
        ("NextKeyMarker", xml.encoded(last[0], encoding) if groups.truncated else None),
        ("NextUploadIdMarker", last[1] if groups.truncated else None),
        ("Prefix", xml.encoded(prefix, encoding)),
        ("Delimiter", xml.encoded(delimiter, encoding) if delimiter else None),
        ("EncodingType", encoding),
        ("MaxUploads", most),
        ("IsTruncated", groups.truncated),
        *(("Upload", _upload_node(upload, owner_node(bucket), encoding)) for upload in uploads),
        *(("CommonPrefixes", [("Prefix", xml.encoded(group, encoding))]) for group in groups.common),
    ]
    return xml_response("ListMultipartUploadsResult", children)


def _permitted_upload(store: TwinObjectStore, request: S3Request) -> Upload:
    bucket = store.access.bucket(request.bucket)
    request.check_owner(bucket)
    attributes.refuse_grants(request.headers)
    store.access.object(request.caller, "s3:PutObject", request.bucket, request.key)
    upload = store.index.upload(request.bucket, request.key, request.query["uploadId"])
    store.access.decrypt(request.caller, upload.attributes.encryption)
    return upload


def _part_number(request: S3Request) -> int:
    value = request.query["partNumber"]
    number = whole_number(value)
    if number is None or not 1 <= number <= _PARTS_MAX:
        message = f"Part number must be an integer between 1 and {_PARTS_MAX}, inclusive"
        raise S3Error("InvalidArgument", message, 400, elements={"ArgumentName": "partNumber", "ArgumentValue": value})
    return number


def _commit_part(store: TwinObjectStore, upload: Upload, number: int, body: Body) -> Part:
    # without an algorithm of the upload's own, the parts' default checksums give the object's
    keeps = upload.checksum_algorithm or checksums.DEFAULT
    checksum = body.checksum if body.checksum_algorithm == keeps else None
    part = Part(upload.upload_id, number, body.blob, body.size, body.etag, store.index.now(), checksum)
    try:
        store.index.put_part(upload, part)
    except BaseException:
        store.blobs.remove(body.blob)
        raise
    return part


def _named_parts(body: bytes, algorithm: str | None) -> list[_Named]:
    """Raises `MalformedXML`, `InvalidPartOrder`."""
    parts = []
    for item in xml.parse(body, "CompleteMultipartUpload").findall("Part"):
        number = whole_number(xml.required(item, "PartNumber"))
        if number is None:
            raise malformed_xml()
        checksum = xml.text_of(item, f"Checksum{algorithm}") if algorithm else None
        parts.append(_Named(number, xml.required(item, "ETag").strip().strip('"'), checksum))
    if not 1 <= len(parts) <= _PARTS_MAX:
        raise malformed_xml()
    if any(first.part_number >= second.part_number for first, second in pairwise(parts)):
        message = "The list of parts was not in ascending order. Parts must be ordered by part number."
        raise S3Error("InvalidPartOrder", message, 400)
    return parts


def _chosen(named: list[_Named], uploaded: list[Part], upload: Upload) -> list[Part]:
    """The uploaded parts that were named, in order. Raises `InvalidPart`, `EntityTooSmall`."""
    by_number = {part.part_number: part for part in uploaded}
    chosen = []
    for item in named:
        part = by_number.get(item.part_number)
        if part is None or part.etag != item.etag or (item.checksum and item.checksum != part.checksum):
            message = (
                "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
                "specified entity tag may not match the part's entity tag."
            )
            elements = {"UploadId": upload.upload_id, "PartNumber": str(item.part_number), "ETag": item.etag}
            raise S3Error("InvalidPart", message, 400, elements=elements)
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < _PART_BYTES_MIN:
            elements = {
                "ProposedSize": str(part.size),
                "MinSizeAllowed": str(_PART_BYTES_MIN),
                "PartNumber": str(part.part_number),
                "ETag": part.etag,
            }
            message = "Your proposed upload is smaller than the minimum allowed size"
            raise S3Error("EntityTooSmall", message, 400, elements=elements)
    return chosen


def _check_size(request: S3Request, size: int) -> None:
    expected = request.headers.get("x-amz-mp-object-size")
    if expected is not None and expected != str(size):
        raise invalid_request(
            f"The provided 'x-amz-mp-object-size' header value {expected} does not match what was computed: {size}"
        )


def _whole_checksum(upload: Upload, parts: list[Part], request: S3Request) -> Checksum | None:
    """The object's checksum, checked against the one that the request names. Raises `BadDigest`."""
    algorithm = upload.checksum_algorithm or checksums.DEFAULT
    values = [(part.checksum, part.size) for part in parts]
    if any(value is None for value, _ in values):
        return None
    known = [(value, size) for value, size in values if value is not None]
    whole = checksums.of_parts(algorithm, upload.checksum_type or "FULL_OBJECT", known)
    expected = request.headers.get(checksums.header_name(algorithm))
    if expected is not None and expected.partition("-")[0] != whole.value.partition("-")[0]:
        raise S3Error("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.", 400)
    return whole


def _assemble(store: TwinObjectStore, parts: list[Part]) -> str:
    if len(parts) == 1:
        return parts[0].blob
    with store.blobs.create() as writer:
        for part in parts:
            with store.blobs.path(part.blob).open("rb") as file:
                writer.copy_from(file.fileno(), 0, part.size)
        return writer.finish()


def _part_node(part: Part, upload: Upload) -> list[xml.Node]:
    checksum = part.checksum if upload.checksum_algorithm else None
    return [
        ("PartNumber", part.part_number),
        ("LastModified", xml.timestamp(part.last_modified)),
        ("ETag", f'"{part.etag}"'),
        ("Size", part.size),
        (f"Checksum{upload.checksum_algorithm}", checksum),
    ]


def _upload_node(upload: Upload, owner: list[xml.Node], encoding: str | None) -> list[xml.Node]:
    return [
        ("Key", xml.encoded(upload.key, encoding)),
        ("UploadId", upload.upload_id),
        ("Initiator", [("ID", upload.initiator), ("DisplayName", upload.initiator)]),
        ("Owner", owner),
        ("StorageClass", upload.attributes.storage_class),
        ("Initiated", xml.timestamp(upload.initiated)),
        ("ChecksumAlgorithm", upload.checksum_algorithm),
        ("ChecksumType", upload.checksum_type),
    ]

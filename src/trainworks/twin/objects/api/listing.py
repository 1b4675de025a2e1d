"""ListObjects, ListObjectsV2 and ListObjectVersions: keys in UTF-8 order, rolled up at a delimiter."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator

from trainworks.twin.bucket_config import Bucket
from trainworks.twin.objects.api import xml
from trainworks.twin.objects.api.answer import Response, xml_response
from trainworks.twin.objects.api.request import S3Request
from trainworks.twin.objects.errors import invalid_argument
from trainworks.twin.objects.index import Index, after_prefix
from trainworks.twin.objects.records import ObjectVersion
from trainworks.twin.objects.store import TwinObjectStore

_KEYS_MAX = 1000


class Groups:
    """Common prefixes and the count of what a page holds: a key by itself and a group each count as one."""

    def __init__(self, prefix: str, delimiter: str, most: int) -> None:
        self.common: list[str] = []
        self.truncated = False
        self._prefix = prefix
        self._delimiter = delimiter
        self._room = most

    def of(self, key: str) -> str | None:
        """The common prefix that `key` is rolled up into, or None."""
        if not self._delimiter:
            return None
        end = key.find(self._delimiter, len(self._prefix))
        return None if end < 0 else key[: end + len(self._delimiter)]

    def admit(self, key: str) -> bool:
        """Make room for `key` or its group; False, and `truncated`, when the page is full."""
        group = self.of(key)
        if group is not None and self.common and self.common[-1] == group:
            return True
        if self._room == 0:
            self.truncated = True
            return False
        self._room -= 1
        if group is not None:
            self.common.append(group)
        return True


class Page:
    """One page of a listing of current objects. `last` is the key or common prefix it ends with."""

    def __init__(self, index: Index, bucket: str, *, prefix: str, delimiter: str, after: str, most: int) -> None:
        self.groups = Groups(prefix, delimiter, most)
        self.objects: list[ObjectVersion] = []
        self.last = ""
        for version in self._walk(index, bucket, prefix, self._first(after), most + 1) if most else ():
            group = self.groups.of(version.key)
            if not self.groups.admit(version.key):
                break
            self.last = group or version.key
            if group is None:
                self.objects.append(version)

    def _first(self, after: str) -> str | None:
        """The lowest key that may follow `after`, which may be a whole group."""
        if not after:
            return ""
        return after_prefix(after) if self.groups.of(after) == after else after + "\x00"

    def _walk(self, index: Index, bucket: str, prefix: str, low: str | None, page_size: int) -> Iterator[ObjectVersion]:
        while low is not None and (page := index.list_current(bucket, prefix, low, page_size)):
            yield from page
            group = self.groups.of(page[-1].key)
            # the rest of a group adds nothing: go on behind it
            low = after_prefix(group) if group is not None else page[-1].key + "\x00"


def list_objects_v2(store: TwinObjectStore, request: S3Request) -> Response:
    """After the botocore shape `ListObjectsV2Output`."""
    bucket = _permitted(store, request, "s3:ListBucket")
    token = request.query.get("continuation-token")
    start_after = request.query.get("start-after", "")
    if token == "":
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token", "")
    page, most = _page(store, request, _untoken(token) if token else start_after)
    encoding = request.query.get("encoding-type")
    owner = owner_node(bucket) if request.query.get("fetch-owner") == "true" else None
    children: list[xml.Node] = [
        ("Name", bucket.name),
        *_asked(request, encoding),
        ("MaxKeys", most),
        ("KeyCount", len(page.objects) + len(page.groups.common)),
        ("ContinuationToken", token),
        ("StartAfter", xml.encoded(start_after, encoding) if start_after else None),
        ("IsTruncated", page.groups.truncated),
        ("NextContinuationToken", _token(page.last) if page.groups.truncated else None),
        *(("Contents", _contents(version, encoding, owner)) for version in page.objects),
        *_common(page.groups, encoding),
    ]
    return xml_response("ListBucketResult", children, {"x-amz-bucket-region": bucket.region})


def list_objects(store: TwinObjectStore, request: S3Request) -> Response:
    """After the botocore shape `ListObjectsOutput`."""
    bucket = _permitted(store, request, "s3:ListBucket")
    marker = request.query.get("marker", "")
    page, most = _page(store, request, marker)
    encoding = request.query.get("encoding-type")
    tells_next = page.groups.truncated and bool(request.query.get("delimiter"))
    children: list[xml.Node] = [
        ("Name", bucket.name),
        *_asked(request, encoding),
        ("Marker", xml.encoded(marker, encoding)),
        ("NextMarker", xml.encoded(page.last, encoding) if tells_next else None),
        ("MaxKeys", most),
        ("IsTruncated", page.groups.truncated),
        *(("Contents", _contents(version, encoding, owner_node(bucket))) for version in page.objects),
        *_common(page.groups, encoding),
    ]
    return xml_response("ListBucketResult", children, {"x-amz-bucket-region": bucket.region})


def list_object_versions(store: TwinObjectStore, request: S3Request) -> Response:
    """After the botocore shape `ListObjectVersionsOutput`."""
    bucket = _permitted(store, request, "s3:ListBucketVersions")
    key_marker, id_marker = request.query.get("key-marker", ""), request.query.get("version-id-marker", "")
    if id_marker and not key_marker:
        message = "A version-id marker cannot be specified without a key marker."
        raise invalid_argument(message, "version-id-marker", id_marker)
    most = min(request.integer("max-keys", _KEYS_MAX), _KEYS_MAX)
    encoding = request.query.get("encoding-type")
    groups = Groups(request.query.get("prefix", ""), request.query.get("delimiter", ""), most)
    entries: list[xml.Node] = []
    last: tuple[str, str] = ("", "")
    for version in _history(store.index, request, groups) if most else ():
        if not groups.admit(version.key):
            break
        group = groups.of(version.key)
        last = (group, "") if group else (version.key, version.version_id)
        if group is None:
            entries.append(_version_node(version, bucket, encoding))
    children: list[xml.Node] = [
        ("Name", bucket.name),
        *_asked(request, encoding),
        ("KeyMarker", xml.encoded(key_marker, encoding)),
        ("VersionIdMarker", id_marker),
        ("NextKeyMarker", xml.encoded(last[0], encoding) if groups.truncated else None),
        ("NextVersionIdMarker", last[1] if groups.truncated and last[1] else None),
        ("MaxKeys", most),
        ("IsTruncated", groups.truncated),
        *entries,
        *_common(groups, encoding),
    ]
    return xml_response("ListVersionsResult", children)


def owner_node(bucket: Bucket) -> list[xml.Node]:
    """The owner as S3 names accounts: a canonical id of 64 hex digits, derived from the account id."""
    return [("ID", hashlib.sha256(bucket.owner_account_id.encode()).hexdigest())]


def _permitted(store: TwinObjectStore, request: S3Request, action: str) -> Bucket:
    bucket = store.access.bucket(request.bucket)
    request.check_owner(bucket)
    names = ("prefix", "delimiter", "max-keys")
    context = {f"s3:{name}": request.query[name] for name in names if name in request.query}
    store.access.whole_bucket(request.caller, action, request.bucket, context)
    if request.query.get("encoding-type", "url") != "url":
        value = request.query["encoding-type"]
        raise invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", value)
    return bucket


def _page(store: TwinObjectStore, request: S3Request, after: str) -> tuple[Page, int]:
    most = min(request.integer("max-keys", _KEYS_MAX), _KEYS_MAX)
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
    return Page(store.index, request.bucket, prefix=prefix, delimiter=delimiter, after=after, most=most), most


def _history(index: Index, request: S3Request, groups: Groups) -> Iterator[ObjectVersion]:
    """All versions behind the markers."""
    key_marker, id_marker = request.query.get("key-marker", ""), request.query.get("version-id-marker", "")
    prefix = request.query.get("prefix", "")
    low: str | None = key_marker + "\x00" if key_marker else ""
    if id_marker:
        marked = index.version(request.bucket, key_marker, id_marker)
        if marked is None:
            raise invalid_argument("Invalid version id specified", "version-id-marker", id_marker)
        yield from index.list_older(marked)
    elif key_marker and groups.of(key_marker) == key_marker:
        low = after_prefix(key_marker)
    if low is not None:
        yield from index.iterate_history(request.bucket, prefix, low)


def _asked(request: S3Request, encoding: str | None) -> list[xml.Node]:
    delimiter = request.query.get("delimiter")
    return [
        ("Prefix", xml.encoded(request.query.get("prefix", ""), encoding)),
        ("Delimiter", xml.encoded(delimiter, encoding) if delimiter else None),
        ("EncodingType", encoding),
    ]


def _common(groups: Groups, encoding: str | None) -> list[xml.Node]:
    return [("CommonPrefixes", [("Prefix", xml.encoded(group, encoding))]) for group in groups.common]


def _contents(version: ObjectVersion, encoding: str | None, owner: list[xml.Node] | None) -> list[xml.Node]:
    checksum = version.attributes.checksum
    return [
        ("Key", xml.encoded(version.key, encoding)),
        ("LastModified", xml.timestamp(version.last_modified)),
        ("ETag", f'"{version.etag}"'),
        ("ChecksumAlgorithm", checksum.algorithm if checksum else None),
        ("ChecksumType", checksum.type if checksum else None),
        ("Size", version.size),
        ("Owner", owner),
        ("StorageClass", version.attributes.storage_class),
    ]


def _version_node(version: ObjectVersion, bucket: Bucket, encoding: str | None) -> xml.Node:
    common: list[xml.Node] = [
        ("Key", xml.encoded(version.key, encoding)),
        ("VersionId", version.version_id),
        ("IsLatest", version.is_current),
        ("LastModified", xml.timestamp(version.last_modified)),
        ("Owner", owner_node(bucket)),
    ]
    if version.is_delete_marker:
        return ("DeleteMarker", common)
    checksum = version.attributes.checksum
    return (
        "Version",
        [
            *common,
            ("ETag", f'"{version.etag}"'),
            ("ChecksumAlgorithm", checksum.algorithm if checksum else None),
            ("ChecksumType", checksum.type if checksum else None),
            ("Size", version.size),
            ("StorageClass", version.attributes.storage_class),
        ],
    )


def _token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode("ascii")


def _untoken(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        message = "The continuation token provided is incorrect"
        raise invalid_argument(message, "continuation-token", token) from error

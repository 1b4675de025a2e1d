"""What the headers of a write say about the object, and what the headers of a read return."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from trainworks.twin.bucket_config import Bucket, Encryption
from trainworks.twin.objects import checksums
from trainworks.twin.objects.api.answer import http_date
from trainworks.twin.objects.errors import S3Error, invalid_argument
from trainworks.twin.objects.records import Attributes, ObjectVersion

META = "x-amz-meta-"
REDIRECT = "x-amz-website-redirect-location"
_STORED = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    REDIRECT,
)
_OVERRIDES = {f"response-{name}": name for name in _STORED if not name.startswith("x-amz-")}
_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_STORAGE_CLASSES = _ARCHIVED | {
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "REDUCED_REDUNDANCY",
    "GLACIER_IR",
}
_KMS_NEEDS_HEADER = (
    "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
)
_METADATA_BYTES_MAX = 2048
_TAGS_MAX = 10


def refuse_grants(headers: Mapping[str, str]) -> None:
    """Raise `AccessControlListNotSupported` for access control lists."""
    acl = headers.get("x-amz-acl")
    if (acl and acl != "bucket-owner-full-control") or any(name.startswith("x-amz-grant-") for name in headers):
        raise S3Error("AccessControlListNotSupported", "The bucket does not allow ACLs", 400)


def written_attributes(headers: Mapping[str, str], encryption: Encryption) -> Attributes:
    """Headers, metadata and storage class of a write. Raises `InvalidStorageClass`, `MetadataTooLarge`."""
    stored = {name: headers[name] for name in _STORED if headers.get(name)}
    # aws-chunked is the framing of this request, not an encoding of the object
    encodings = [item.strip() for item in stored.pop("content-encoding", "").split(",")]
    kept = ",".join(item for item in encodings if item and item != "aws-chunked")
    if kept:
        stored["content-encoding"] = kept
    stored.setdefault("content-type", "binary/octet-stream")
    metadata = {name.removeprefix(META): value for name, value in headers.items() if name.startswith(META)}
    if sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items()) > _METADATA_BYTES_MAX:
        message = "Your metadata headers exceed the maximum allowed metadata size"
        raise S3Error("MetadataTooLarge", message, 400, elements={"MaxSizeAllowed": str(_METADATA_BYTES_MAX)})
    return Attributes(headers=stored, metadata=metadata, storage_class=storage_class(headers), encryption=encryption)


def storage_class(headers: Mapping[str, str]) -> str:
    value = headers.get("x-amz-storage-class", "STANDARD")
    if value not in _STORAGE_CLASSES:
        raise S3Error("InvalidStorageClass", "The storage class you specified is not valid", 400)
    return value


def asked_encryption(headers: Mapping[str, str], bucket: Bucket) -> Encryption:
    """Encryption of a write: its headers', else the bucket's default. Raises `InvalidArgument`."""
    algorithm = headers.get("x-amz-server-side-encryption")
    key_id = headers.get("x-amz-server-side-encryption-aws-kms-key-id")
    if algorithm is None:
        if key_id:
            message = _KMS_NEEDS_HEADER
            raise invalid_argument(message, "x-amz-server-side-encryption", "null")
        return bucket.encryption
    if algorithm not in ("AES256", "aws:kms", "aws:kms:dsse"):
        name = "x-amz-server-side-encryption"
        raise invalid_argument("The encryption method specified is not supported", name, algorithm)
    if algorithm == "AES256" and key_id:
        message = _KMS_NEEDS_HEADER
        raise invalid_argument(message, "x-amz-server-side-encryption", algorithm)
    bucket_key = headers.get("x-amz-server-side-encryption-bucket-key-enabled", "").lower() == "true"
    return Encryption(algorithm, key_id, bucket_key)


def asked_tags(headers: Mapping[str, str]) -> dict[str, str]:
    """The tags of `x-amz-tagging`. Raises `InvalidArgument`, `InvalidTag`."""
    header = headers.get("x-amz-tagging")
    if not header:
        return {}
    pairs = parse_qsl(header, keep_blank_values=True)
    if len(dict(pairs)) != len(pairs) or not pairs:
        message = (
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
            "name duplicates."
        )
        raise invalid_argument(message, "x-amz-tagging", header)
    return checked_tags(dict(pairs))


def checked_tags(tags: dict[str, str]) -> dict[str, str]:
    """Raises `BadRequest` for too many tags, `InvalidTag` for one that is too long or reserved."""
    if len(tags) > _TAGS_MAX:
        raise S3Error("BadRequest", "Object tags cannot be greater than 10", 400)
    for key, value in tags.items():
        if not 1 <= len(key) <= 128:
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", 400, elements={"TagKey": key})
        if len(value) > 256:
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid", 400, elements={"TagValue": value})
        if key.startswith("aws:"):
            raise S3Error("InvalidTag", "System tags cannot be added/updated by requester", 400)
    return tags


def write_context(headers: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """The condition keys of a write (`s3:x-amz-server-side-encryption` ...)."""
    names = (
        "x-amz-acl",
        "x-amz-copy-source",
        "x-amz-metadata-directive",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-storage-class",
    )
    context = {f"s3:{name}": headers[name] for name in names if name in headers}
    context |= {f"s3:{name}": headers[name] for name in ("if-none-match", "if-match") if name in headers}
    return context | {f"s3:RequestObjectTag/{key}": value for key, value in tags.items()}


def existing_tags_context(version: ObjectVersion | None) -> dict[str, str]:
    tags = version.tags if version else {}
    return {f"s3:ExistingObjectTag/{key}": value for key, value in tags.items()}


def encryption_headers(encryption: Encryption) -> dict[str, str]:
    headers = {"x-amz-server-side-encryption": encryption.algorithm}
    if encryption.kms_key_id:
        headers["x-amz-server-side-encryption-aws-kms-key-id"] = encryption.kms_key_id
    if encryption.bucket_key_enabled:
        headers["x-amz-server-side-encryption-bucket-key-enabled"] = "true"
    return headers


def version_headers(bucket: Bucket, version: ObjectVersion) -> dict[str, str]:
    """`x-amz-version-id`, unless the bucket was never versioned."""
    return {"x-amz-version-id": version.version_id} if bucket.versioning else {}


def read_headers(bucket: Bucket, version: ObjectVersion, *, checksum: bool) -> dict[str, str]:
    """The headers of GetObject and HeadObject; checksums only where `x-amz-checksum-mode` asks for them."""
    attributes = version.attributes
    headers = {
        **attributes.headers,
        **{META + name: value for name, value in attributes.metadata.items()},
        **encryption_headers(attributes.encryption),
        **version_headers(bucket, version),
        "etag": f'"{version.etag}"',
        "last-modified": http_date(version.last_modified),
        "accept-ranges": "bytes",
    }
    if attributes.storage_class != "STANDARD":
        headers["x-amz-storage-class"] = attributes.storage_class
    if checksum and attributes.checksum:
        headers |= checksum_headers(attributes.checksum.algorithm, attributes.checksum.value, attributes.checksum.type)
    return headers


def checksum_headers(algorithm: str, value: str, checksum_type: str | None = None) -> dict[str, str]:
    headers = {checksums.header_name(algorithm): value}
    return headers | ({"x-amz-checksum-type": checksum_type} if checksum_type else {})


def response_overrides(query: Mapping[str, str]) -> dict[str, str]:
    """The `response-` parameters of GetObject as headers."""
    return {header: query[name] for name, header in _OVERRIDES.items() if name in query}


def check_not_archived(version: ObjectVersion) -> None:
    """Raise `InvalidObjectState` for an object in an archive class; the twin restores none."""
    if version.attributes.storage_class in _ARCHIVED:
        message = "The operation is not valid for the object's storage class"
        elements = {"StorageClass": version.attributes.storage_class}
        raise S3Error("InvalidObjectState", message, 403, elements=elements)

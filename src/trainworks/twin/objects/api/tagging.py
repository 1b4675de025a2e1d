"""GetObjectTagging, PutObjectTagging and DeleteObjectTagging."""

from __future__ import annotations

from trainworks.twin.objects.api import attributes, xml
from trainworks.twin.objects.api.answer import Response, xml_response
from trainworks.twin.objects.api.reads import find
from trainworks.twin.objects.api.request import S3Request
from trainworks.twin.objects.errors import S3Error
from trainworks.twin.objects.store import TwinObjectStore


def get_object_tagging(store: TwinObjectStore, request: S3Request) -> Response:
    found = find(store, request, ("s3:GetObjectTagging",))
    tags: list[xml.Node] = [("Tag", [("Key", key), ("Value", value)]) for key, value in found.version.tags.items()]
    return xml_response("Tagging", [("TagSet", tags)], attributes.version_headers(found.bucket, found.version))


def put_object_tagging(store: TwinObjectStore, request: S3Request, body: bytes) -> Response:
    """After the botocore shape `Tagging`. Raises `InvalidTag` for a key given twice."""
    tag_set = xml.parse(body, "Tagging").find("TagSet")
    pairs = [] if tag_set is None else [(xml.required(tag, "Key"), xml.required(tag, "Value")) for tag in tag_set]
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key", 400)
    found = find(store, request, ("s3:PutObjectTagging",))
    store.index.set_tags(found.version, attributes.checked_tags(tags))
    return Response(200, attributes.version_headers(found.bucket, found.version))


def delete_object_tagging(store: TwinObjectStore, request: S3Request) -> Response:
    found = find(store, request, ("s3:DeleteObjectTagging",))
    store.index.set_tags(found.version, {})
    return Response(204, attributes.version_headers(found.bucket, found.version))

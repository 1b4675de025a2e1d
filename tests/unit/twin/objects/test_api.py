"""The S3 API as boto3 uses it, over HTTP."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.twin.objects.conftest import Served, code_of

MIB = 1 << 20


@pytest.fixture
def prefix() -> str:
    """Keys of one test alone: the server is shared."""
    return f"{uuid.uuid4().hex}/"


@pytest.fixture
def refuse(served: Served) -> Iterator[Any]:
    """Refuse an action on a resource."""
    path = served.home / "refused"

    def add(action: str, resource: str) -> None:
        path.write_text(f"{action} {resource}\n")

    yield add
    path.unlink(missing_ok=True)


def test_an_object_comes_back_with_its_headers(s3: Any, prefix: str) -> None:
    key = prefix + "a b+c/ü%.txt"
    put = s3.put_object(
        Bucket="plain",
        Key=key,
        Body=b"hello",
        ContentType="text/plain",
        CacheControl="no-cache",
        ContentEncoding="gzip",
        Metadata={"who": "me"},
        StorageClass="STANDARD_IA",
        Tagging="a=1&b=2",
    )
    assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert put["ServerSideEncryption"] == "AES256"
    assert "VersionId" not in put
    got = s3.get_object(Bucket="plain", Key=key)
    assert got["Body"].read() == b"hello"
    assert (got["ContentType"], got["CacheControl"], got["ContentEncoding"]) == ("text/plain", "no-cache", "gzip")
    assert (got["Metadata"], got["StorageClass"], got["TagCount"]) == ({"who": "me"}, "STANDARD_IA", 2)
    assert got["ChecksumType"] == "FULL_OBJECT"
    assert s3.head_object(Bucket="plain", Key=key)["ContentLength"] == 5
    overridden = s3.get_object(Bucket="plain", Key=key, ResponseContentType="x/y")
    assert overridden["ContentType"] == "x/y"


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 17])
def test_bodies_of_any_size(s3: Any, prefix: str, size: int) -> None:
    body = os.urandom(size)
    s3.put_object(Bucket="plain", Key=prefix, Body=body)
    assert s3.get_object(Bucket="plain", Key=prefix)["Body"].read() == body
    if size > 20:
        part = s3.get_object(Bucket="plain", Key=prefix, Range="bytes=10-19")
        assert part["Body"].read() == body[10:20]
        assert part["ContentRange"] == f"bytes 10-19/{size}"
        assert s3.get_object(Bucket="plain", Key=prefix, Range="bytes=-7")["Body"].read() == body[-7:]


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
@pytest.mark.parametrize("size", [5, 2 * MIB])
def test_checksums_are_verified_stored_and_given_back(s3: Any, prefix: str, algorithm: str, size: int) -> None:
    body = os.urandom(size)
    s3.put_object(Bucket="plain", Key=prefix, Body=io.BytesIO(body), ChecksumAlgorithm=algorithm)
    attributes = s3.get_object_attributes(
        Bucket="plain", Key=prefix, ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass"]
    )
    assert attributes["ObjectSize"] == size
    assert attributes["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    assert f"Checksum{algorithm}" in attributes["Checksum"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"ChecksumSHA256": base64.b64encode(hashlib.sha256(b"other").digest()).decode()}, "BadDigest"),
        ({"ChecksumCRC64NVME": "AAAAAAAAAAA="}, "BadDigest"),
        ({"ContentMD5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}, "BadDigest"),
        ({"ContentMD5": "short"}, "InvalidDigest"),
        ({"StorageClass": "PLATINUM"}, "InvalidStorageClass"),
        ({"ACL": "public-read"}, "AccessControlListNotSupported"),
        ({"ObjectLockMode": "GOVERNANCE"}, "NotImplemented"),
        ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}, "NotImplemented"),
        ({"Tagging": "a=1&a=2"}, "InvalidArgument"),
        ({"Metadata": {"a": "x" * 3000}}, "MetadataTooLarge"),
    ],
)
def test_a_write_that_is_wrong_stores_nothing(s3: Any, served: Served, prefix: str, headers: Any, code: str) -> None:
    client = s3
    if "SSECustomerKey" in headers:
        client = served.client()
        client.meta.events.unregister("before-parameter-build.s3.PutObject", "sse_md5")
    with pytest.raises(ClientError) as caught:
        client.put_object(Bucket="plain", Key=prefix, Body=b"x", **headers)
    assert code_of(caught)[0] == code
    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket="plain", Key=prefix)
    assert code_of(caught) == ("404", 404)


def test_conditional_reads_and_writes(s3: Any, prefix: str) -> None:
    first = s3.put_object(Bucket="plain", Key=prefix, Body=b"1", IfNoneMatch="*")
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"other"'}):
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket="plain", Key=prefix, Body=b"2", **condition)
        assert code_of(caught) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="plain", Key=prefix, IfNoneMatch=first["ETag"])
    assert code_of(caught) == ("304", 304)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="plain", Key=prefix, IfMatch='"other"')
    assert code_of(caught) == ("PreconditionFailed", 412)
    s3.put_object(Bucket="plain", Key=prefix, Body=b"3", IfMatch=first["ETag"])
    assert s3.get_object(Bucket="plain", Key=prefix)["Body"].read() == b"3"
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="plain", Key=prefix + "new", Body=b"2", IfMatch='"any"')
    assert code_of(caught) == ("NoSuchKey", 404)


def test_versions_markers_and_their_errors(s3: Any, prefix: str) -> None:
    one = s3.put_object(Bucket="versioned", Key=prefix, Body=b"1")["VersionId"]
    two = s3.put_object(Bucket="versioned", Key=prefix, Body=b"22")["VersionId"]
    gone = s3.delete_object(Bucket="versioned", Key=prefix)
    assert gone["DeleteMarker"]
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="versioned", Key=prefix)
    assert code_of(caught) == ("NoSuchKey", 404)
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="versioned", Key=prefix, VersionId=gone["VersionId"])
    assert code_of(caught) == ("MethodNotAllowed", 405)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="versioned", Key=prefix, VersionId="unknown")
    assert code_of(caught) == ("NoSuchVersion", 404)
    assert s3.get_object(Bucket="versioned", Key=prefix, VersionId=one)["Body"].read() == b"1"
    assert s3.list_objects_v2(Bucket="versioned", Prefix=prefix)["KeyCount"] == 0
    listed = s3.list_object_versions(Bucket="versioned", Prefix=prefix)
    assert [(item["VersionId"], item["IsLatest"]) for item in listed["Versions"]] == [(two, False), (one, False)]
    assert [(item["VersionId"], item["IsLatest"]) for item in listed["DeleteMarkers"]] == [(gone["VersionId"], True)]
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket="versioned", Prefix=prefix, PaginationConfig={"PageSize": 1}
    )
    assert sum(len(page.get("Versions", [])) + len(page.get("DeleteMarkers", [])) for page in pages) == 3
    s3.delete_object(Bucket="versioned", Key=prefix, VersionId=gone["VersionId"])
    assert s3.get_object(Bucket="versioned", Key=prefix)["Body"].read() == b"22"


def test_listings_page_and_roll_up(s3: Any, prefix: str) -> None:
    for name in ("a", "b/1", "b/2", "c&<", "d/1"):
        s3.put_object(Bucket="plain", Key=prefix + name, Body=b"x")
    for operation in ("list_objects", "list_objects_v2"):
        pages = list(
            s3.get_paginator(operation).paginate(
                Bucket="plain", Prefix=prefix, Delimiter="/", PaginationConfig={"PageSize": 1}
            )
        )
        assert len(pages) == 4
        assert [item["Key"] for page in pages for item in page.get("Contents", [])] == [prefix + "a", prefix + "c&<"]
        groups = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
        assert groups == [prefix + "b/", prefix + "d/"]
    after = s3.list_objects_v2(Bucket="plain", Prefix=prefix, StartAfter=prefix + "b/1")
    assert [item["Key"] for item in after["Contents"]] == [prefix + "b/2", prefix + "c&<", prefix + "d/1"]


def test_many_objects_are_deleted_together(s3: Any, prefix: str, refuse: Any) -> None:
    for name in ("a", "b", "c"):
        s3.put_object(Bucket="plain", Key=prefix + name, Body=b"x")
    refuse("s3:DeleteObject", f"arn:aws:s3:::plain/{prefix}b")
    keys = [{"Key": prefix + name} for name in ("a", "b", "missing")]
    answer = s3.delete_objects(Bucket="plain", Delete={"Objects": keys})
    assert [item["Key"] for item in answer["Deleted"]] == [prefix + "a", prefix + "missing"]
    assert [(item["Key"], item["Code"]) for item in answer["Errors"]] == [(prefix + "b", "AccessDenied")]
    assert s3.list_objects_v2(Bucket="plain", Prefix=prefix)["KeyCount"] == 2


def test_a_copy_keeps_or_replaces(s3: Any, prefix: str) -> None:
    body = os.urandom(2 * MIB)
    source = {"Bucket": "plain", "Key": prefix + "sö urce"}
    s3.put_object(**source, Body=body, Metadata={"a": "1"}, Tagging="t=1")
    s3.copy_object(Bucket="versioned", Key=prefix + "kept", CopySource=source)
    kept = s3.get_object(Bucket="versioned", Key=prefix + "kept")
    assert (kept["Body"].read(), kept["Metadata"], kept["TagCount"]) == (body, {"a": "1"}, 1)
    s3.copy_object(
        Bucket="plain",
        Key=prefix + "replaced",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"b": "2"},
        TaggingDirective="REPLACE",
        ChecksumAlgorithm="SHA256",
    )
    replaced = s3.get_object(Bucket="plain", Key=prefix + "replaced", ChecksumMode="ENABLED")
    assert (replaced["Body"].read(), replaced["Metadata"]) == (body, {"b": "2"})
    assert replaced["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert "TagCount" not in replaced
    with pytest.raises(ClientError) as caught:
        s3.copy_object(**source, CopySource=source)
    assert code_of(caught) == ("InvalidRequest", 400)
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket="plain", Key="x", CopySource=source, CopySourceIfMatch='"no"')
    assert code_of(caught) == ("PreconditionFailed", 412)


@pytest.mark.parametrize("checksum", [{}, {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}])
def test_a_multipart_upload(s3: Any, prefix: str, checksum: dict[str, str]) -> None:
    parts = [os.urandom(5 * MIB), os.urandom(5 * MIB), b"end"]
    names = {"Bucket": "plain", "Key": prefix}
    upload_id = s3.create_multipart_upload(**names, Metadata={"m": "1"}, **checksum)["UploadId"]
    names["UploadId"] = upload_id
    etags = [s3.upload_part(**names, PartNumber=n, Body=part)["ETag"] for n, part in enumerate(parts, 1)]
    listed = s3.list_parts(**names, MaxParts=2)
    assert [part["PartNumber"] for part in listed["Parts"]] == [1, 2]
    assert listed["IsTruncated"]
    uploads = s3.list_multipart_uploads(Bucket="plain", Prefix=prefix)["Uploads"]
    assert [upload["UploadId"] for upload in uploads] == [upload_id]
    chosen = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]
    with pytest.raises(ClientError) as caught:
        s3.complete_multipart_upload(**names, MultipartUpload={"Parts": chosen[::-1]})
    assert code_of(caught) == ("InvalidPartOrder", 400)
    with pytest.raises(ClientError) as caught:
        s3.complete_multipart_upload(**names, MultipartUpload={"Parts": [{"PartNumber": 7, "ETag": "x"}]})
    assert code_of(caught) == ("InvalidPart", 400)
    done = s3.complete_multipart_upload(**names, MultipartUpload={"Parts": chosen})
    digest = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert done["ETag"] == f'"{digest}-3"'
    got = s3.get_object(Bucket="plain", Key=prefix)
    assert got["Body"].read() == b"".join(parts)
    assert got["Metadata"] == {"m": "1"}
    second = s3.get_object(Bucket="plain", Key=prefix, PartNumber=2)
    assert (second["PartsCount"], second["Body"].read()) == (3, parts[1])
    with pytest.raises(ClientError) as caught:
        s3.list_parts(**names)
    assert code_of(caught) == ("NoSuchUpload", 404)


def test_parts_copied_replaced_too_small_and_aborted(s3: Any, prefix: str) -> None:
    body = os.urandom(6 * MIB)
    source = {"Bucket": "plain", "Key": prefix + "source"}
    s3.put_object(**source, Body=body)
    names = {"Bucket": "plain", "Key": prefix + "made"}
    names["UploadId"] = s3.create_multipart_upload(**names)["UploadId"]
    s3.upload_part(**names, PartNumber=1, Body=b"replaced")
    first = s3.upload_part_copy(**names, PartNumber=1, CopySource=source, CopySourceRange=f"bytes=1-{5 * MIB}")
    small = s3.upload_part(**names, PartNumber=2, Body=b"small")
    last = s3.upload_part(**names, PartNumber=3, Body=b"last")
    parts = [
        {"PartNumber": 1, "ETag": first["CopyPartResult"]["ETag"]},
        {"PartNumber": 2, "ETag": small["ETag"]},
        {"PartNumber": 3, "ETag": last["ETag"]},
    ]
    with pytest.raises(ClientError) as caught:
        s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    assert code_of(caught) == ("EntityTooSmall", 400)
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": [parts[0], parts[2]]})
    assert s3.get_object(Bucket="plain", Key=prefix + "made")["Body"].read() == body[1 : 5 * MIB + 1] + b"last"
    names["UploadId"] = s3.create_multipart_upload(Bucket="plain", Key=prefix + "made")["UploadId"]
    s3.abort_multipart_upload(**names)
    with pytest.raises(ClientError) as caught:
        s3.upload_part(**names, PartNumber=1, Body=b"late")
    assert code_of(caught) == ("NoSuchUpload", 404)


def test_managed_transfers(s3: Any, prefix: str, tmp_path: Any) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(20 * MIB))
    s3.upload_file(str(source), "plain", prefix + "up")
    s3.copy({"Bucket": "plain", "Key": prefix + "up"}, "plain", prefix + "copy")
    s3.download_file("plain", prefix + "copy", str(target))
    assert source.read_bytes() == target.read_bytes()


def test_tags(s3: Any, prefix: str) -> None:
    s3.put_object(Bucket="plain", Key=prefix, Body=b"x")
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    s3.put_object_tagging(Bucket="plain", Key=prefix, Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket="plain", Key=prefix)["TagSet"] == tags
    with pytest.raises(ClientError) as caught:
        s3.put_object_tagging(Bucket="plain", Key=prefix, Tagging={"TagSet": tags[:1] * 2})
    assert code_of(caught) == ("InvalidTag", 400)
    s3.delete_object_tagging(Bucket="plain", Key=prefix)
    assert s3.get_object_tagging(Bucket="plain", Key=prefix)["TagSet"] == []


def test_the_buckets_default_key_and_its_permissions(s3: Any, prefix: str, refuse: Any) -> None:
    put = s3.put_object(Bucket="kms", Key=prefix, Body=b"x")
    arn = put["SSEKMSKeyId"]
    assert put["ServerSideEncryption"] == "aws:kms"
    refuse("kms:Decrypt", arn)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="kms", Key=prefix)
    assert code_of(caught) == ("AccessDenied", 403)
    refuse("kms:GenerateDataKey", arn)
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="kms", Key=prefix, Body=b"y")
    assert code_of(caught) == ("AccessDenied", 403)
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="plain", Key=prefix, Body=b"y", ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/none")
    assert code_of(caught) == ("KMS.NotFoundException", 400)


@pytest.mark.parametrize(
    ("action", "call"),
    [
        ("s3:PutObject", lambda s3, key: s3.put_object(Bucket="plain", Key=key, Body=b"x" * 3 * MIB)),
        ("s3:GetObject", lambda s3, key: s3.get_object(Bucket="plain", Key=key)),
        ("s3:DeleteObject", lambda s3, key: s3.delete_object(Bucket="plain", Key=key)),
        ("s3:GetObjectTagging", lambda s3, key: s3.get_object_tagging(Bucket="plain", Key=key)),
        ("s3:PutObject", lambda s3, key: s3.create_multipart_upload(Bucket="plain", Key=key)),
        ("s3:ListBucket", lambda s3, key: s3.list_objects_v2(Bucket="plain", Prefix=key)),
        ("s3:ListBucketVersions", lambda s3, key: s3.list_object_versions(Bucket="plain", Prefix=key)),
        ("s3:GetObjectVersion", lambda s3, key: s3.get_object(Bucket="plain", Key=key, VersionId="null")),
    ],
)
def test_each_operation_needs_its_permission(s3: Any, prefix: str, refuse: Any, action: str, call: Any) -> None:
    s3.put_object(Bucket="plain", Key=prefix, Body=b"x")
    refuse(action, "*")
    with pytest.raises(ClientError) as caught:
        call(s3, prefix)
    assert code_of(caught) == ("AccessDenied", 403)
    assert action in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    "call",
    [
        lambda s3: s3.get_object_acl(Bucket="plain", Key="k"),
        lambda s3: s3.restore_object(Bucket="plain", Key="k", RestoreRequest={"Days": 1}),
        lambda s3: s3.put_object_legal_hold(Bucket="plain", Key="k", LegalHold={"Status": "ON"}),
    ],
)
def test_what_is_not_executed_is_refused_by_name(s3: Any, call: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(s3)
    assert code_of(caught) == ("NotImplemented", 501)
    assert caught.value.operation_name in caught.value.response["Error"]["Message"]


def test_presigned_urls(s3: Any, served: Served, prefix: str) -> None:
    for client in (s3, served.client(signature_version="s3v4")):
        url = client.generate_presigned_url("put_object", Params={"Bucket": "plain", "Key": prefix})
        request = urllib.request.Request(url, data=b"signed", method="PUT", headers={"Content-Type": ""})
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        url = client.generate_presigned_url("get_object", Params={"Bucket": "plain", "Key": prefix})
        with urllib.request.urlopen(url) as answer:
            assert answer.read() == b"signed"


def test_missing_buckets_and_wrong_owners(s3: Any, prefix: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="nowhere", Key=prefix, Body=b"x")
    assert code_of(caught) == ("NoSuchBucket", 404)
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="plain", Key=prefix, Body=b"x", ExpectedBucketOwner="111111111111")
    assert code_of(caught) == ("AccessDenied", 403)

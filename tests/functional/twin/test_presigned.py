"""What is signed ahead for others: URLs and forms, with all that they say; and copies and completions like S3's."""

from __future__ import annotations

import http.client
import re
import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.patience import PATIENCE_SECONDS

from trainworks.testing import TestTwin


@pytest.fixture(scope="module")
def bucket(twin: TestTwin) -> str:
    name = f"b-{uuid.uuid4().hex[:10]}"
    twin.client("s3").create_bucket(Bucket=name)
    return name


def request(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Status and text, with no header that was not asked for."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=PATIENCE_SECONDS)
    try:
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_url_is_good_for_a_week_at_most(twin: TestTwin, bucket: str, version: str) -> None:
    s3 = twin.client("s3", signature_version=version)
    twin.client("s3").put_object(Bucket=bucket, Key="k", Body=b"data")
    for seconds, status in ((604_800, 200), (604_801 + 60, 400)):
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=seconds)
        assert request("GET", url)[0] == status


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_an_expiry_of_thousands_of_digits_is_refused(twin: TestTwin, bucket: str, version: str) -> None:
    s3 = twin.client("s3", signature_version=version)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    for digits in ("9" * 6000, "0" * 19 + "1" + "9" * 6000):
        assert request("GET", re.sub(r"Expires=\d+", f"Expires={digits}", url))[0] == 400


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_what_a_presigned_put_says_in_its_query_is_stored(twin: TestTwin, bucket: str, version: str) -> None:
    if version == "s3":
        s3 = twin.client("s3", signature_version="s3")
        url = s3.generate_presigned_url(
            "put_object", Params={"Bucket": bucket, "Key": version, "Metadata": {"colour": "red"}}
        )
    else:  # as SDKs of other languages sign it
        root = twin.home.credentials()
        asked = AWSRequest("PUT", f"{twin.endpoint_url}/{bucket}/{version}?x-amz-meta-colour=red")
        S3SigV4QueryAuth(Credentials(root.access_key_id, root.secret_access_key), "s3", "us-east-1").add_auth(asked)
        url = str(asked.url)
    assert "x-amz-meta-colour=red" in url
    assert request("PUT", url, b"body")[0] == 200
    assert twin.client("s3").head_object(Bucket=bucket, Key=version)["Metadata"] == {"colour": "red"}


def form(fields: dict[str, str], body: bytes, boundary: str = "a-boundary") -> tuple[bytes, dict[str, str]]:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\n'.encode()
    sent = b"".join(parts) + file + body + f"\r\n--{boundary}--\r\n".encode()
    return sent, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_form_posts_an_object(twin: TestTwin, bucket: str, version: str) -> None:
    s3 = twin.client("s3", signature_version=version)
    more = {"x-amz-meta-colour": "red", "success_action_status": "201", "Content-Type": "text/plain"}
    conditions = [{name: value} for name, value in more.items()]
    post = s3.generate_presigned_post(bucket, f"{version}/${{filename}}", Fields=more, Conditions=conditions)
    status, text = request("POST", post["url"], *form(post["fields"], b"the file"))
    assert (status, "<PostResponse>" in text) == (201, True), text
    stored = twin.client("s3").get_object(Bucket=bucket, Key=f"{version}/f.txt")
    assert (stored["Body"].read(), stored["ContentType"], stored["Metadata"]) == (
        b"the file", "text/plain", {"colour": "red"},
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    body=st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from([b"\r\n", b"--", b"a-boundary", b"\r\n--a-bound", b"x"]), max_size=30).map(b"".join),
        st.integers(60_000, 140_000).map(lambda size: b"\r\n--a" * (size // 5)),
    ).filter(lambda body: b"\r\n--a-boundary" not in body)
)
def test_a_forms_file_is_stored_byte_for_byte(twin: TestTwin, bucket: str, body: bytes) -> None:
    s3 = twin.client("s3", signature_version="s3v4")
    post = s3.generate_presigned_post(bucket, "any")
    assert request("POST", post["url"], *form(post["fields"], body))[0] == 204
    assert s3.get_object(Bucket=bucket, Key="any")["Body"].read() == body


def posting(twin: TestTwin, bucket: str, **more: Any) -> dict[str, Any]:
    s3 = twin.client("s3", signature_version="s3v4")
    post: dict[str, Any] = s3.generate_presigned_post(bucket, "refused", **more)
    return post


def test_a_form_that_its_policy_does_not_allow_is_refused(twin: TestTwin, bucket: str) -> None:
    starts = [["starts-with", "$key", "ref"], ["content-length-range", 2, 10]]
    cases: dict[str, tuple[dict[str, Any], dict[str, str], bytes, str]] = {
        "another key": (posting(twin, bucket), {"key": "other"}, b"body", "Policy Condition failed"),
        "an extra field": (posting(twin, bucket), {"x-amz-meta-a": "b"}, b"body", "Extra input fields"),
        "another signature": (posting(twin, bucket), {"x-amz-signature": "0" * 64}, b"body", "SignatureDoesNotMatch"),
        "too large": (posting(twin, bucket, Conditions=starts), {}, b"b" * 11, "EntityTooLarge"),
        "too small": (posting(twin, bucket, Conditions=starts), {}, b"b", "EntityTooSmall"),
        "expired": (posting(twin, bucket, ExpiresIn=-1), {}, b"body", "Policy expired"),
        "not signed": ({**posting(twin, bucket), "fields": {"key": "refused"}}, {}, b"body", "AccessDenied"),
        "fields without end": (
            posting(twin, bucket),
            {"x-ignore-a": "x" * 30_000},
            b"",
            "MaxPostPreDataLengthExceeded",
        ),
    }
    for what, (post, changed, body, code) in cases.items():
        status, text = request("POST", post["url"], *form({**post["fields"], **changed}, body))
        assert 400 <= status < 500, what
        assert code in text, what
    with pytest.raises(ClientError, match="404"):
        twin.client("s3").head_object(Bucket=bucket, Key="refused")


def test_a_form_without_its_end_stores_nothing(twin: TestTwin, bucket: str) -> None:
    post = posting(twin, bucket)
    body, headers = form(post["fields"], b"body")
    for cut in (len(body) - 20, len(body) // 2, 10, 0):
        assert request("POST", post["url"], body[:cut], headers)[0] == 400
    with pytest.raises(ClientError, match="404"):
        twin.client("s3").head_object(Bucket=bucket, Key="refused")


def test_a_completion_that_is_repeated_has_the_same_answer(twin: TestTwin, bucket: str) -> None:
    s3 = twin.client("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    etag = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"one")["ETag"]
    asked = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    first = s3.complete_multipart_upload(**asked, MultipartUpload=parts)
    again = s3.complete_multipart_upload(**asked, MultipartUpload=parts)
    del first["ResponseMetadata"], again["ResponseMetadata"]
    assert again == first
    with pytest.raises(ClientError, match="NoSuchUpload"):
        s3.complete_multipart_upload(**asked, MultipartUpload={"Parts": [{"PartNumber": 2, "ETag": etag}]})


def test_copies_leave_a_redirect_behind_and_may_name_the_current_version(twin: TestTwin, bucket: str) -> None:
    s3 = twin.client("s3")
    s3.put_object(Bucket=bucket, Key="from", Body=b"x", WebsiteRedirectLocation="/there", Metadata={"kept": "yes"})
    s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"})
    copied = s3.head_object(Bucket=bucket, Key="to")
    assert (copied.get("WebsiteRedirectLocation"), copied["Metadata"]) == (None, {"kept": "yes"})
    s3.copy_object(
        Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"}, WebsiteRedirectLocation="/elsewhere"
    )
    assert s3.head_object(Bucket=bucket, Key="to")["WebsiteRedirectLocation"] == "/elsewhere"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="self", Body=b"x")["VersionId"]
    source = {"Bucket": bucket, "Key": "self", "VersionId": version}
    assert s3.copy_object(Bucket=bucket, Key="self", CopySource=source)["VersionId"] != version
    with pytest.raises(ClientError, match="illegal"):
        s3.copy_object(Bucket=bucket, Key="self", CopySource={"Bucket": bucket, "Key": "self"})

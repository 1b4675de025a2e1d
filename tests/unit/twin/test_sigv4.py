"""Signatures: what botocore signs is accepted; every change of it is not."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.ports import ApiError, Caller
from trainworks.twin.sigv4 import SignedRequest, SigningKey, Verified, credential_scope, examine, verify

KEY, SECRET, TOKEN = "AKIAEXAMPLE", "a-secret", "a-token"
CALLER = Caller("arn:aws:iam::000000000000:user/u", "000000000000", "", KEY)
Change = Callable[[AWSRequest], None]


def keys(access_key_id: str) -> SigningKey | None:
    return SigningKey(SECRET, CALLER) if access_key_id == KEY else None


def signed(
    method: str = "POST",
    url: str = "http://127.0.0.1:4577/",
    body: bytes = b"body",
    service: str = "sagemaker",
    headers: dict[str, str] | None = None,
) -> AWSRequest:
    request = AWSRequest(method, url, data=body, headers={"Host": urlsplit(url).netloc, **(headers or {})})
    auth = S3SigV4Auth if service == "s3" else SigV4Auth
    auth(Credentials(KEY, SECRET), service, "us-east-1").add_auth(request)
    return request


def received(request: AWSRequest) -> SignedRequest:
    """The request as a server sees it."""
    parts = urlsplit(request.prepare().url)
    headers = [(name.lower(), str(value)) for name, value in request.headers.items()]
    return SignedRequest(str(request.method), parts.path or "/", parts.query, headers)


def check(request: AWSRequest, body: bytes = b"body", now: float | None = None) -> Verified:
    digest = hashlib.sha256(body).hexdigest()
    return verify(received(request), keys, now or datetime.now(UTC).timestamp(), digest)


def needs_body(request: AWSRequest) -> bool:
    claim = examine(received(request), keys, datetime.now(UTC).timestamp())
    return not isinstance(claim, Verified) and claim.needs_body


def test_a_signed_request_is_whose_key_signed_it() -> None:
    verified = check(signed())
    assert (verified.caller.arn, verified.caller.region, verified.service) == (CALLER.arn, "us-east-1", "sagemaker")


def test_the_body_is_needed_only_where_its_digest_is_not_in_a_header() -> None:
    assert needs_body(signed())
    assert not needs_body(signed(service="s3"))


@given(
    service=st.sampled_from(["s3", "sagemaker", "batch", "sts"]),
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    path=st.lists(st.sampled_from(["a", "B-1", "%20", "%2F", "~x", "arn%3Aaws", "..", ".", "", "q=1&"]), max_size=5),
    query=st.lists(st.tuples(st.sampled_from(["a", "b", "A", "list-type"]), st.sampled_from(["", "1", "%2B", "x"]))),
    values=st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12), max_size=3),
    body=st.binary(max_size=20),
)
def test_whatever_botocore_signs_is_accepted_and_nothing_else(  # noqa: PLR0917 - the parts of a request
    service: str, method: str, path: list[str], query: list[tuple[str, str]], values: list[str], body: bytes
) -> None:
    url = "http://127.0.0.1:4577/" + "/".join(path)
    if query:
        url += "?" + "&".join(f"{name}={value}" for name, value in query)
    headers = {f"X-Amz-Meta-{number}": value for number, value in enumerate(values)}
    request = signed(method, url, body, service, headers)
    assert check(request, body).caller.access_key_id == KEY
    request.headers["X-Amz-Date"] = "20200101T000000Z"
    with pytest.raises(ApiError):
        check(request, body)


@given(
    segments=st.lists(st.text(min_size=1, max_size=8), max_size=4),
    query=st.dictionaries(st.text(min_size=1, max_size=6), st.text(max_size=6), max_size=4),
)
def test_whatever_s3_paths_and_queries_botocore_signs_is_accepted(segments: list[str], query: dict[str, str]) -> None:
    from urllib.parse import quote, urlencode

    path = "/".join(quote(segment, safe="") for segment in segments)
    url = f"http://127.0.0.1:4577/{path}?{urlencode(query, quote_via=quote)}"
    assert check(signed("GET", url, b"", "s3")).service == "s3"


def _other_date(request: AWSRequest) -> None:
    date = request.headers["X-Amz-Date"]
    request.headers.replace_header("X-Amz-Date", f"{date[:-2]}{(int(date[-2]) + 1) % 10}Z")


def _other_header(request: AWSRequest) -> None:
    request.headers["X-Amz-Target"] = "SageMaker.DeleteEverything"


def _other_path(request: AWSRequest) -> None:
    request.url += "elsewhere"


def _other_method(request: AWSRequest) -> None:
    request.method = "DELETE"


def _other_query(request: AWSRequest) -> None:
    request.url += "?versionId=1"


@pytest.mark.parametrize("change", [_other_date, _other_header, _other_path, _other_method, _other_query])
def test_a_request_that_was_changed_is_refused(change: Change) -> None:
    request = signed()
    change(request)
    with pytest.raises(ApiError, match="SignatureDoesNotMatch"):
        check(request)


def test_another_body_is_refused() -> None:
    with pytest.raises(ApiError, match="SignatureDoesNotMatch"):
        check(signed(), body=b"other")


def test_an_unknown_key_is_refused() -> None:
    request = signed()
    request.headers.replace_header("Authorization", request.headers["Authorization"].replace(KEY, "000000000000"))
    with pytest.raises(ApiError, match="InvalidClientTokenId"):
        check(request)


def test_a_request_without_signature_is_refused() -> None:
    with pytest.raises(ApiError, match="MissingAuthenticationToken"):
        verify(SignedRequest("GET", "/", "", [("host", "127.0.0.1")]), keys, 0.0)


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_more_than_15_minutes_off_is_refused(minutes: int) -> None:
    now = datetime.now(UTC).timestamp()
    with pytest.raises(ApiError, match="RequestTimeTooSkewed"):
        check(signed(), now=now + minutes * 60)
    assert check(signed(), now=now + minutes * 50)


def test_session_credentials_need_their_token_and_expire() -> None:
    def session(_: str) -> SigningKey:
        return SigningKey(SECRET, CALLER, TOKEN, expiration=now + 60)

    now = datetime.now(UTC).timestamp()
    digest = hashlib.sha256(b"body").hexdigest()
    with pytest.raises(ApiError, match="InvalidClientTokenId"):
        verify(received(signed()), session, now, digest)
    request = AWSRequest("POST", "http://127.0.0.1/", data=b"body", headers={"Host": "127.0.0.1"})
    SigV4Auth(Credentials(KEY, SECRET, TOKEN), "sagemaker", "us-east-1").add_auth(request)
    assert verify(received(request), session, now, digest).service == "sagemaker"
    with pytest.raises(ApiError, match="ExpiredToken"):
        verify(received(request), session, now + 61, digest)


@pytest.mark.parametrize(
    "sign",
    [
        lambda credentials: S3SigV4QueryAuth(credentials, "s3", "us-east-1", expires=60),
        lambda credentials: HmacV1QueryAuth(credentials, expires=60),
    ],
    ids=["version 4", "version 2"],
)
def test_a_presigned_url_holds_until_it_expires(sign: Callable[[Credentials], SigV4QueryAuth]) -> None:
    request = AWSRequest("GET", "http://127.0.0.1:4577/bucket/a%20key?versionId=3")
    request.auth_path = "/bucket/a%20key"
    sign(Credentials(KEY, SECRET)).add_auth(request)
    request.headers["Host"] = "127.0.0.1:4577"
    now = datetime.now(UTC).timestamp()
    assert check(request, now=now).service == "s3"
    with pytest.raises(ApiError, match="RequestExpired"):
        check(request, now=now + 62)
    request.url = str(request.url).replace("bucket", "other")
    with pytest.raises(ApiError, match="SignatureDoesNotMatch"):
        check(request, now=now)


def test_a_header_that_was_added_is_refused() -> None:
    request = signed("PUT", "http://127.0.0.1:4577/b/k", b"body", "s3")
    request.headers["x-amz-copy-source"] = "/secrets/key"
    with pytest.raises(ApiError, match="x-amz-copy-source"):
        check(request)


def test_the_scope_is_known_before_the_signature_is_checked() -> None:
    assert credential_scope(received(signed(service="batch"))) == ("batch", "us-east-1")


def test_version_2_signatures_are_base64_of_sha1() -> None:
    request = AWSRequest("GET", "http://127.0.0.1/b/k")
    HmacV1QueryAuth(Credentials(KEY, SECRET), expires=60).add_auth(request)
    query = dict(part.split("=", 1) for part in urlsplit(str(request.url)).query.split("&"))
    from urllib.parse import unquote

    assert len(base64.b64decode(unquote(query["Signature"]))) == 20

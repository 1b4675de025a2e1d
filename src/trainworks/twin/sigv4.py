"""AWS request signatures, checked: Signature Version 4 in headers and in presigned queries, and the older
query form that some clients still use to presign S3 URLs.

`examine` answers who says to have signed, before a body is read; `confirm` whether it is so, and what the signature
says about the body, which is checked while it is read (`payload.py`). Pure: time and keys come in as arguments. After
"Signing AWS API requests" (IAM User Guide) and "Authenticating Requests" (Amazon S3 API Reference).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, unquote

from trainworks.twin.numerals import whole_number
from trainworks.twin.ports import ApiError, Caller

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
MAX_SKEW_SECONDS = 15 * 60
MAX_PRESIGN_SECONDS = 7 * 24 * 3600

_AMZ_DATE = "%Y%m%dT%H%M%SZ"
_STREAMING = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": (True, False),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": (True, True),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": (False, True),
}
_V2_SUBRESOURCES = frozenset(
    {
        *("accelerate", "acl", "cors", "defaultObjectAcl", "delete", "lifecycle", "location", "logging"),
        *("object-lock", "partNumber", "policy", "replication", "requestPayment", "restore", "storageClass", "tagging"),
        *("torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website", "analytics", "inventory"),
        *("notification", "metrics", "select", "select-type", "response-cache-control", "response-content-disposition"),
        *("response-content-encoding", "response-content-language", "response-content-type", "response-expires"),
    }
)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What is known of an access key. `expiration` is seconds since the epoch; `caller.region` is filled in later."""

    secret_access_key: str
    caller: Caller
    session_token: str | None = None
    expiration: float | None = None


KeyLookup = Callable[[str], SigningKey | None]


class SignedRequest:
    """The signed parts of a request as they came in. `headers` has lower-case names, in order, repeats included."""

    __slots__ = ("_by_name", "headers", "method", "raw_path", "raw_query")

    def __init__(self, method: str, raw_path: str, raw_query: str, headers: Sequence[tuple[str, str]]) -> None:
        self.method = method
        self.raw_path = raw_path
        self.raw_query = raw_query
        self.headers = headers
        by_name: dict[str, str] = {}
        for name, value in headers:
            by_name[name] = f"{by_name[name]},{value.strip()}" if name in by_name else value
        self._by_name = by_name

    def header(self, name: str) -> str:
        """The values of a header, joined by commas; "" if it is not there."""
        return self._by_name.get(name, "")

    @property
    def by_name(self) -> Mapping[str, str]:
        return self._by_name


@dataclass(frozen=True, slots=True)
class PayloadClaim:
    """What the signature says about the body.

    `sha256` is the digest that the body must have, or None when the body is not signed. `chunked` bodies are
    aws-chunked; their chunks are signed in a chain that starts with `seed_signature` when `signing_key` is there.
    """

    sha256: str | None = None
    chunked: bool = False
    trailer: bool = False
    signing_key: bytes | None = None
    seed_signature: str = ""
    amz_date: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """A request whose signature holds: who signed it, for which service, and what its body must be."""

    caller: Caller
    service: str
    payload: PayloadClaim


@dataclass(frozen=True, slots=True)
class _Signature:
    access_key_id: str
    date_stamp: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    amz_date: str
    token: str
    presigned: bool

    @property
    def scope(self) -> str:
        return f"{self.date_stamp}/{self.region}/{self.service}/aws4_request"


def credential_scope(request: SignedRequest) -> tuple[str, str]:
    """(service, region) that the request says it is signed for, unverified; empty strings when unsigned."""
    authorization = request.header("authorization")
    credential = ""
    if authorization.startswith(ALGORITHM):
        credential = _authorization_fields(authorization).get("Credential", "")
    else:
        credential = dict(query_pairs(request.raw_query)).get("X-Amz-Credential", "")
    parts = credential.rsplit("/", 4)
    if len(parts) == 5:
        return parts[3], parts[2]
    return ("s3", "us-east-1") if _is_version_2(request) else ("", "")


@dataclass(frozen=True, slots=True)
class Claim:
    """Who says to have signed a request, before the signature itself is checked.

    The key is known and its token right, and the times fit. `digest` is what the request says about its body, or None
    if the signature can only be checked with the body's digest at hand.
    """

    request: SignedRequest
    signature: _Signature
    key: SigningKey
    digest: str | None

    @property
    def needs_body(self) -> bool:
        return self.digest is None


def examine(request: SignedRequest, keys: KeyLookup, now: float) -> Claim | Verified:
    """What is known of a signature before the body is read; a signature of Version 2 does not cover a body: `Verified`.

    Raises `ApiError` with the codes of the Query API (`MissingAuthenticationToken`, `InvalidClientTokenId`,
    `ExpiredToken`, `IncompleteSignature`, `RequestExpired`, `RequestTimeTooSkewed`, status 403 or 400).
    """
    if _is_version_2(request):
        return _verify_version_2(request, keys, now)
    signature = _parse(request)
    _check_time(signature, request, now)
    key = known_key(keys, signature.access_key_id, signature.token, now)
    return Claim(request, signature, key, _claimed_digest(signature, request))


def confirm(claim: Claim, body_sha256: str | None = None) -> Verified:
    """Check the signature itself; `body_sha256` is needed where `claim.needs_body`. Raises `SignatureDoesNotMatch`."""
    signature, key = claim.signature, claim.key
    claimed = claim.digest or body_sha256 or EMPTY_SHA256
    signing_key = derive_key(key.secret_access_key, signature.date_stamp, signature.region, signature.service)
    expected = hmac.digest(signing_key, _string_to_sign(signature, claim.request, claimed).encode(), "sha256").hex()
    if not hmac.compare_digest(expected.encode(), signature.signature.encode()):
        raise ApiError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
            403,
        )
    caller = Caller(
        key.caller.arn, key.caller.account_id, signature.region, signature.access_key_id, key.caller.is_root
    )
    return Verified(caller, signature.service, _payload_claim(claimed, signature, signing_key))


def verify(request: SignedRequest, keys: KeyLookup, now: float, body_sha256: str | None = None) -> Verified:
    """`examine` and `confirm` in one, for callers that have the body's digest."""
    claim = examine(request, keys, now)
    return claim if isinstance(claim, Verified) else confirm(claim, body_sha256)


def query_pairs(raw_query: str) -> list[tuple[str, str]]:
    """Decoded `(name, value)` pairs of a query string, in order; `+` is a plus sign, as AWS signs it."""
    pairs = []
    for item in raw_query.split("&"):
        if item:
            name, _, value = item.partition("=")
            pairs.append((unquote(name), unquote(value)))
    return pairs


def _parse(request: SignedRequest) -> _Signature:
    authorization = request.header("authorization")
    if authorization:
        if not authorization.startswith(ALGORITHM):
            raise ApiError(
                "IncompleteSignature", f"The authorization mechanism is not supported; use {ALGORITHM}.", 400
            )
        fields = _authorization_fields(authorization)
        amz_date, token, presigned = request.header("x-amz-date"), request.header("x-amz-security-token"), False
    else:
        query = dict(query_pairs(request.raw_query))
        if query.get("X-Amz-Algorithm") != ALGORITHM:
            raise ApiError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        fields = {
            name: query.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature", "Expires")
        }
        amz_date, token, presigned = query.get("X-Amz-Date", ""), query.get("X-Amz-Security-Token", ""), True
    scope = fields.get("Credential", "").rsplit("/", 4)
    missing = [name for name in ("Credential", "SignedHeaders", "Signature") if not fields.get(name)]
    if missing or len(scope) != 5 or scope[4] != "aws4_request" or not amz_date:
        what = ", ".join(missing) or ("x-amz-date" if not amz_date else "a credential scope of five parts")
        raise ApiError("IncompleteSignature", f"The request signature requires {what}.", 400)
    signed = tuple(fields["SignedHeaders"].lower().split(";"))
    return _Signature(scope[0], scope[1], scope[2], scope[3], signed, fields["Signature"], amz_date, token, presigned)


def _authorization_fields(authorization: str) -> dict[str, str]:
    fields = {}
    for part in authorization[len(ALGORITHM) :].split(","):
        name, _, value = part.strip().partition("=")
        fields[name] = value
    return fields


def _check_time(signature: _Signature, request: SignedRequest, now: float) -> None:
    signed_at = _seconds(signature.amz_date)
    if not signature.amz_date.startswith(signature.date_stamp):
        raise ApiError("SignatureDoesNotMatch", "Date in Credential scope does not match the date of the request.", 403)
    if signed_at > now + MAX_SKEW_SECONDS:
        raise ApiError("RequestTimeTooSkewed", f"Signature not yet current: {signature.amz_date}", 403)
    if not signature.presigned:
        if signed_at < now - MAX_SKEW_SECONDS:
            raise ApiError("RequestTimeTooSkewed", f"Signature expired: {signature.amz_date}", 403)
        return
    value = dict(query_pairs(request.raw_query)).get("X-Amz-Expires", "" if signature.service == "s3" else "900")
    seconds = whole_number(value) or 0
    if not 0 < seconds <= MAX_PRESIGN_SECONDS:
        raise _too_long()
    if now > signed_at + seconds:
        raise ApiError("RequestExpired", "Request has expired", 403)


def _too_long() -> ApiError:
    message = f"X-Amz-Expires must be less than a week (in seconds) that is {MAX_PRESIGN_SECONDS}"
    return ApiError("AuthorizationQueryParametersError", message, 400)


@lru_cache(maxsize=64)
def _seconds(amz_date: str) -> float:
    """A date of a signature in seconds since the epoch. Raises `IncompleteSignature`."""
    try:
        return datetime.strptime(amz_date, _AMZ_DATE).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise ApiError("IncompleteSignature", f"'{amz_date}' is not a date of the form {_AMZ_DATE}.") from None


def known_key(keys: KeyLookup, access_key_id: str, token: str, now: float) -> SigningKey:
    """What is known of an access key. Raises `InvalidClientTokenId`, `ExpiredToken`."""
    key = keys(access_key_id)
    unknown = ApiError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
    if key is None:
        raise unknown
    if not hmac.compare_digest((key.session_token or "").encode(), token.encode()):
        raise unknown
    if key.expiration is not None and now > key.expiration:
        raise ApiError("ExpiredToken", "The security token included in the request is expired", 403)
    return key


def _claimed_digest(signature: _Signature, request: SignedRequest) -> str | None:
    """What the request says about its body; None if it leaves that to the signature."""
    claimed = request.header("x-amz-content-sha256")
    if signature.service == "s3":
        if signature.presigned:
            return claimed if claimed and "x-amz-content-sha256" in signature.signed_headers else UNSIGNED_PAYLOAD
        if not claimed:
            raise ApiError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    if not claimed:
        return EMPTY_SHA256 if signature.presigned else None
    if claimed == UNSIGNED_PAYLOAD or claimed in _STREAMING or _is_sha256(claimed):
        return claimed
    raise ApiError(
        "InvalidArgument",
        f"x-amz-content-sha256 must be {UNSIGNED_PAYLOAD}, {', '.join(_STREAMING)}, or a valid sha256 value.",
    )


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and not text.strip("0123456789abcdef")


def _payload_claim(claimed: str, signature: _Signature, signing_key: bytes) -> PayloadClaim:
    if claimed == UNSIGNED_PAYLOAD:
        return PayloadClaim()
    if claimed not in _STREAMING:
        return PayloadClaim(sha256=claimed)
    signed, trailer = _STREAMING[claimed]
    return PayloadClaim(
        chunked=True,
        trailer=trailer,
        signing_key=signing_key if signed else None,
        seed_signature=signature.signature,
        amz_date=signature.amz_date,
        scope=signature.scope,
    )


def _string_to_sign(signature: _Signature, request: SignedRequest, claimed: str) -> str:
    query = _canonical_query(request.raw_query) if request.raw_query else ""
    canonical = (
        f"{request.method}\n{_canonical_path(request.raw_path, signature.service)}\n{query}\n"
        f"{_canonical_headers(signature, request)}\n{';'.join(signature.signed_headers)}\n{claimed}"
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return f"{ALGORITHM}\n{signature.amz_date}\n{signature.scope}\n{digest}"


def _canonical_path(raw_path: str, service: str) -> str:
    if service == "s3" or raw_path == "/":
        return raw_path or "/"
    segments: list[str] = []
    for segment in raw_path.split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in ("", "."):
            segments.append(segment)
    path = "/" + "/".join(segments) + ("/" if segments and raw_path.endswith("/") else "")
    return quote(path, safe="/~")


def _canonical_query(raw_query: str) -> str:
    pairs = [
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in query_pairs(raw_query)
        if name != "X-Amz-Signature"
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _canonical_headers(signature: _Signature, request: SignedRequest) -> str:
    """The signed headers, a line each. Raises `SignatureDoesNotMatch` if a header that must be signed is not."""
    values, signed = request.by_name, signature.signed_headers
    unsigned = [
        name for name in values if name.startswith("x-amz-") and name not in signed and name != "x-amz-content-sha256"
    ]
    if "host" not in signed or unsigned:
        raise ApiError(
            "SignatureDoesNotMatch",
            f"There were headers present in the request which were not signed: {', '.join(unsigned) or 'host'}",
            403,
        )
    return "".join([f"{name}:{' '.join(values.get(name, '').split())}\n" for name in signed])


@lru_cache(maxsize=512)
def derive_key(secret: str, date_stamp: str, region: str, service: str) -> bytes:
    """The signing key of a day, region and service, kept for the next request that needs it."""
    key = f"AWS4{secret}".encode()
    for part in (date_stamp, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _is_version_2(request: SignedRequest) -> bool:
    if request.header("authorization") or not request.raw_query:
        return False
    names = {name for name, _ in query_pairs(request.raw_query)}
    return {"AWSAccessKeyId", "Signature", "Expires"} <= names and "SignatureVersion" not in names


def _verify_version_2(request: SignedRequest, keys: KeyLookup, now: float) -> Verified:
    """A presigned S3 URL in the older query form, as boto3 makes it unless told otherwise."""
    query = dict(query_pairs(request.raw_query))
    expires = whole_number(query["Expires"])
    if expires is None or now > expires:
        raise ApiError("RequestExpired", "Request has expired", 403)
    if expires - now > MAX_PRESIGN_SECONDS:
        raise _too_long()
    headers = dict(request.headers)
    token = query.get("x-amz-security-token", headers.get("x-amz-security-token", ""))
    key = known_key(keys, query["AWSAccessKeyId"], token, now)
    text = _version_2_string(request, query, headers)
    digest = hmac.new(key.secret_access_key.encode(), text.encode(), hashlib.sha1).digest()
    if not hmac.compare_digest(base64.b64encode(digest), query["Signature"].encode()):
        raise ApiError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
            403,
        )
    caller = Caller(key.caller.arn, key.caller.account_id, "us-east-1", query["AWSAccessKeyId"], key.caller.is_root)
    return Verified(caller, "s3", PayloadClaim())


def _version_2_string(request: SignedRequest, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    amz = {name: value for name, value in headers.items() if name.startswith("x-amz-")}
    amz |= {name: value for name, value in query.items() if name.startswith("x-amz-")}
    amz_lines = [f"{name}:{value}" for name, value in sorted(amz.items())]
    sub = [f"{name}={value}" if value else name for name, value in sorted(query.items()) if name in _V2_SUBRESOURCES]
    resource = request.raw_path + (f"?{'&'.join(sub)}" if sub else "")
    head = [
        request.method,
        headers.get("content-md5", ""),
        headers.get("content-type", ""),
        query["Expires"],
    ]
    return "\n".join([*head, *amz_lines, resource])

"""Headers and query parameters of S3 requests that the twin does not act on: refused by name, or recorded.

Everything else that botocore's model of S3 puts into headers or the query is used; `members` tells for an operation.
"""

from __future__ import annotations

from collections.abc import Mapping

from trainworks.twin.ports import ApiError
from trainworks.twin.wire.models import service_model

_SSE_C = "server-side encryption with customer keys (SSE-C)"
_CUSTOMER = "server-side-encryption-customer"
REFUSED: Mapping[str, str] = {
    **dict.fromkeys((f"x-amz-{_CUSTOMER}-{each}" for each in ("algorithm", "key", "key-md5")), _SSE_C),
    **dict.fromkeys((f"x-amz-copy-source-{_CUSTOMER}-{each}" for each in ("algorithm", "key", "key-md5")), _SSE_C),
    "x-amz-object-lock-mode": "Object Lock",
    "x-amz-object-lock-retain-until-date": "Object Lock",
    "x-amz-object-lock-legal-hold": "Object Lock",
    "x-amz-object-lock-event-hold": "Object Lock",
    "x-amz-object-lock-event-hold-duration-days": "Object Lock",
    "x-amz-object-lock-event-hold-duration-years": "Object Lock",
    "x-amz-write-offset-bytes": "appending to an object (x-amz-write-offset-bytes)",
    "x-amz-server-side-encryption-context": "an encryption context (x-amz-server-side-encryption-context)",
    "x-amz-object-annotation-directive": "annotations (x-amz-object-annotation-directive)",
    "x-amz-if-match-initiated-time": "aborting under a condition (x-amz-if-match-initiated-time)",
    "x-amz-if-match-last-modified-time": "deleting under a condition on time (x-amz-if-match-last-modified-time)",
    "x-amz-if-match-size": "deleting under a condition on size (x-amz-if-match-size)",
    "x-amz-bucket-namespace": "namespaces of buckets (x-amz-bucket-namespace)",
}
"""What a request that gives the header asks for, by the header's name in lower case."""

RECORDED: Mapping[str, str] = {
    "x-amz-request-payer": "nobody pays",
    "x-amz-mfa": "MFA delete is refused where it would be enabled",
    "x-amz-bypass-governance-retention": "no object is retained",
    "x-amz-optional-object-attributes": "no object was restored",
    "x-amz-bucket-object-lock-token": "Object Lock needs no support case here",
    "x-amz-confirm-remove-self-bucket-access": "who locks the root out is let in again",
}
"""Why a header changes nothing here."""


def refuse_unsupported(headers: Mapping[str, str]) -> None:
    """Raise `NotImplemented` for a header whose meaning the twin does not give it."""
    if REFUSED.keys().isdisjoint(headers):
        return
    what = next(what for name, what in REFUSED.items() if name in headers)
    raise ApiError("NotImplemented", f"The twin does not implement {what}.", 501)


def members(operation: str) -> dict[str, str]:
    """`used`, `recorded` or `refused` for each member that an operation of S3 takes besides its document."""
    shape = service_model("s3").operation_model(operation).input_shape
    found = {}
    for name, member in ({} if shape is None else shape.members).items():
        wire = str(member.serialization.get("name", name)).lower()
        if member.serialization.get("location") in ("header", "headers", "querystring"):
            found[str(name)] = "refused" if wire in REFUSED else "recorded" if wire in RECORDED else "used"
    return found

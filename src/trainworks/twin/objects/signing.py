"""How a request was signed, as far as its body depends on it. The front has verified the signature itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Signing:
    """The signed facts about a body (AWS: "Signature Calculations for the Authorization Header").

    `payload_hash` is the signed `x-amz-content-sha256`: a hex SHA-256, `UNSIGNED-PAYLOAD` (also for presigned requests
    and SigV2), or one of the `STREAMING-` markers. For those with signed chunks `seed_signature` is the request's own
    signature, `signing_key` the derived key, `timestamp` its `x-amz-date` and `scope` the credential scope
    (`20260101/us-east-1/s3/aws4_request`).
    """

    payload_hash: str = "UNSIGNED-PAYLOAD"
    seed_signature: str = ""
    signing_key: bytes = field(default=b"", repr=False)
    timestamp: str = ""
    scope: str = ""

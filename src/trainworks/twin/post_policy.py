"""Forms that post an object to S3: who signed their policy, and whether the form is what the policy allows.

After "Browser-Based Uploads Using POST" (Amazon S3 API Reference): the signature is made over the policy alone, and the
policy says what the fields may be. Field names are in lower case here.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trainworks.twin.ports import ApiError, Caller
from trainworks.twin.sigv4 import ALGORITHM, KeyLookup, derive_key, known_key

_UNCHECKED = frozenset({"x-amz-signature", "signature", "awsaccesskeyid", "policy", "file"})


@dataclass(frozen=True, slots=True)
class PostPermission:
    """Who posts, and how many bytes the file may have."""

    caller: Caller
    least_bytes: int = 0
    most_bytes: int | None = None


def permit(fields: Mapping[str, str], bucket: str, keys: KeyLookup, now: float) -> PostPermission:
    """Check the policy's signature, time and conditions against a form's fields.

    Raises `ApiError`: `AccessDenied`, `SignatureDoesNotMatch`, `InvalidClientTokenId`, `ExpiredToken`,
    `InvalidPolicyDocument`.
    """
    if "policy" not in fields:
        raise ApiError("AccessDenied", "Access Denied", 403)
    caller = _signer(fields, keys, now)
    policy = _document(fields["policy"])
    if _seconds(policy.get("expiration")) < now:
        raise _refused("Policy expired.")
    conditions = policy.get("conditions")
    if not isinstance(conditions, list):
        raise _invalid("Policy document must contain 'conditions'.")
    return _checked(conditions, {**fields, "bucket": bucket}, caller)


def _signer(fields: Mapping[str, str], keys: KeyLookup, now: float) -> Caller:
    token, policy = fields.get("x-amz-security-token", ""), fields["policy"].encode()
    if fields.get("x-amz-algorithm") == ALGORITHM:
        scope = fields.get("x-amz-credential", "").rsplit("/", 4)
        if len(scope) != 5 or scope[3:] != ["s3", "aws4_request"]:
            raise ApiError("AccessDenied", "The form's x-amz-credential is not of S3.", 403)
        access_key_id, date, region = scope[:3]
        key = known_key(keys, access_key_id, token, now)
        expected = hmac.digest(derive_key(key.secret_access_key, date, region, "s3"), policy, "sha256").hex().encode()
        provided = fields.get("x-amz-signature", "")
    elif "awsaccesskeyid" in fields:
        access_key_id, region = fields["awsaccesskeyid"], "us-east-1"
        key = known_key(keys, access_key_id, token, now)
        expected = base64.b64encode(hmac.digest(key.secret_access_key.encode(), policy, "sha1"))
        provided = fields.get("signature", "")
    else:
        raise ApiError("AccessDenied", "Access Denied", 403)
    if not hmac.compare_digest(expected, provided.encode()):
        message = "The request signature we calculated does not match the signature you provided."
        raise ApiError("SignatureDoesNotMatch", f"{message} Check your key and signing method.", 403)
    return Caller(key.caller.arn, key.caller.account_id, region, access_key_id, key.caller.is_root)


def _document(encoded: str) -> Mapping[str, Any]:
    try:
        document = json.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _invalid("Invalid Policy: Invalid JSON.") from None
    if not isinstance(document, dict):
        raise _invalid("Invalid Policy: Invalid JSON.")
    return document


def _seconds(expiration: object) -> float:
    try:
        moment = datetime.fromisoformat(str(expiration))
    except ValueError:
        raise _invalid(f"Invalid Policy: Invalid 'expiration' value: '{expiration}'") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _checked(conditions: list[Any], fields: Mapping[str, str], caller: Caller) -> PostPermission:
    covered = {"bucket"}
    least, most = 0, None
    for condition in conditions:
        if _is_range(condition):
            least, most = condition[1], condition[2]
            continue
        operator, name, value = _comparison(condition)
        covered.add(name)
        given = fields.get(name, "")
        if not (given == value if operator == "eq" else given.startswith(value)):
            raise _refused(f"Policy Condition failed: {json.dumps([operator, f'${name}', value])}")
    extra = [name for name in fields if name not in covered | _UNCHECKED and not name.startswith("x-ignore-")]
    if extra:
        raise _refused(f"Extra input fields: {extra[0]}")
    return PostPermission(caller, least, most)


def _is_range(condition: Any) -> bool:
    return (
        isinstance(condition, list)
        and len(condition) == 3
        and condition[0] == "content-length-range"
        and all(isinstance(each, int) for each in condition[1:])
    )


def _comparison(condition: Any) -> tuple[str, str, str]:
    if isinstance(condition, dict) and len(condition) == 1:
        ((name, value),) = condition.items()
        return "eq", str(name).lower(), str(value)
    if isinstance(condition, list) and len(condition) == 3:
        operator, name = str(condition[0]).lower(), str(condition[1])
        if operator in ("eq", "starts-with") and name.startswith("$"):
            return operator, name[1:].lower(), str(condition[2])
    raise _invalid(f"Invalid Policy: Invalid condition: {json.dumps(condition)[:200]}")


def _refused(why: str) -> ApiError:
    return ApiError("AccessDenied", f"Invalid according to Policy: {why}", 403)


def _invalid(why: str) -> ApiError:
    return ApiError("InvalidPolicyDocument", why, 400)

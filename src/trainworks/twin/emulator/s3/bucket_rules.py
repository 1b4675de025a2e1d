"""What S3 refuses in a bucket's configuration beyond its schema, with S3's codes and words.

Each rule takes the document as `s3_documents.read` gives it. After the "Errors" and parameter descriptions of the
operations in the Amazon S3 API Reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trainworks.twin.emulator.s3.s3_documents import malformed
from trainworks.twin.ports import ApiError

Document = Mapping[str, Any]
Rule = Callable[[str, Document, Callable[[str], bool]], None]

_CORS_METHODS = ("GET", "PUT", "HEAD", "POST", "DELETE")
_RULES_MAX, _CORS_RULES_MAX, _TAGS_MAX = 1000, 100, 50
_ID_LENGTH_MAX = 255
_ACTIONS = (
    "Expiration", "Transitions", "NoncurrentVersionTransitions", "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
)  # fmt: skip


def lifecycle(bucket: str, document: Document, exists: Callable[[str], bool]) -> None:
    """Raises `MalformedXML`, `InvalidArgument`, `InvalidRequest`."""
    rules = document["Rules"]
    if not 1 <= len(rules) <= _RULES_MAX:
        raise malformed()
    names = [rule["ID"] for rule in rules if rule.get("ID")]
    if len(set(names)) != len(names):
        raise _argument("Rule ID must be unique. Found same ID for more than one rule")
    if any(len(name) > _ID_LENGTH_MAX for name in names):
        raise _argument(f"ID length should not exceed allowed limit of {_ID_LENGTH_MAX}")
    for rule in rules:
        if ("Prefix" in rule) == ("Filter" in rule) or len(rule.get("Filter", {})) > 1:
            raise malformed()
        if not any(action in rule for action in _ACTIONS):
            raise ApiError("InvalidRequest", "At least one action needs to be specified in a rule", 400)
        _expiration(rule.get("Expiration"))
        _days(rule)


def _expiration(expiration: Document | None) -> None:
    if expiration is None:
        return
    if len(expiration) != 1:
        raise malformed()
    date = expiration.get("Date")
    if date is not None and (date.hour, date.minute, date.second, date.microsecond) != (0, 0, 0, 0):
        raise _argument("'Date' must be at midnight GMT")


def _days(rule: Document) -> None:
    counted = [("Expiration", "Days"), ("NoncurrentVersionExpiration", "NoncurrentDays")]
    counted.append(("AbortIncompleteMultipartUpload", "DaysAfterInitiation"))
    for action, name in counted:
        if rule.get(action, {}).get(name, 1) < 1:
            raise _argument(f"'{name}' for {action} action must be a positive integer")
    for action, name in (("Transitions", "Days"), ("NoncurrentVersionTransitions", "NoncurrentDays")):
        for transition in rule.get(action, ()):
            if transition.get(name, 0) < 0:
                raise _argument(f"'{name}' in {action.removesuffix('s')} action must be nonnegative")
            if "StorageClass" not in transition or ("Days" in transition and "Date" in transition):
                raise malformed()


def cors(bucket: str, document: Document, exists: Callable[[str], bool]) -> None:
    """Raises `MalformedXML`, `InvalidRequest`."""
    if not 1 <= len(document["CORSRules"]) <= _CORS_RULES_MAX:
        raise malformed()
    for rule in document["CORSRules"]:
        for method in rule["AllowedMethods"]:
            if method not in _CORS_METHODS:
                message = f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                raise ApiError("InvalidRequest", message, 400)
        for origin in rule["AllowedOrigins"]:
            if origin.count("*") > 1:
                message = f'AllowedOrigin "{origin}" can not have more than one wildcard.'
                raise ApiError("InvalidRequest", message, 400)


def logging(bucket: str, document: Document, exists: Callable[[str], bool]) -> None:
    """Raises `InvalidTargetBucketForLogging`."""
    target = document.get("LoggingEnabled", {}).get("TargetBucket")
    if target is not None and not exists(target):
        message = "The target bucket for logging does not exist"
        raise ApiError("InvalidTargetBucketForLogging", message, 400)


def acceleration(bucket: str, document: Document, exists: Callable[[str], bool]) -> None:
    """Raises `MalformedXML`, `InvalidRequest`."""
    if "Status" not in document:
        raise malformed()
    if "." in bucket:
        message = "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names"
        raise ApiError("InvalidRequest", message, 400)


def tagging(bucket: str, document: Document, exists: Callable[[str], bool]) -> None:
    """Raises `InvalidTag`, `BadRequest`."""
    tags = document["TagSet"]
    keys = [tag["Key"] for tag in tags]
    if len(set(keys)) != len(keys):
        raise _tag("Cannot provide multiple Tags with the same key")
    if len(tags) > _TAGS_MAX:
        raise ApiError("BadRequest", f"Bucket tag count cannot be greater than {_TAGS_MAX}", 400)
    for tag in tags:
        if tag["Key"].startswith("aws:"):
            raise _tag("System tags cannot be added/updated by requester")
        if not 1 <= len(tag["Key"]) <= 128:
            raise _tag("The TagKey you have provided is invalid")
        if len(tag["Value"]) > 256:
            raise _tag("The TagValue you have provided is invalid")


def versioning(bucket: str, document: Document, exists: Callable[[str], bool]) -> None:
    """Raises `MalformedXML`, `NotImplemented`."""
    if document.get("MFADelete") == "Enabled":
        raise _refused("MFA delete (MfaDelete)")
    if "Status" not in document:
        raise ApiError("IllegalVersioningConfigurationException", "The Versioning element must be specified", 400)


def object_lock(bucket: str, document: Document, exists: Callable[[str], bool]) -> None:
    """Raises `NotImplemented`: the twin keeps no object from deletion, so it does not claim to."""
    if "Rule" in document:
        raise _refused("default retention of Object Lock (Rule)")


RULES: Mapping[str, Rule] = {
    "PutBucketLifecycleConfiguration": lifecycle,
    "PutBucketCors": cors,
    "PutBucketLogging": logging,
    "PutBucketAccelerateConfiguration": acceleration,
    "PutBucketTagging": tagging,
    "PutBucketVersioning": versioning,
    "PutObjectLockConfiguration": object_lock,
}


def _argument(message: str) -> ApiError:
    return ApiError("InvalidArgument", message, 400)


def _tag(message: str) -> ApiError:
    return ApiError("InvalidTag", message, 400)


def _refused(what: str) -> ApiError:
    return ApiError("NotImplemented", f"The twin does not implement {what}.", 501)

"""What is needed of S3 here, by boto3: whether an object exists, the objects below a prefix, deleting many.

A HEAD has no body, so its error is only an HTTP status. Callers who may list the bucket get 404 if the object does not
exist; others get 403, whether it exists or not ("HeadObject" in the S3 API reference).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from trainworks.aws.object_keys import is_deleted_alone
from trainworks.errors import RequestError, TrainworksError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_HIDDEN = frozenset({"403", "AccessDenied", "Forbidden"})
_DELETED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a list shows it."""

    key: str
    bytes: int
    changed_at: datetime


def object_size(s3: S3Client, bucket: str, key: str) -> int | None:
    """The size of an object in bytes; None if it does not exist. Raises `RequestError` if the caller may not know."""
    try:
        return int(s3.head_object(Bucket=bucket, Key=key)["ContentLength"])
    except ClientError as error:
        code = _code(error)
        if code in _HIDDEN:
            raise RequestError(
                f"s3://{bucket}/{key} does not exist, or you may not read it: S3 answers 403 for both, unless you may "
                "list the bucket",
                fix=f"grant s3:ListBucket on the bucket {bucket} and s3:GetObject on {key} to your role",
            ) from error
        if code not in _ABSENT:
            raise
        return None


def is_stored(s3: S3Client, bucket: str, key: str) -> bool:
    """Whether S3 says that an object exists. False if the caller may not know: putting it once more does no harm."""
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if _code(error) not in _ABSENT | _HIDDEN:
            raise
        return False
    return True


def has_objects(s3: S3Client, bucket: str, prefix: str) -> bool:
    """Whether anything lies below a prefix."""
    return bool(s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount", 0))


def objects_below(s3: S3Client, bucket: str, prefix: str) -> Iterator[StoredObject]:
    """All objects below a prefix, in the order of their keys."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for each in page.get("Contents", []):
            yield StoredObject(each["Key"], each["Size"], each["LastModified"])


def delete_objects(s3: S3Client, bucket: str, objects: Iterable[tuple[str, str]]) -> int:
    """Delete objects by (key, version; "" for none); returns how many. Raises `TrainworksError` if S3 refuses."""
    count = 0
    remaining = iter(objects)
    while part := list(islice(remaining, _DELETED_AT_ONCE)):
        for key, version in part:
            if is_deleted_alone(key):
                s3.delete_object(**{"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})})  # type: ignore[arg-type]
        if failed := _failed(s3, bucket, [each for each in part if not is_deleted_alone(each[0])]):
            raise TrainworksError(
                f"bucket {bucket}: {len(failed)} objects cannot be deleted, the first: {failed[0]}",
                fix="look for an object lock, a legal hold or a policy that denies deletion",
            )
        count += len(part)
    return count


def _failed(s3: S3Client, bucket: str, objects: list[tuple[str, str]]) -> list[str]:
    """Delete a thousand at most; returns S3's messages about those that it did not delete."""
    if not objects:
        return []
    named: list[ObjectIdentifierTypeDef] = [
        {"Key": key, "VersionId": version} if version else {"Key": key} for key, version in objects
    ]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True})
    return [f"{each.get('Key')}: {each.get('Code')}: {each.get('Message')}" for each in answer.get("Errors", [])]


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))

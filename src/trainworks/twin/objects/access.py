"""Which permission an object operation needs, and the asking for it.

Source: "Actions, resources, and condition keys for Amazon S3" in the Service Authorization Reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from trainworks.twin.bucket_config import Bucket, BucketConfig, Encryption
from trainworks.twin.objects.errors import S3Error, access_denied, no_such_bucket, no_such_key
from trainworks.twin.ports import ApiError, Caller

_AWS_MANAGED = "alias/aws/s3"


class Authorizer(Protocol):
    """The part of `ports.ControlPlane` that object data needs."""

    def authorize(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, str | Sequence[str]] | None = None
    ) -> None: ...


class Access:
    """Permission checks for one store. A caller of None is the twin itself and may do everything."""

    def __init__(self, authorizer: Authorizer, buckets: BucketConfig) -> None:
        self._authorizer = authorizer
        self._buckets = buckets

    def bucket(self, name: str) -> Bucket:
        """Raises `NoSuchBucket`."""
        bucket = self._buckets.bucket(name)
        if bucket is None:
            raise no_such_bucket(name)
        return bucket

    def object(
        self, caller: Caller | None, action: str, bucket: str, key: str, context: Mapping[str, str] | None = None
    ) -> None:
        """Raise `AccessDenied` unless `caller` may do `action` (`s3:GetObject` ...) on the object."""
        self._check(caller, action, f"arn:aws:s3:::{bucket}/{key}", context)

    def whole_bucket(
        self, caller: Caller | None, action: str, bucket: str, context: Mapping[str, str] | None = None
    ) -> None:
        """Raise `AccessDenied` unless `caller` may do `action` (`s3:ListBucket` ...) on the bucket."""
        self._check(caller, action, f"arn:aws:s3:::{bucket}", context)

    def missing(self, caller: Caller | None, bucket: str, key: str, error: S3Error | None = None) -> S3Error:
        """The error for a missing key: `error` or `NoSuchKey`; `AccessDenied` for callers that may not list."""
        try:
            self.whole_bucket(caller, "s3:ListBucket", bucket, {"s3:prefix": key})
        except S3Error as denied:
            return denied
        return error or no_such_key(key)

    def encrypt(self, caller: Caller | None, asked: Encryption) -> Encryption:
        """The encryption with its key as an ARN, once `caller` may use the key (`kms:GenerateDataKey`).

        Raises `KMS.NotFoundException`, `AccessDenied`. Every principal of the account may use the AWS managed key.
        """
        if asked.algorithm == "AES256" or caller is None:
            return asked
        arn = self._buckets.kms_key_arn(asked.kms_key_id or _AWS_MANAGED, caller)
        if asked.kms_key_id and asked.kms_key_id != _AWS_MANAGED:
            self._kms(caller, "kms:GenerateDataKey", arn)
        return Encryption(asked.algorithm, arn, asked.bucket_key_enabled)

    def decrypt(self, caller: Caller | None, stored: Encryption) -> None:
        """Raise `AccessDenied` unless `caller` may `kms:Decrypt` with the key of a stored object."""
        if stored.algorithm == "AES256" or caller is None or not stored.kms_key_id:
            return
        if stored.kms_key_id != self._aws_managed_arn(caller):
            self._kms(caller, "kms:Decrypt", self._buckets.kms_key_arn(stored.kms_key_id, caller))

    def _aws_managed_arn(self, caller: Caller) -> str | None:
        try:
            return self._buckets.kms_key_arn(_AWS_MANAGED, caller)
        except ApiError as error:
            if error.code != "KMS.NotFoundException":
                raise
            return None

    def _kms(self, caller: Caller, action: str, arn: str) -> None:
        self._check(caller, action, arn, {"kms:ViaService": f"s3.{caller.region}.amazonaws.com"})

    def _check(self, caller: Caller | None, action: str, resource: str, context: Mapping[str, str] | None) -> None:
        if caller is None:
            return
        try:
            self._authorizer.authorize(caller, action, resource, context)
        except ApiError as error:
            if error.code.startswith("AccessDenied"):
                raise access_denied(error.message) from error
            raise

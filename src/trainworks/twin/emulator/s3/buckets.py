"""S3 buckets: configuration is the emulator's, object data is `twin.objects`'; here the two meet.

`EmulatorBuckets` answers what object data asks of a bucket (`objects.BucketConfig`). `install` makes ministack's own
readers (templates, function code) and its deletion of buckets use the object store instead of the dictionary that
stock keeps objects in.
"""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, Protocol

from trainworks.twin.bucket_config import Bucket, Encryption, ObjectEvent
from trainworks.twin.emulator import engine
from trainworks.twin.home import DEFAULT_REGION
from trainworks.twin.ports import ApiError, Caller, ObjectInfo

_MANAGED_KEY_ALIAS = "alias/aws/s3"


class ObjectData(Protocol):
    """What the emulator needs of the object store."""

    def get_object(self, bucket: str, key: str, caller: Caller | None, version_id: str | None = None) -> ObjectInfo: ...

    def bucket_removal(self, bucket: str) -> AbstractContextManager[None]:
        """Raises `ApiError` `BucketNotEmpty` while any version is left."""
        ...

    def empty_bucket(self, bucket: str) -> int: ...


class EmulatorBuckets:
    """See `objects.BucketConfig`. Reads in the caller's thread, without noting the rows as touched."""

    def __init__(self, commit: Callable[[], None]) -> None:
        self._commit = commit
        self._objects: ObjectData | None = None

    @property
    def objects(self) -> ObjectData:
        if self._objects is None:
            raise RuntimeError("the object store is not attached")
        return self._objects

    def attach(self, objects: ObjectData) -> None:
        """Connect the object store, which is built after the emulator."""
        self._objects = objects

    def bucket(self, name: str) -> Bucket | None:
        s3 = engine.service("s3")
        stores = {key: getattr(s3, f"_{key}")._data for key in ("buckets", "bucket_versioning", "bucket_encryption")}
        account = next((owner for owner, bucket in list(stores["buckets"]) if bucket == name), None)
        if account is None:
            return None
        record = dict.get(stores["buckets"], (account, name))
        if record is None:
            return None
        notification = dict.get(s3._bucket_notifications._data, (account, name)) or ""
        return Bucket(
            name,
            account,
            record.get("region") or DEFAULT_REGION,
            dict.get(stores["bucket_versioning"], (account, name)) or "",
            encryption_of(dict.get(stores["bucket_encryption"], (account, name)) or ""),
            "Configuration>" in str(notification) or "Configuration/>" in str(notification),
        )

    def kms_key_arn(self, key_id: str, caller: Caller) -> str:
        kms = engine.service("kms")
        with engine.module("core.responses").request_scope(caller.account_id, caller.region):
            record = kms._resolve_key(key_id)
            if record is None and key_id.rsplit(":", 1)[-1] == _MANAGED_KEY_ALIAS:
                managed = uuid.uuid5(uuid.NAMESPACE_URL, f"{caller.account_id}/{caller.region}/{_MANAGED_KEY_ALIAS}")
                return f"arn:aws:kms:{caller.region}:{caller.account_id}:key/{managed}"
            if record is None:
                raise ApiError("KMS.NotFoundException", f"Key '{key_id}' does not exist")
            if record["KeyState"] != "Enabled":
                raise ApiError("KMS.DisabledException", f"{record['Arn']} is {record['KeyState']}.")
        return str(record["Arn"])

    def emit(self, event: ObjectEvent) -> None:
        bucket = self.bucket(event.bucket)
        if bucket is None:
            return
        with engine.module("core.responses").request_scope(bucket.owner_account_id, bucket.region):
            engine.service("s3")._fire_s3_event(
                event.bucket,
                event.key,
                event.event_name,
                size=event.size,
                etag=event.etag,
                version_id=event.version_id,
                sequencer=f"{event.sequencer:016X}",
            )
        self._commit()

    def install(self, s3: Any) -> None:
        """ministack's S3 was loaded: object data is elsewhere."""
        stock_delete = s3._delete_bucket

        def get_object_data(bucket_name: str, key: str, version_id: str | None = None) -> bytes | None:
            try:
                return self.objects.get_object(bucket_name, key, None, version_id).path.read_bytes()
            except ApiError as error:
                if error.status != 404:
                    raise
                return None

        def delete_bucket(name: str) -> Any:
            try:
                with self.objects.bucket_removal(name):
                    return stock_delete(name)
            except ApiError as error:
                return s3._error(error.code, error.message, error.status, f"/{name}")

        s3._get_object_data = get_object_data
        s3._delete_bucket = delete_bucket


@lru_cache(maxsize=256)
def encryption_of(document: str) -> Encryption:
    """The default encryption in a `ServerSideEncryptionConfiguration` document; S3's own if there is none."""
    if not document:
        return Encryption()
    values: dict[str, str] = {}
    for element in ET.fromstring(document).iter():  # noqa: S314 - our own store; it was parsed safely when it came in
        values.setdefault(element.tag.rsplit("}", 1)[-1], (element.text or "").strip())
    return Encryption(
        values.get("SSEAlgorithm", "AES256"),
        values.get("KMSMasterKeyID") or None,
        values.get("BucketKeyEnabled", "").lower() == "true",
    )

"""What object data needs to know about its bucket, and who is told of a change: a port that the emulator implements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from trainworks.twin.ports import Caller


@dataclass(frozen=True, slots=True)
class Encryption:
    """Server-side encryption as asked for: `algorithm` is `AES256`, `aws:kms` or `aws:kms:dsse`.

    `kms_key_id` is what the bucket or request names (id, ARN or alias); None with `aws:kms` is the `aws/s3` key.
    """

    algorithm: str = "AES256"
    kms_key_id: str | None = None
    bucket_key_enabled: bool = False


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket's configuration as far as object data depends on it.

    `versioning` is "" (never enabled), "Enabled" or "Suspended". `notifies` is whether any notification or EventBridge
    delivery is configured: only then is an event recorded with the change.
    """

    name: str
    owner_account_id: str
    region: str
    versioning: str = ""
    encryption: Encryption = field(default_factory=Encryption)
    notifies: bool = False


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """A committed change, as S3's event notifications describe it.

    `event_name` is as in "Event notification types" (`s3:ObjectCreated:Put`, `s3:ObjectRemoved:DeleteMarkerCreated`);
    `sequencer` grows with every change of the store.
    """

    bucket: str
    key: str
    event_name: str
    size: int
    etag: str
    version_id: str | None
    sequencer: int
    requester: str


class BucketConfig(Protocol):
    """The emulator's side of S3. Called from any thread."""

    def bucket(self, name: str) -> Bucket | None:
        """The bucket as configured now, or None if there is none."""

    def kms_key_arn(self, key_id: str, caller: Caller) -> str:
        """The ARN of a KMS key named by id, ARN or alias.

        Raises `ApiError('KMS.NotFoundException')` for a key that is not there, `KMS.DisabledException` for one that
        is disabled. `alias/aws/s3` names the AWS managed key, which is always there.
        """

    def emit(self, event: ObjectEvent) -> None:
        """Deliver an event to the bucket's destinations. May be called twice for one event after a crash."""

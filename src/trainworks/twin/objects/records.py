"""What is stored of an object besides its bytes, as frozen records and as the JSON of their columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from sqlite3 import Row

from trainworks.twin.bucket_config import Encryption

NULL_VERSION = "null"


@dataclass(frozen=True, slots=True)
class Checksum:
    """`value` is base64; of type COMPOSITE with `-N` behind it. `algorithm` as in `x-amz-checksum-algorithm`."""

    algorithm: str
    value: str
    type: str = "FULL_OBJECT"


@dataclass(frozen=True, slots=True)
class PartRange:
    """One part of a completed multipart upload; parts lie one behind another in the object's blob."""

    part_number: int
    size: int
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class Attributes:
    """Fixed with a version when it is written. `headers` are the standard ones (`content-type`, `cache-control` ...),
    `metadata` the `x-amz-meta-` ones without that prefix; all names in lower case."""

    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = "STANDARD"
    encryption: Encryption = field(default_factory=Encryption)
    checksum: Checksum | None = None
    parts: tuple[PartRange, ...] = ()

    def to_json(self) -> str:
        stored = {  # written out: `asdict` copies deeply, which costs a tenth of a small PUT
            "headers": dict(self.headers),
            "metadata": dict(self.metadata),
            "storage_class": self.storage_class,
            "encryption": _fields(self.encryption),
            "checksum": _fields(self.checksum) if self.checksum else None,
            "parts": [_fields(part) for part in self.parts],
        }
        return json.dumps(stored, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Attributes:
        stored = json.loads(text)
        return Attributes(
            headers=stored["headers"],
            metadata=stored["metadata"],
            storage_class=stored["storage_class"],
            encryption=Encryption(**stored["encryption"]),
            checksum=Checksum(**stored["checksum"]) if stored["checksum"] else None,
            parts=tuple(PartRange(**part) for part in stored["parts"]),
        )


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version or delete marker. `etag` has no quotes; `blob` is None for a delete marker."""

    sequence: int
    bucket: str
    key: str
    version_id: str
    is_current: bool
    is_delete_marker: bool
    blob: str | None
    size: int
    etag: str
    last_modified: float
    attributes: Attributes
    tags: Mapping[str, str]

    @property
    def body(self) -> str:
        """The blob of a version that is not a delete marker. Raises `ValueError`."""
        if self.blob is None:
            raise ValueError(f"{self.key} is a delete marker")
        return self.blob

    @staticmethod
    def from_row(row: Row) -> ObjectVersion:
        return ObjectVersion(
            sequence=row["sequence"],
            bucket=row["bucket"],
            key=row["key"],
            version_id=row["version_id"],
            is_current=bool(row["is_current"]),
            is_delete_marker=bool(row["is_delete_marker"]),
            blob=row["blob"],
            size=row["size"],
            etag=row["etag"],
            last_modified=row["last_modified"],
            attributes=Attributes.from_json(row["attributes"]),
            tags=json.loads(row["tags"]),
        )


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version about to be committed. Its blob is on disk already, or `unsynced` has its bytes for the same commit."""

    bucket: str
    key: str
    blob: str
    size: int
    etag: str
    attributes: Attributes = field(default_factory=Attributes)
    tags: Mapping[str, str] = field(default_factory=dict)
    unsynced: bytes | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload in progress; `attributes` and `tags` are what the object will have."""

    upload_id: str
    bucket: str
    key: str
    initiated: float
    initiator: str
    attributes: Attributes
    tags: Mapping[str, str]
    checksum_algorithm: str | None
    checksum_type: str | None

    @staticmethod
    def from_row(row: Row) -> Upload:
        return Upload(
            upload_id=row["upload_id"],
            bucket=row["bucket"],
            key=row["key"],
            initiated=row["initiated"],
            initiator=row["initiator"],
            attributes=Attributes.from_json(row["attributes"]),
            tags=json.loads(row["tags"]),
            checksum_algorithm=row["checksum_algorithm"],
            checksum_type=row["checksum_type"],
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One uploaded part. `checksum` is base64, of the upload's algorithm."""

    upload_id: str
    part_number: int
    blob: str
    size: int
    etag: str
    last_modified: float
    checksum: str | None

    @staticmethod
    def from_row(row: Row) -> Part:
        return Part(**{name: row[name] for name in row.keys()})  # noqa: SIM118 -- a Row iterates over its values


def _fields(record: Encryption | Checksum | PartRange) -> dict[str, object]:
    return {item.name: getattr(record, item.name) for item in fields(record)}

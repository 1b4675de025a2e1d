"""Every row of object data, and the rules by which versions follow one another; the one owner of their changes.

Versioning as in "How S3 Versioning works": an Enabled bucket adds versions; in an unversioned or Suspended one a write
replaces the version with the id `null`. A delete without a version id removes the object (unversioned), or puts a
delete marker on top. A key's current version is its newest row.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path
from sqlite3 import Connection, Row
from typing import TypeVar

from trainworks.twin.bucket_config import Bucket, ObjectEvent
from trainworks.twin.objects.errors import S3Error, disk_errors, no_such_upload
from trainworks.twin.objects.records import NULL_VERSION, NewVersion, ObjectVersion, Part, Upload
from trainworks.twin.store import Database
from trainworks.twin.store.queries import load_queries

_PACKAGE = "trainworks.twin.objects"
_SQL = load_queries(_PACKAGE)
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
T = TypeVar("T")

Precondition = Callable[[ObjectVersion | None], None]
"""Called with the current version (None if the key has none) inside the commit; raises to refuse the write."""


def after_prefix(prefix: str) -> str | None:
    """The first string, in code point order, after all that start with `prefix`; None if there is none."""
    for end in range(len(prefix), 0, -1):
        code_point = ord(prefix[end - 1]) + 1
        if code_point in _SURROGATES:
            code_point = _SURROGATES.stop
        if code_point <= _LAST_CODE_POINT:
            return prefix[: end - 1] + chr(code_point)
    return None


class Index:
    """Rows of `objects.db`. Every changing method is one transaction, durable when it returns."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time, garbage_delay_seconds: float = 30.0) -> None:
        schema = files(_PACKAGE).joinpath("schema.sql").read_text(encoding="utf-8")
        self._database = Database(path, schema)
        self._directory = path.parent
        self._clock = clock
        self._garbage_delay_seconds = garbage_delay_seconds

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All writes of the block become durable together; writers take turns."""
        with disk_errors(self._directory), self._database.transaction() as tx:
            yield tx

    def together(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction shared with other writers; see `Database.together`."""
        with disk_errors(self._directory):
            return self._database.together(work)

    # -- versions ---------------------------------------------------------------------------------------------

    def current(self, bucket: str, key: str) -> ObjectVersion | None:
        """The current version, which may be a delete marker."""
        row = self._database.read_one(_SQL["current"], {"bucket": bucket, "key": key})
        return ObjectVersion.from_row(row) if row else None

    def version(self, bucket: str, key: str, version_id: str) -> ObjectVersion | None:
        names = {"bucket": bucket, "key": key, "version_id": version_id}
        row = self._database.read_one(_SQL["version"], names)
        return ObjectVersion.from_row(row) if row else None

    def put(
        self,
        bucket: Bucket,
        new: NewVersion,
        *,
        event_name: str,
        requester: str,
        precondition: Precondition | None = None,
        also: Callable[[Connection], None] | None = None,
    ) -> ObjectVersion:
        """Commit a version. `also` runs in the same transaction (the end of a multipart upload)."""

        def write(tx: Connection) -> ObjectVersion:
            if precondition:
                row = tx.execute(_SQL["current"], {"bucket": new.bucket, "key": new.key}).fetchone()
                precondition(ObjectVersion.from_row(row) if row and not row["is_delete_marker"] else None)
            version = self._insert(tx, bucket, new, is_delete_marker=False)
            if also:
                also(tx)
            self._record_event(tx, bucket, version, event_name, requester)
            return version

        return self.together(write)

    def delete(self, bucket: Bucket, key: str, requester: str) -> ObjectVersion | None:
        """A delete without a version id; returns the delete marker if one was made."""

        def write(tx: Connection) -> ObjectVersion | None:
            if not bucket.versioning:
                removed = self._remove(tx, bucket.name, key, NULL_VERSION)
                if removed:
                    self._record_event(tx, bucket, removed, "s3:ObjectRemoved:Delete", requester)
                return None
            new = NewVersion(bucket.name, key, blob="", size=0, etag="")
            marker = self._insert(tx, bucket, new, is_delete_marker=True)
            self._record_event(tx, bucket, marker, "s3:ObjectRemoved:DeleteMarkerCreated", requester)
            return marker

        return self.together(write)

    def delete_version(self, bucket: Bucket, key: str, version_id: str, requester: str) -> ObjectVersion | None:
        """Remove one version for ever; the next newest becomes current. None if there was no such version."""

        def write(tx: Connection) -> ObjectVersion | None:
            removed = self._remove(tx, bucket.name, key, version_id)
            if removed:
                self._record_event(tx, bucket, removed, "s3:ObjectRemoved:Delete", requester)
            return removed

        return self.together(write)

    def set_tags(self, version: ObjectVersion, tags: Mapping[str, str]) -> None:
        with self.transaction() as tx:
            tx.execute(_SQL["set_tags"], {"sequence": version.sequence, "tags": json.dumps(dict(tags))})

    def forget_bucket(self, tx: Connection, bucket: str) -> None:
        """Inside a transaction: refuse (`BucketNotEmpty`) while any version is left, else drop the bucket's uploads."""
        if tx.execute(_SQL["any_version"], {"bucket": bucket}).fetchone():
            message = "The bucket you tried to delete is not empty"
            if (
                tx.execute(_SQL["list_current"], {"bucket": bucket, "low": "", "high": None, "limit": 1}).fetchone()
                is None
            ):
                message += ". You must delete all versions in the bucket."
            raise S3Error("BucketNotEmpty", message, 409, elements={"BucketName": bucket})
        for row in tx.execute(_SQL["uploads_of_bucket"], {"bucket": bucket}).fetchall():
            self._remove_upload(tx, row["upload_id"])

    def some_versions(self, bucket: str, limit: int) -> list[ObjectVersion]:
        rows = self._database.read(_SQL["some_versions"], {"bucket": bucket, "limit": limit})
        return [ObjectVersion.from_row(row) for row in rows]

    # -- listings ---------------------------------------------------------------------------------------------

    def list_current(self, bucket: str, prefix: str, low: str, limit: int) -> list[ObjectVersion]:
        """Current objects under `prefix` with a key of at least `low`, in key order."""
        bounds = {"bucket": bucket, "low": max(low, prefix), "high": after_prefix(prefix), "limit": limit}
        return [ObjectVersion.from_row(row) for row in self._database.read(_SQL["list_current"], bounds)]

    def iterate_current(self, bucket: str, prefix: str, page_size: int = 1000) -> Iterator[ObjectVersion]:
        """All current objects under `prefix` in key order, read in pages: no lock is held in between."""
        low = prefix
        while page := self.list_current(bucket, prefix, low, page_size):
            yield from page
            low = page[-1].key + "\x00"

    def list_bodies(self, bucket: str, prefix: str) -> list[Row]:
        """Current objects under `prefix` as rows of what staging needs: a tenth of the cost of whole records."""
        return self._database.read(_SQL["list_bodies"], {"bucket": bucket, "low": prefix, "high": after_prefix(prefix)})

    def list_history(self, bucket: str, prefix: str, low: str, limit: int) -> list[ObjectVersion]:
        """All versions and delete markers in key order, the newest of a key first, from key `low` on."""
        bounds = {"bucket": bucket, "low": max(low, prefix), "high": after_prefix(prefix), "limit": limit}
        return [ObjectVersion.from_row(row) for row in self._database.read(_SQL["list_history"], bounds)]

    def iterate_history(self, bucket: str, prefix: str, low: str, page_size: int = 1000) -> Iterator[ObjectVersion]:
        """As `list_history`, to the end, read in pages."""
        while page := self.list_history(bucket, prefix, low, page_size):
            yield from page
            if len(page) == page_size:
                yield from self.list_older(page[-1])
            low = page[-1].key + "\x00"

    def list_older(self, version: ObjectVersion) -> list[ObjectVersion]:
        """The versions of the same key that are older than `version`, newest first."""
        names = {"bucket": version.bucket, "key": version.key, "sequence": version.sequence}
        return [ObjectVersion.from_row(row) for row in self._database.read(_SQL["list_older"], names)]

    # -- multipart uploads ------------------------------------------------------------------------------------

    def create_upload(self, upload: Upload) -> None:
        row = asdict(upload) | {"attributes": upload.attributes.to_json(), "tags": json.dumps(dict(upload.tags))}
        with self.transaction() as tx:
            tx.execute(_SQL["insert_upload"], row)

    def upload(self, bucket: str, key: str, upload_id: str) -> Upload:
        """Raises `NoSuchUpload`."""
        names = {"bucket": bucket, "key": key, "upload_id": upload_id}
        row = self._database.read_one(_SQL["upload"], names)
        if row is None:
            raise no_such_upload(upload_id)
        return Upload.from_row(row)

    def put_part(self, upload: Upload, part: Part) -> None:
        """Commit a part in place of an earlier one of its number. Raises `NoSuchUpload` if the upload has ended."""
        with self.transaction() as tx:
            names = {"bucket": upload.bucket, "key": upload.key, "upload_id": upload.upload_id}
            if tx.execute(_SQL["upload"], names).fetchone() is None:
                raise no_such_upload(upload.upload_id)
            replaced = tx.execute(_SQL["part"], asdict(part)).fetchone()
            tx.execute(_SQL["put_part"], asdict(part))
            if replaced:
                self._discard(tx, replaced["blob"])

    def list_parts(self, upload_id: str, after: int = 0, limit: int = -1) -> list[Part]:
        names = {"upload_id": upload_id, "after": after, "limit": limit}
        return [Part.from_row(row) for row in self._database.read(_SQL["list_parts"], names)]

    def list_uploads(self, bucket: str, prefix: str) -> list[Upload]:
        names = {"bucket": bucket, "low": prefix, "high": after_prefix(prefix)}
        return [Upload.from_row(row) for row in self._database.read(_SQL["list_uploads"], names)]

    def end_upload(self, tx: Connection, upload: Upload, keep: str | None = None) -> None:
        """Inside a transaction: remove an upload and its parts, but not the blob `keep`, which became an object's.

        Raises `NoSuchUpload` if the upload ended meanwhile.
        """
        names = {"bucket": upload.bucket, "key": upload.key, "upload_id": upload.upload_id}
        if tx.execute(_SQL["upload"], names).fetchone() is None:
            raise no_such_upload(upload.upload_id)
        self._remove_upload(tx, upload.upload_id, keep)
        if keep:
            # the part may have been replaced since it was chosen; its bytes are the object's all the same
            tx.execute(_SQL["forget_garbage"], {"blob": keep})

    def add_completed(self, tx: Connection, upload: Upload, parts: str, answer: str) -> None:
        """Inside the transaction that completes an upload: keep what was asked and what is answered."""
        names = {"upload_id": upload.upload_id, "bucket": upload.bucket, "key": upload.key, "parts": parts}
        tx.execute(_SQL["add_completed"], names | {"answer": answer, "completed": self._clock()})

    def completed(self, bucket: str, key: str, upload_id: str) -> tuple[str, str] | None:
        """`(parts, answer)` of an upload that was completed a while ago at most."""
        names = {"upload_id": upload_id, "bucket": bucket, "key": key}
        row = self._database.read_one(_SQL["completed"], names)
        return (row["parts"], row["answer"]) if row else None

    def forget_completed(self, after_seconds: float) -> None:
        before = self._clock() - after_seconds
        self.together(lambda tx: tx.execute(_SQL["forget_completed"], {"before": before}))

    def new_id(self) -> str:
        """An opaque version or upload id."""
        return secrets.token_urlsafe(24)

    def now(self) -> float:
        return self._clock()

    # -- garbage and events -----------------------------------------------------------------------------------

    def due_garbage(self, limit: int = 1000) -> list[str]:
        rows = self._database.read(_SQL["due_garbage"], {"now": self._clock(), "limit": limit})
        return [row["blob"] for row in rows]

    def forget_garbage(self, blobs: Sequence[str]) -> None:
        with self.transaction() as tx:
            tx.executemany(_SQL["forget_garbage"], [{"blob": blob} for blob in blobs])

    def last_unsynced(self) -> int:
        """The newest row of a small body that may not be on disk; 0 where all are."""
        row = self._database.read_one(_SQL["last_unsynced"])
        return int(row["sequence"] or 0) if row else 0

    def unsynced(self, page_size: int = 500) -> Iterator[tuple[str, bytes]]:
        """Blobs that may not be on disk, with their bytes, oldest first."""
        after = 0
        while page := self._database.read(_SQL["list_unsynced"], {"after": after, "limit": page_size}):
            yield from ((row["blob"], row["body"]) for row in page)
            after = page[-1]["sequence"]

    def forget_unsynced(self, sequence: int) -> None:
        """The bodies up to this row are on disk."""
        self.together(lambda tx: tx.execute(_SQL["forget_unsynced"], {"sequence": sequence}))

    def named_blobs(self) -> set[str]:
        return {row["blob"] for row in self._database.read(_SQL["named_blobs"])}

    def pending_events(self) -> list[ObjectEvent]:
        """Events not yet delivered, oldest first; `sequencer` is what `forget_event` takes."""
        rows = self._database.read(_SQL["pending_events"])
        return [replace(ObjectEvent(**json.loads(row["event"])), sequencer=row["sequence"]) for row in rows]

    def forget_event(self, sequencer: int) -> None:
        with self.transaction() as tx:
            tx.execute(_SQL["forget_event"], {"sequence": sequencer})

    # -- inside a transaction ---------------------------------------------------------------------------------

    def _insert(self, tx: Connection, bucket: Bucket, new: NewVersion, *, is_delete_marker: bool) -> ObjectVersion:
        version_id = self.new_id() if bucket.versioning == "Enabled" else NULL_VERSION
        names = {"bucket": new.bucket, "key": new.key, "version_id": version_id}
        if version_id == NULL_VERSION:
            replaced = tx.execute(_SQL["delete_version"], names).fetchone()
            if replaced:
                self._discard(tx, replaced["blob"])
        tx.execute(_SQL["retire_current"], names)
        if new.unsynced is not None:
            tx.execute(_SQL["add_unsynced"], {"blob": new.blob, "body": new.unsynced})
        row = tx.execute(
            _SQL["insert_version"],
            names
            | {
                "is_delete_marker": is_delete_marker,
                "blob": new.blob or None,
                "size": new.size,
                "etag": new.etag,
                "last_modified": self._clock(),
                "attributes": new.attributes.to_json(),
                "tags": json.dumps(dict(new.tags)),
            },
        ).fetchone()
        return ObjectVersion.from_row(row)

    def _remove(self, tx: Connection, bucket: str, key: str, version_id: str) -> ObjectVersion | None:
        names = {"bucket": bucket, "key": key, "version_id": version_id}
        row = tx.execute(_SQL["delete_version"], names).fetchone()
        if row is None:
            return None
        self._discard(tx, row["blob"])
        if row["is_current"]:
            newest = tx.execute(_SQL["newest"], names).fetchone()
            if newest:
                tx.execute(_SQL["make_current"], {"sequence": newest["sequence"]})
        return ObjectVersion.from_row(row)

    def _remove_upload(self, tx: Connection, upload_id: str, keep: str | None = None) -> None:
        names = {"upload_id": upload_id, "after": 0, "limit": -1}
        for row in tx.execute(_SQL["list_parts"], names).fetchall():
            if row["blob"] != keep:
                self._discard(tx, row["blob"])
        tx.execute(_SQL["delete_upload"], {"upload_id": upload_id})

    def _discard(self, tx: Connection, blob: str | None) -> None:
        if blob:
            names = {"blob": blob, "not_before": self._clock() + self._garbage_delay_seconds}
            tx.execute(_SQL["add_garbage"], names)

    def _record_event(
        self, tx: Connection, bucket: Bucket, version: ObjectVersion, event_name: str, requester: str
    ) -> None:
        if not bucket.notifies:
            return
        event = ObjectEvent(
            bucket=version.bucket,
            key=version.key,
            event_name=event_name,
            size=version.size,
            etag=version.etag,
            version_id=version.version_id if bucket.versioning else None,
            sequencer=0,
            requester=requester,
        )
        tx.execute(_SQL["add_event"], {"event": json.dumps(asdict(event))})

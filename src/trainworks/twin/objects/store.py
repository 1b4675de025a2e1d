"""The object store without HTTP: `ports.ObjectStore` for the twin's other parts, staging for jobs, house-keeping."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from typing import BinaryIO

from trainworks.twin.bucket_config import BucketConfig, Encryption
from trainworks.twin.objects.access import Access, Authorizer
from trainworks.twin.objects.blobs import Blobs, BlobWriter
from trainworks.twin.objects.errors import no_such_key, no_such_version
from trainworks.twin.objects.index import Index, Precondition
from trainworks.twin.objects.records import Attributes, NewVersion, ObjectVersion
from trainworks.twin.objects.staging import Staged, link_tree
from trainworks.twin.ports import ApiError, Caller, ObjectInfo

_LOG = logging.getLogger(__name__)
_CHUNK_BYTES = 1 << 20
_HOUSE_KEEPING_SECONDS = 10.0
_STAGE_ATTEMPTS = 5
_UNSYNCED_BYTES = 16 << 20
_COMPLETED_SECONDS = 7 * 24 * 3600.0
_FORGETTING_SECONDS = 600.0
_TWIN = "trainworks"


class TwinObjectStore:
    """`ports.ObjectStore` over `<home>/objects.db` and `<home>/objects/`; `start` begins house-keeping."""

    def __init__(
        self,
        home: Path,
        authorizer: Authorizer,
        buckets: BucketConfig,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.index = Index(home / "objects.db", clock)
        self.blobs = Blobs(home / "objects")
        self.access = Access(authorizer, buckets)
        self._buckets = buckets
        self._unsynced_bytes = 0
        for blob, body in self.index.unsynced():
            self.blobs.restore(blob, body)
        self._wake = threading.Event()
        self._closing = False
        self._house_keeper = threading.Thread(target=self._keep_house, name="objects-house-keeping", daemon=True)

    def start(self) -> None:
        """Sweep what a crash left, deliver what it kept back, and go on doing so in the background."""
        self._house_keeper.start()

    def close(self) -> None:
        self._closing = True
        self._wake.set()
        if self._house_keeper.is_alive():
            self._house_keeper.join()
        self.index.close()

    # -- ports.ObjectStore ------------------------------------------------------------------------------------

    def list_objects(self, bucket: str, prefix: str, caller: Caller | None) -> Iterator[ObjectInfo]:
        """All current objects under `prefix` in key order. Raises at the call, not at the first item."""
        self.access.bucket(bucket)
        self.access.whole_bucket(caller, "s3:ListBucket", bucket, {"s3:prefix": prefix})
        return map(self.info, self.index.iterate_current(bucket, prefix))

    def get_object(self, bucket: str, key: str, caller: Caller | None, version_id: str | None = None) -> ObjectInfo:
        """Raises `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`, `AccessDenied`."""
        self.access.bucket(bucket)
        action = "s3:GetObjectVersion" if version_id else "s3:GetObject"
        self.access.object(caller, action, bucket, key, {"s3:VersionId": version_id} if version_id else None)
        version = self.index.version(bucket, key, version_id) if version_id else self.index.current(bucket, key)
        if version is None or version.is_delete_marker:
            missing = no_such_version(key, version_id) if version_id else no_such_key(key)
            raise self.access.missing(caller, bucket, key, missing)
        self.access.decrypt(caller, version.attributes.encryption)
        return self.info(version)

    def put_object(
        self,
        bucket: str,
        key: str,
        body: BinaryIO | Path,
        caller: Caller | None,
        content_type: str = "binary/octet-stream",
        *,
        kms_key_id: str | None = None,
    ) -> ObjectInfo:
        """Store `body` under `kms_key_id`, else with the bucket's default encryption.

        Raises `NoSuchBucket`, `AccessDenied`, `InsufficientStorage`.
        """
        configured = self.access.bucket(bucket)
        self.access.object(caller, "s3:PutObject", bucket, key)
        asked = Encryption("aws:kms", kms_key_id) if kms_key_id else configured.encryption
        encryption = self.access.encrypt(caller, asked)
        with self.blobs.create() as writer:
            etag = _copy_path(body, writer) if isinstance(body, Path) else _copy_stream(body, writer)
            attributes = Attributes(headers={"content-type": content_type}, encryption=encryption)
            unsynced = writer.finish_small()
            new = NewVersion(bucket, key, writer.blob, writer.size, etag, attributes, unsynced=unsynced)
            version = self.commit(new, "s3:ObjectCreated:Put", caller)
        return self.info(version)

    def delete_object(self, bucket: str, key: str, caller: Caller | None) -> None:
        """As `DeleteObject` without a version id: a versioned bucket gets a delete marker; a missing key is fine."""
        configured = self.access.bucket(bucket)
        self.access.object(caller, "s3:DeleteObject", bucket, key)
        self.index.delete(configured, key, _requester(caller))
        self.changed(configured.notifies)

    # -- for jobs ---------------------------------------------------------------------------------------------

    def stage(self, bucket: str, prefix: str, destination: Path, caller: Caller | None) -> Staged:
        """Make `destination` a tree of read-only hard links to all objects under `prefix` (which may be one key).

        The caller needs `s3:ListBucket` with the prefix, and `s3:GetObject` and `kms:Decrypt` for each object. Raises
        `NoSuchBucket`, `NoSuchKey` if nothing lies under the prefix, `ValidationException` naming a key that is no
        path (`..`, empty segments), `AccessDenied`. `destination` must not hold any of the files yet.
        """
        for attempt in range(_STAGE_ATTEMPTS):
            target = destination if attempt == 0 else _emptied(destination)
            objects = self._readable(bucket, prefix, caller)
            try:
                return link_tree(objects, prefix, target)
            except FileNotFoundError:
                _LOG.info("objects under s3://%s/%s changed while they were staged; staging again", bucket, prefix)
        raise ApiError("ConflictException", f"The objects under s3://{bucket}/{prefix} change too fast to stage.", 409)

    def _readable(self, bucket: str, prefix: str, caller: Caller | None) -> Iterator[ObjectInfo]:
        self.access.bucket(bucket)
        self.access.whole_bucket(caller, "s3:ListBucket", bucket, {"s3:prefix": prefix})
        rows = self.index.list_bodies(bucket, prefix)
        if not rows:
            raise no_such_key(prefix)
        if caller is not None:
            for row in rows:
                self.access.object(caller, "s3:GetObject", bucket, row["key"])
            for algorithm, kms_key_id in {(row["algorithm"], row["kms_key_id"]) for row in rows}:
                self.access.decrypt(caller, Encryption(algorithm, kms_key_id))
        return (
            ObjectInfo(
                row["key"],
                row["size"],
                row["etag"],
                row["last_modified"],
                self.blobs.path(row["blob"]),
                row["version_id"],
            )
            for row in rows
        )

    # -- for the emulator -------------------------------------------------------------------------------------

    @contextmanager
    def bucket_removal(self, bucket: str) -> Iterator[None]:
        """Hold all writes while the block deletes a bucket. Raises `BucketNotEmpty` while any version is left in it."""
        with self.index.transaction() as tx:
            self.index.forget_bucket(tx, bucket)
            yield

    def empty_bucket(self, bucket: str, batch: int = 1000) -> int:
        """Remove every version and delete marker for ever; returns how many."""
        configured = self.access.bucket(bucket)
        removed = 0
        while versions := self.index.some_versions(bucket, batch):
            with self.index.transaction():
                for version in versions:
                    self.index.delete_version(configured, version.key, version.version_id, _TWIN)
            removed += len(versions)
        self.changed(configured.notifies)
        return removed

    # -- shared with the HTTP face ----------------------------------------------------------------------------

    def info(self, version: ObjectVersion) -> ObjectInfo:
        """A version as the rest of the twin sees it. A delete marker has no info: `ValueError`."""
        return ObjectInfo(
            key=version.key,
            size=version.size,
            etag=version.etag,
            last_modified=version.last_modified,
            path=self.blobs.path(version.body),
            version_id=version.version_id,
        )

    def commit(
        self,
        new: NewVersion,
        event_name: str,
        caller: Caller | None,
        precondition: Precondition | None = None,
        also: Callable[[Connection], None] | None = None,
    ) -> ObjectVersion:
        """Commit a version into its bucket as configured now; `precondition` and `also` as in `Index.put`.

        Raises `NoSuchBucket` if the bucket was deleted while the body came in.
        """
        requester = _requester(caller)

        def write(_tx: Connection) -> tuple[bool, ObjectVersion]:
            configured = self.access.bucket(new.bucket)
            return configured.notifies, self.index.put(
                configured, new, event_name=event_name, requester=requester, precondition=precondition, also=also
            )

        notifies, version = self.index.together(write)
        self._unsynced_bytes += len(new.unsynced or b"")  # a count that may be a little off: it only says when to sync
        self.changed(notifies or self._unsynced_bytes > _UNSYNCED_BYTES)
        return version

    def changed(self, notifies: bool) -> None:
        """Have house kept now rather than at the next round: there is an event to deliver."""
        if notifies:
            self._wake.set()

    # -- house-keeping ----------------------------------------------------------------------------------------

    def _keep_house(self) -> None:
        try:
            removed = self.blobs.sweep(self.index.named_blobs())
            if removed:
                _LOG.info("removed %d object bodies that were never acknowledged", removed)
        except Exception:  # noqa: BLE001 -- recorded; what was not swept now is swept at the next start
            _LOG.exception("the sweep of unacknowledged object bodies failed")
        next_forgetting = 0.0
        while not self._closing:
            try:
                self.deliver_events()
                self.sync_bodies()
                self.remove_garbage()
                if time.monotonic() > next_forgetting:
                    self.index.forget_completed(_COMPLETED_SECONDS)
                    next_forgetting = time.monotonic() + _FORGETTING_SECONDS
            except Exception:  # noqa: BLE001 -- recorded; the disk may be full now and not in the next round
                _LOG.exception("a round of house-keeping of the object store failed")
            self._wake.wait(_HOUSE_KEEPING_SECONDS)
            self._wake.clear()

    def deliver_events(self) -> None:
        """Hand committed events to their bucket's destinations; one that cannot be delivered is logged and dropped."""
        for event in self.index.pending_events():
            try:
                self._buckets.emit(event)
            except Exception:  # noqa: BLE001 -- recorded; a bad destination must not hold up the others
                _LOG.exception("the event %s of s3://%s/%s was lost", event.event_name, event.bucket, event.key)
            self.index.forget_event(event.sequencer)

    def sync_bodies(self) -> None:
        """Bring the files of small bodies to disk, and forget the copies that were kept until then."""
        if last := self.index.last_unsynced():
            self._unsynced_bytes = 0
            self.blobs.sync()
            self.index.forget_unsynced(last)

    def remove_garbage(self) -> int:
        """Unlink blobs that no row has named for a while; links in job folders keep their bytes."""
        removed = 0
        while blobs := self.index.due_garbage():
            for blob in blobs:
                self.blobs.remove(blob)
            self.index.forget_garbage(blobs)
            removed += len(blobs)
        return removed


def _requester(caller: Caller | None) -> str:
    return caller.account_id if caller else _TWIN


def _copy_stream(body: BinaryIO, writer: BlobWriter) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    while chunk := body.read(_CHUNK_BYTES):
        digest.update(chunk)
        writer.write(chunk)
    return digest.hexdigest()


def _copy_path(path: Path, writer: BlobWriter) -> str:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        writer.copy_from(file.fileno(), 0, size)
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _emptied(destination: Path) -> Path:
    """Remove the links of an attempt that lost a race, so that the next one starts from nothing."""
    for folder, folders, names in os.walk(destination, topdown=False):
        for name in names:
            (Path(folder) / name).unlink()
        for name in folders:
            (Path(folder) / name).rmdir()
    return destination

"""Checkpoints: restored from S3 before an attempt, and synced to S3 while it runs.

A file is uploaded once it has not changed between two scans, whole or not at all: a file that changes while it is read
is left for the next scan. The last scan, after the tasks ended, takes everything. As on AWS, nothing is deleted in S3.
"""

from __future__ import annotations

import io
import logging
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trainworks.twin.ports import ApiError, ObjectInfo, ObjectStore
from trainworks.twin.services.background import Background
from trainworks.twin.services.sagemaker.container import DEFAULT_CHECKPOINTS
from trainworks.twin.services.sagemaker.failures import JobFailedError, client_error, disk_failure, s3_failure
from trainworks.twin.services.sagemaker.folders import JobFolder, own_folder
from trainworks.twin.services.sagemaker.records import TrainingJob
from trainworks.twin.services.sagemaker.requests import split_s3_uri

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one content of a file from another, without reading it."""

    size: int
    mtime_ns: int
    inode: int


class FileChangedError(OSError):
    """A file was written to while it was read."""


class StableFile(io.RawIOBase):
    """A file to upload; at its end it raises `FileChangedError` when it is not what it was at the start."""

    def __init__(self, descriptor: int, expected: Version) -> None:
        super().__init__()
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        self._expected = expected

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._file.readinto(buffer) or 0
        if count == 0 and version_of(os.fstat(self._file.fileno())) != self._expected:
            raise FileChangedError("the file changed while it was read")
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def version_of(status: os.stat_result) -> Version:
    return Version(status.st_size, status.st_mtime_ns, status.st_ino)


class CheckpointSync:
    """The checkpoints of one attempt: the local folders of all its instances and one prefix in S3."""

    def __init__(self, job: TrainingJob, folder: JobFolder, objects: ObjectStore) -> None:
        self._job = job
        self._objects = objects
        self._uri = str(job.request["CheckpointConfig"]["S3Uri"])
        self._bucket, prefix = split_s3_uri(self._uri)
        self._prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
        self._local_path = str(job.request["CheckpointConfig"].get("LocalPath", DEFAULT_CHECKPOINTS))
        self._roots = [folder.ml_root(job.attempt, host) for host in job.hosts]
        self._uploaded: dict[tuple[int, str], Version] = {}
        self._seen: dict[tuple[int, str], Version] = {}
        self._scanning = threading.Lock()

    def restore(self) -> int:
        """Copy what lies in S3 into every instance's folder; the number of files. Raises `JobFailedError`."""
        count = 0
        try:
            for listed in self._objects.list_objects(self._bucket, self._prefix, self._job.role):
                relative = listed.key.removeprefix(self._prefix)
                if relative and not relative.endswith("/"):
                    self._restore_one(listed, relative)
                    count += 1
        except ApiError as error:
            raise s3_failure(f"Checkpoints cannot be downloaded from {self._uri}", error) from error
        except OSError as error:
            raise disk_failure("Checkpoints cannot be restored", error) from error
        return count

    def resume(self) -> None:
        """After a restart of the server: take what S3 has of the same size, and newer, as uploaded."""
        try:
            listed = {each.key: each for each in self._objects.list_objects(self._bucket, self._prefix, self._job.role)}
        except ApiError as error:
            raise s3_failure(f"Checkpoints cannot be listed at {self._uri}", error) from error
        for number, relative, _, status in self._files():
            found = listed.get(self._prefix + relative)
            if found and found.size == status.st_size and found.last_modified > status.st_mtime:
                self._uploaded[number, relative] = version_of(status)

    def scan(self, *, final: bool = False) -> int:
        """Upload what is new; the number of files. Raises `JobFailedError` where S3 refuses."""
        with self._scanning:
            try:
                return sum(self._upload_if_due(*found, final=final) for found in self._files())
            except ApiError as error:
                raise s3_failure(f"Checkpoints cannot be uploaded to {self._uri}", error) from error
            except OSError as error:
                raise disk_failure("Checkpoints cannot be uploaded", error) from error

    def _restore_one(self, listed: ObjectInfo, relative: str) -> None:
        if any(part in ("", ".", "..") or "\x00" in part for part in relative.split("/")):
            raise client_error(f"The checkpoint object '{listed.key}' cannot be a file below the checkpoint folder")
        found = self._objects.get_object(self._bucket, listed.key, self._job.role)
        for number, root in enumerate(self._roots):
            target = own_folder(root, self._local_path) / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found.path, target)
            self._uploaded[number, relative] = version_of(target.stat())

    def _files(self) -> Iterator[tuple[int, str, int, os.stat_result]]:
        """`(instance number, relative path, directory descriptor, status)` of all plain files; links are left out."""
        for number, root in enumerate(self._roots):
            folder = own_folder(root, self._local_path)
            if not folder.is_dir():
                continue
            for path, _, names, descriptor in os.fwalk(folder, follow_symlinks=False):
                for name in sorted(names):
                    try:
                        status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # deleted or renamed since it was listed
                    if stat.S_ISREG(status.st_mode):
                        yield number, str(Path(path, name).relative_to(folder)), descriptor, status

    def _upload_if_due(self, number: int, relative: str, directory: int, status: os.stat_result, *, final: bool) -> int:
        key, version = (number, relative), version_of(status)
        if self._uploaded.get(key) == version:
            return 0
        is_settled = self._seen.get(key) == version
        self._seen[key] = version
        if not (is_settled or final):
            return 0
        try:
            descriptor = os.open(Path(relative).name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
            with io.BufferedReader(StableFile(descriptor, version)) as body:
                self._objects.put_object(self._bucket, self._prefix + relative, body, self._job.role)
        except (FileChangedError, FileNotFoundError):
            return 0
        self._uploaded[key] = version
        return 1


class CheckpointSyncs:
    """The thread that scans the checkpoints of all running jobs. `failed(job id, reason)` hears of a refused upload."""

    def __init__(self, failed: Callable[[str, str], None], interval_seconds: float = 1.0) -> None:
        self._failed = failed
        self._interval_seconds = interval_seconds
        self._syncs: dict[str, CheckpointSync] = {}
        self._lock = threading.Lock()
        self._background = Background("checkpoint-sync", self._pass)

    def add(self, job_id: str, sync: CheckpointSync) -> None:
        with self._lock:
            self._syncs[job_id] = sync

    def get(self, job_id: str) -> CheckpointSync | None:
        with self._lock:
            return self._syncs.get(job_id)

    def remove(self, job_id: str) -> None:
        with self._lock:
            self._syncs.pop(job_id, None)

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        self._background.stop()

    def _pass(self) -> float:
        with self._lock:
            syncs = dict(self._syncs)
        for job_id, sync in syncs.items():
            self._scan(job_id, sync)
        return self._interval_seconds

    def _scan(self, job_id: str, sync: CheckpointSync) -> None:
        try:
            sync.scan()
        except JobFailedError as error:
            self.remove(job_id)
            self._failed(job_id, error.reason)
        except Exception:  # noqa: BLE001 - recorded with its traceback; the other jobs are scanned all the same
            _log.exception("checkpoints of job %s could not be scanned; trying again", job_id)

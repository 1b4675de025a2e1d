"""Checkpoints: restored from S3 before an attempt, and synced to S3 while it runs.

A file is uploaded once it has not changed between two scans, whole or not at all: a file that changes while it is read
is left for the next scan. The last scan, after the tasks ended, takes everything. As on AWS, nothing is deleted in S3.

`S3Uri` is a prefix: without a slash at its end, `run-1` brings what is below `run-10` too. The job's log says so.
"""

from __future__ import annotations

import io
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from trainworks.twin.job_files import Entry, JobFiles
from trainworks.twin.ports import ApiError, ObjectInfo, ObjectStore
from trainworks.twin.services.background import Background
from trainworks.twin.services.sagemaker.s3_uris import split_s3_uri
from trainworks.twin.services.sagemaker.training.failures import JobFailedError, client_error, disk_failure, s3_failure
from trainworks.twin.services.sagemaker.training.folders import JobFolder, below_ml_root, local_path
from trainworks.twin.services.sagemaker.training.records import TrainingJob
from trainworks.twin.services.sagemaker.training.requests import checkpoints_path
from trainworks.twin.services.sagemaker.training.transfer import (
    Cancelled,
    FileChangedError,
    StableFile,
    TransferCancelledError,
    Version,
    check_volume,
    object_key,
    version_of,
)

_LOG = logging.getLogger(__name__)
_READ_BYTES = 1 << 20
_SCANS_AT_ONCE = 64


class CheckpointSync:
    """The checkpoints of one attempt: the local folders of all its instances and one prefix in S3."""

    def __init__(
        self, job: TrainingJob, folder: JobFolder, objects: ObjectStore, cancelled: Cancelled = lambda: False
    ) -> None:
        self._job = job
        self.cancelled = cancelled
        self._objects = objects
        self._uri = str(job.request["CheckpointConfig"]["S3Uri"])
        self._bucket, prefix = split_s3_uri(self._uri)
        self._prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
        self._listed_prefix = self._prefix if prefix.endswith("/") else prefix
        self._foreign: list[str] = []
        self._local_path = checkpoints_path(job.request)
        self._roots = [folder.ml_root(job.attempt, host) for host in job.hosts]
        self._uploaded: dict[tuple[int, str], Version] = {}
        self._seen: dict[tuple[int, str], Version] = {}
        self._scanning = threading.Lock()

    def restore(self) -> int:
        """Copy what lies in S3 into every instance's folder; the number of files. Raises `JobFailedError`."""
        count = 0
        try:
            for listed in self._objects.list_objects(self._bucket, self._listed_prefix, self._job.role):
                relative = self._relative(listed.key)
                if relative and not relative.endswith("/"):
                    self._restore_one(listed, relative)
                    count += 1
        except ApiError as error:
            raise s3_failure(f"Checkpoints cannot be downloaded from {self._uri}", error) from error
        except OSError as error:
            raise disk_failure("Checkpoints cannot be restored", error) from error
        return count

    @property
    def note(self) -> str:
        """What the job is told about files that `restore` brought and that are not its own; "" if there are none."""
        if not self._foreign:
            return ""
        return (
            f"CheckpointConfig.S3Uri {self._uri} is a prefix without a slash at its end: it also brought "
            f"{len(self._foreign)} files of other folders into {self._local_path}, such as "
            f"s3://{self._bucket}/{self._foreign[0]}; end it with a slash"
        )

    def resume(self) -> None:
        """After a restart of the server: take what S3 has of the same size, and newer, as uploaded."""
        try:
            listed = {each.key: each for each in self._objects.list_objects(self._bucket, self._prefix, self._job.role)}
        except ApiError as error:
            raise s3_failure(f"Checkpoints cannot be listed at {self._uri}", error) from error
        with ExitStack() as held:
            for number, _, entry in self._files(held):
                found = listed.get(self._prefix + entry.path)
                if found and found.size == entry.status.st_size and found.last_modified > entry.status.st_mtime:
                    self._uploaded[number, entry.path] = version_of(entry.status)

    def scan(self, *, final: bool = False) -> int:
        """Upload what is new; the number of files. Raises `JobFailedError` if S3 refuses."""
        with self._scanning, ExitStack() as held:
            try:
                found = list(self._files(held))
                for number in range(len(self._roots)):
                    sizes = (entry.status.st_size for own, _, entry in found if own == number)
                    check_volume(self._job, self._local_path, sizes)
                return sum(self._upload_if_due(*each, final=final) for each in found)
            except ApiError as error:
                raise s3_failure(f"Checkpoints cannot be uploaded to {self._uri}", error) from error
            except OSError as error:
                raise disk_failure("Checkpoints cannot be uploaded", error) from error

    def _relative(self, key: str) -> str:
        """The path below the checkpoint folder; that of a sibling begins with its own folder's name."""
        if key.startswith(self._prefix):
            return key.removeprefix(self._prefix)
        self._foreign.append(key)
        return key[self._listed_prefix.rfind("/") + 1 :]

    def _restore_one(self, listed: ObjectInfo, relative: str) -> None:
        if any(part in ("", ".", "..") or "\x00" in part for part in relative.split("/")):
            raise client_error(f"The checkpoint object '{listed.key}' cannot be a file below the checkpoint folder")
        found = self._objects.get_object(self._bucket, listed.key, self._job.role)
        for number, root in enumerate(self._roots):
            target = local_path(root, self._local_path) / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found.path, target)
            self._uploaded[number, relative] = version_of(target.stat())

    def _files(self, held: ExitStack) -> Iterator[tuple[int, JobFiles, Entry]]:
        """`(instance number, its files, plain file)`; links are left out. `held` keeps the folders open."""
        for number, root in enumerate(self._roots):
            if root.is_dir():
                files = held.enter_context(JobFiles(root))
                for entry in files.walk(below_ml_root(self._local_path)):
                    if entry.is_file:
                        yield number, files, entry

    def _upload_if_due(self, number: int, files: JobFiles, entry: Entry, *, final: bool) -> int:
        key, version = (number, entry.path), version_of(entry.status)
        if self._uploaded.get(key) == version:
            return 0
        is_settled = self._seen.get(key) == version
        self._seen[key] = version
        if not (is_settled or final):
            return 0
        try:
            descriptor = files.open_file(f"{below_ml_root(self._local_path)}/{entry.path}")
        except OSError:
            return 0  # deleted, renamed or replaced since it was listed
        try:
            with io.BufferedReader(StableFile(descriptor, version, self.cancelled), _READ_BYTES) as body:
                self._objects.put_object(self._bucket, object_key(self._prefix, entry.path), body, self._job.role)
        except FileChangedError:
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
        self._scanned: set[str] = set()
        self._background = Background("checkpoint-sync", self._pass)
        self._pool = ThreadPoolExecutor(_SCANS_AT_ONCE, thread_name_prefix="checkpoint-scan")

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
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _pass(self) -> float:
        """Have every job scanned that is not being scanned: one with much to upload keeps nobody waiting."""
        with self._lock:
            due = {job_id: sync for job_id, sync in self._syncs.items() if job_id not in self._scanned}
            self._scanned |= due.keys()
        for job_id, sync in due.items():
            self._pool.submit(self._scan, job_id, sync)
        return self._interval_seconds

    def _scan(self, job_id: str, sync: CheckpointSync) -> None:
        try:
            sync.scan()
        except TransferCancelledError:
            return
        except JobFailedError as error:
            self.remove(job_id)
            self._failed(job_id, error.reason)
        except Exception:  # noqa: BLE001 - recorded with its traceback; the other jobs are scanned all the same
            _LOG.exception("checkpoints of job %s could not be scanned; trying again", job_id)
        finally:
            with self._lock:
                self._scanned.discard(job_id)

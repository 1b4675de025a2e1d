"""What a job leaves: /opt/ml/model and /opt/ml/output/data, as archives or files below its output path.

    <S3OutputPath>/<job>/output/model.tar.gz     of all instances; where two have a path, the first instance's counts
    <S3OutputPath>/<job>/output/output.tar.gz    only when something is in /opt/ml/output/data

Equal content gives an equal archive, byte by byte, so that an upload that was cut off and is done
again changes nothing.
With CompressionType NONE the files themselves lie below `model/` and `data/`.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trainworks.twin.job_files import Entry, JobFiles, remove_tree
from trainworks.twin.ports import ApiError, ObjectStore
from trainworks.twin.services.sagemaker.s3_uris import split_s3_uri
from trainworks.twin.services.sagemaker.training.failures import client_error, disk_failure, s3_failure
from trainworks.twin.services.sagemaker.training.folders import JobFolder
from trainworks.twin.services.sagemaker.training.records import TrainingJob
from trainworks.twin.services.sagemaker.training.transfer import (
    Cancelled,
    StableFile,
    check_volume,
    object_key,
    version_of,
)

_COMPRESSION_LEVEL = 1
"""Models hardly compress, and here the upload never leaves the machine."""
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class OutputEntry:
    """A file, folder or link that one instance left in `folder`, a path below /opt/ml."""

    files: JobFiles
    folder: str
    entry: Entry

    def open(self, cancelled: Cancelled) -> BinaryIO:
        """Its content. Raises `OSError` if it is no longer a plain file."""
        return _reader(self.files.open_file(f"{self.folder}/{self.entry.path}"), cancelled)

    def link_target(self) -> str:
        return self.files.read_link(f"{self.folder}/{self.entry.path}")


def upload_outputs(
    job: TrainingJob, folder: JobFolder, objects: ObjectStore, cancelled: Cancelled = lambda: False
) -> str | None:
    """Upload model and output as the role; the URI of the model, or None when no instance left one.

    Raises `JobFailedError`: access denied, no such bucket, disk full, more than the volume holds; and
    `TransferCancelledError`.
    """
    base = f"{job.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{job.name}/output"
    doing = f"Artifact upload to {base} failed"
    sending = _Sending(job, objects, cancelled)
    try:
        with ExitStack() as held:
            hosts = [held.enter_context(JobFiles(folder.ml_root(job.attempt, host))) for host in job.hosts]
            model, data = merged(hosts, "model"), merged(hosts, "output/data")
            _check_sizes(job, hosts, [*model.values(), *data.values()])
            if job.request["OutputDataConfig"].get("CompressionType") == "NONE":
                sending.files(data, f"{base}/data")
                sending.files(model, f"{base}/model")
                return f"{base}/model/" if model else None
            folder.uploads.mkdir(parents=True, exist_ok=True)
            if data:
                sending.archive(data, folder.uploads / "output.tar.gz", f"{base}/output.tar.gz")
            if model:
                sending.archive(model, folder.uploads / "model.tar.gz", f"{base}/model.tar.gz")
                return f"{base}/model.tar.gz"
    except ApiError as error:
        raise s3_failure(doing, error) from error
    except OSError as error:
        raise disk_failure(doing, error) from error
    finally:
        remove_tree(folder.uploads)
    return None


def merged(hosts: Sequence[JobFiles], folder: str) -> dict[str, OutputEntry]:
    """Everything below `folder` of the instances by relative path, in order of path; of equal paths the first one's."""
    found: dict[str, OutputEntry] = {}
    for files in hosts:
        for entry in files.walk(folder):
            found.setdefault(entry.path, OutputEntry(files, folder, entry))
    return dict(sorted(found.items()))


def _check_sizes(job: TrainingJob, hosts: Sequence[JobFiles], found: Sequence[OutputEntry]) -> None:
    for files in hosts:
        own = (each.entry for each in found if each.files is files)
        check_volume(
            job, "/opt/ml/model and /opt/ml/output/data", (each.status.st_size for each in own if each.is_file)
        )


def pack(entries: dict[str, OutputEntry], archive: Path, cancelled: Cancelled = lambda: False) -> None:
    """A gzipped tar with one owner, no times and a fixed order. Links stay links; sockets and devices are left out."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=_COMPRESSION_LEVEL, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for relative, found in entries.items():
            _add(tar, relative, found, cancelled)


def _add(tar: tarfile.TarFile, relative: str, found: OutputEntry, cancelled: Cancelled) -> None:
    member = tarfile.TarInfo(relative)
    member.mode = stat.S_IMODE(found.entry.status.st_mode)
    if found.entry.is_folder:
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    elif found.entry.is_link:
        member.type, member.linkname = tarfile.SYMTYPE, found.link_target()
        tar.addfile(member)
    elif found.entry.is_file:
        with found.open(cancelled) as file:
            member.size = os.fstat(file.fileno()).st_size
            tar.addfile(member, file)


@dataclass(frozen=True, slots=True)
class _Sending:
    """Uploads of one job as its role."""

    job: TrainingJob
    objects: ObjectStore
    cancelled: Cancelled

    def archive(self, entries: dict[str, OutputEntry], archive: Path, uri: str) -> None:
        pack(entries, archive, self.cancelled)
        with _reader(os.open(archive, os.O_RDONLY | os.O_CLOEXEC), self.cancelled) as body:
            self._put(body, *split_s3_uri(uri))
        archive.unlink()

    def files(self, entries: dict[str, OutputEntry], base: str) -> None:
        bucket, prefix = split_s3_uri(base)
        for relative, found in self._plain_files(entries):
            key = object_key(f"{prefix}/", relative)
            with found.open(self.cancelled) as body:
                self._put(body, bucket, key)

    def _plain_files(self, entries: dict[str, OutputEntry]) -> Iterator[tuple[str, OutputEntry]]:
        for relative, found in entries.items():
            if found.entry.is_link:
                raise client_error(
                    f"'{relative}' is a symbolic link, which cannot be uploaded with CompressionType NONE"
                )
            if found.entry.is_file:
                yield relative, found

    def _put(self, body: BinaryIO, bucket: str, key: str) -> None:
        if not self._is_there(body, bucket, key):
            key_id = self.job.request["OutputDataConfig"].get("KmsKeyId")
            self.objects.put_object(bucket, key, body, self.job.role, kms_key_id=key_id)

    def _is_there(self, body: BinaryIO, bucket: str, key: str) -> bool:
        """Whether an upload that was cut off before it was recorded left exactly this object."""
        try:
            found = self.objects.get_object(bucket, key, None)
        except ApiError:
            return False
        if found.size != os.fstat(body.fileno()).st_size:
            return False
        digest = hashlib.md5(usedforsecurity=False)
        while chunk := body.read(_READ_BYTES):
            digest.update(chunk)
        body.seek(0)
        return found.etag.strip('"') == digest.hexdigest()


def _reader(descriptor: int, cancelled: Cancelled) -> BinaryIO:
    return io.BufferedReader(StableFile(descriptor, version_of(os.fstat(descriptor)), cancelled), _READ_BYTES)

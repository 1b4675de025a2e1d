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
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainworks.twin.ports import ApiError, ObjectStore
from trainworks.twin.services.sagemaker.failures import client_error, disk_failure, s3_failure
from trainworks.twin.services.sagemaker.folders import JobFolder, own_folder
from trainworks.twin.services.sagemaker.records import TrainingJob
from trainworks.twin.services.sagemaker.requests import split_s3_uri

_COMPRESSION_LEVEL = 1
"""Models hardly compress, and here the upload never leaves the machine."""


def upload_outputs(job: TrainingJob, folder: JobFolder, objects: ObjectStore) -> str | None:
    """Upload model and output as the role; the URI of the model, or None when no instance left one.

    Raises `JobFailedError`: access denied, no such bucket, disk full.
    """
    roots = [folder.ml_root(job.attempt, host) for host in job.hosts]
    base = f"{job.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{job.name}/output"
    doing = f"Artifact upload to {base} failed"
    try:
        model = merged([own_folder(root, "/opt/ml/model") for root in roots])
        data = merged([own_folder(root, "/opt/ml/output/data") for root in roots])
        if job.request["OutputDataConfig"].get("CompressionType") == "NONE":
            _upload_files(job, data, f"{base}/data", objects)
            _upload_files(job, model, f"{base}/model", objects)
            return f"{base}/model/" if model else None
        folder.uploads.mkdir(parents=True, exist_ok=True)
        if data:
            _upload_archive(job, data, folder.uploads / "output.tar.gz", f"{base}/output.tar.gz", objects)
        if model:
            _upload_archive(job, model, folder.uploads / "model.tar.gz", f"{base}/model.tar.gz", objects)
            return f"{base}/model.tar.gz"
    except ApiError as error:
        raise s3_failure(doing, error) from error
    except OSError as error:
        raise disk_failure(doing, error) from error
    finally:
        shutil.rmtree(folder.uploads, ignore_errors=True)
    return None


def merged(folders: Sequence[Path]) -> dict[str, Path]:
    """Everything below the folders by relative path, in order of path; of equal paths the first folder's."""
    found: dict[str, Path] = {}
    for folder in folders:
        for relative, path in _entries(folder):
            found.setdefault(relative, path)
    return dict(sorted(found.items()))


def _entries(folder: Path) -> Iterator[tuple[str, Path]]:
    for parent, names, files in os.walk(folder, followlinks=False):
        for name in (*names, *files):
            path = Path(parent, name)
            yield str(path.relative_to(folder)), path


def pack(entries: dict[str, Path], archive: Path) -> None:
    """A gzipped tar with one owner, no times and a fixed order. Links stay links; sockets and devices are left out."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=_COMPRESSION_LEVEL, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for relative, path in entries.items():
            _add(tar, relative, path)


def _add(tar: tarfile.TarFile, relative: str, path: Path) -> None:
    mode = path.lstat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        return
    member = tar.gettarinfo(path, arcname=relative)
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    if not member.isfile():
        tar.addfile(member)
        return
    with path.open("rb") as file:
        tar.addfile(member, file)


def _upload_archive(job: TrainingJob, entries: dict[str, Path], archive: Path, uri: str, objects: ObjectStore) -> None:
    pack(entries, archive)
    _put(job, archive, uri, objects)
    archive.unlink()


def _upload_files(job: TrainingJob, entries: dict[str, Path], base: str, objects: ObjectStore) -> None:
    for relative, path in entries.items():
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise client_error(f"'{relative}' is a symbolic link, which cannot be uploaded with CompressionType NONE")
        if stat.S_ISREG(mode):
            _put(job, path, f"{base}/{relative}", objects)


def _put(job: TrainingJob, path: Path, uri: str, objects: ObjectStore) -> None:
    bucket, key = split_s3_uri(uri)
    if not _is_there(path, bucket, key, objects):
        key_id = job.request["OutputDataConfig"].get("KmsKeyId")
        objects.put_object(bucket, key, path, job.role, kms_key_id=key_id)


def _is_there(path: Path, bucket: str, key: str, objects: ObjectStore) -> bool:
    """Whether an upload that was cut off before it was recorded left exactly this object."""
    try:
        found = objects.get_object(bucket, key, None)
    except ApiError:
        return False
    if found.size != path.stat().st_size:
        return False
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return found.etag.strip('"') == digest.hexdigest()

"""What jobs leave in S3, fetched to a folder of this machine.

model/         model.tar.gz unpacked, or the objects below the model's prefix
output/        output.tar.gz unpacked, or the objects below that prefix
predictions/   the objects that a batch job wrote below predictions/<job>/

What a job leaves is hostile input: an archive is unpacked by the rules of `trainworks.archives`, an object's key is
checked before it becomes a path, and a folder appears under its name when all of it is there.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from trainworks.archives import ArchiveError, UnpackLimits, unpack_tar
from trainworks.aws.object_keys import split_uri
from trainworks.errors import JobError, RequestError
from trainworks.s3 import has_objects, object_size, objects_below

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LIMITS = UnpackLimits(total_bytes=sys.maxsize, members=1_000_000, seconds=24 * 3600)
"""Only the disk limits what is unpacked: a user who asks for a model wants all of it."""

Tell = Callable[[str, int, int], None]
"""Hears of a transfer: what, bytes so far, bytes in all."""


def silent(what: str, done: int, total: int) -> None:
    """Tells nobody."""
    del what, done, total


@dataclass(frozen=True, slots=True)
class Artifact:
    """One thing that a job has left: an archive, or with a URI that ends in `/` all objects below it."""

    name: str
    """The folder that it is fetched to: `model`, `output`, `predictions`."""
    uri: str


@dataclass(frozen=True, slots=True)
class Downloaded:
    """An artefact in its folder."""

    folder: Path
    uri: str
    files: int
    bytes: int


def present(s3: S3Client, artifact: Artifact) -> bool:
    """Whether there is anything at the artefact's URI."""
    bucket, key = split_uri(artifact.uri)
    return has_objects(s3, bucket, key) if key.endswith("/") else object_size(s3, bucket, key) is not None


def download(s3: S3Client, artifacts: Sequence[Artifact], folder: Path, tell: Tell = silent) -> list[Downloaded]:
    """Fetch each to a folder of its name. Raises `RequestError` if a target exists, or if what is fetched is unsafe."""
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{folder} is a file", fix="name a folder")
    for artifact in artifacts:
        target = folder / artifact.name
        if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
            raise RequestError(f"{target} exists, and nothing is overwritten", fix="name another folder, or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    return [_fetched(s3, artifact, folder, tell) for artifact in artifacts]


def _fetched(s3: S3Client, artifact: Artifact, folder: Path, tell: Tell) -> Downloaded:
    with tempfile.TemporaryDirectory(prefix=f".{artifact.name}-", dir=folder) as scratch:
        whole = Path(scratch) / "whole"
        whole.mkdir()
        if artifact.uri.endswith("/"):
            _fetch_all(s3, artifact, whole, tell)
        else:
            _fetch_archive(s3, artifact, Path(scratch) / "archive", whole, tell)
        target = folder / artifact.name
        if target.exists():
            target.rmdir()
        whole.rename(target)
    sizes = [path.stat().st_size for path in target.rglob("*") if path.is_file() and not path.is_symlink()]
    return Downloaded(target, artifact.uri, len(sizes), sum(sizes))


def _fetch_archive(s3: S3Client, artifact: Artifact, archive: Path, target: Path, tell: Tell) -> None:
    bucket, key = split_uri(artifact.uri)
    total = object_size(s3, bucket, key)
    if total is None:
        raise JobError(f"{artifact.uri} is not there any more", fix=f"see what is: aws s3 ls s3://{bucket}/{key}")
    s3.download_file(bucket, key, str(archive), Callback=counted(artifact.uri, total, tell))
    try:
        with archive.open("rb") as packed:
            unpack_tar(packed, target, _LIMITS)
    except ArchiveError as error:
        raise RequestError(
            f"{artifact.uri} is not unpacked: {error}", fix=f"fetch it as it is: aws s3 cp {artifact.uri} ."
        ) from error


def _fetch_all(s3: S3Client, artifact: Artifact, target: Path, tell: Tell) -> None:
    bucket, prefix = split_uri(artifact.uri)
    # Empty ones may stand for folders.
    found = [each for each in objects_below(s3, bucket, prefix) if not each.key.endswith("/")]
    count = counted(artifact.uri, sum(each.bytes for each in found), tell)
    for key in (each.key for each in found):
        path = target.joinpath(*_parts(key.removeprefix(prefix), f"s3://{bucket}/{key}"))
        if path.is_dir():
            raise RequestError(f"s3://{bucket}/{key} is an object and a folder", fix="fetch it with another tool")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise RequestError(
                f"s3://{bucket}/{key} lies below another object's name", fix="fetch it with another tool"
            ) from error
        s3.download_file(bucket, key, str(path), Callback=count)


def _parts(relative: str, uri: str) -> list[str]:
    """A key as a path. Raises `RequestError` for one that leads elsewhere."""
    parts = relative.split("/")
    if any(part in ("", ".", "..") or "\0" in part or "\\" in part for part in parts):
        raise RequestError(f"{uri}: its key is not a path of a file", fix="fetch it with another tool")
    return parts


def counted(what: str, total: int, tell: Tell) -> Callable[[int], None]:
    """The callback of a transfer, which S3's own threads call with the bytes of each part."""
    done, lock = 0, Lock()

    def count(more: int) -> None:
        nonlocal done
        with lock:
            done += more
            tell(what, done, total)

    tell(what, 0, total)
    return count

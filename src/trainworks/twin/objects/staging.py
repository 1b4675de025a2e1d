"""A folder of objects for a job: hard links to the blobs, so that 10,000 files cost no copy and hold their bytes.

Keys become paths as SageMaker's `S3Prefix` channels do it: what follows the last `/` of the prefix's own folder. A key
ending in `/` is a console's folder marker and is skipped.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trainworks.twin.objects.errors import S3Error, disk_errors
from trainworks.twin.ports import ObjectInfo

_NAME_BYTES_MAX = 255


@dataclass(frozen=True, slots=True)
class Staged:
    """What was staged: number of files and their bytes."""

    files: int
    size: int


def relative_path(key: str, prefix: str) -> str | None:
    """Where `key` goes below the destination; None for a folder marker.

    The prefix `data/train` holds `data/train/a` as `a` when it names a folder, `data/train-1` as `train-1`.
    Raises `ValidationException` naming the key if it cannot be a path inside the folder.
    """
    if key.endswith("/"):
        return None
    folder = prefix if prefix.endswith("/") else prefix + "/"
    if not prefix:
        relative = key
    elif key.startswith(folder):
        relative = key[len(folder) :]
    else:
        relative = key[prefix.rfind("/") + 1 :]
    for name in relative.split("/"):
        if name in ("", ".", "..") or "\x00" in name or len(name.encode()) > _NAME_BYTES_MAX:
            message = f"The S3 object key {key!r} cannot be a file below the job's input: {name!r} is not a file name."
            raise S3Error("ValidationException", message, 400)
    return relative


def link_tree(objects: Iterable[ObjectInfo], prefix: str, destination: Path) -> Staged:
    """Link every object into `destination`; copies only across file systems.

    Raises `ValidationException` for a key that is not a path, or a key that is also another key's folder, and
    `FileNotFoundError` if a blob was removed since the listing.
    """
    made: set[str] = set()
    count = size = 0
    with disk_errors(destination):
        destination.mkdir(parents=True, exist_ok=True)
        root = os.fspath(destination)
        for item in objects:
            relative = relative_path(item.key, prefix)
            if relative is None:
                continue
            folder, _, _ = relative.rpartition("/")
            try:
                if folder and folder not in made:
                    os.makedirs(f"{root}/{folder}", exist_ok=True)  # noqa: PTH103 -- strings: 10,000 Paths cost 0.1 s
                    made.add(folder)
                _link(item.path, f"{root}/{relative}")
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                message = (
                    f"The S3 object key {item.key!r} is both a file and a folder below {prefix!r}: it cannot be staged."
                )
                raise S3Error("ValidationException", message, 400) from error
            count, size = count + 1, size + item.size
    return Staged(count, size)


def _link(source: Path, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        shutil.copyfile(source, target)

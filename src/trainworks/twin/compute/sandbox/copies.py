"""Copies input data if an overlay cannot be mounted: by reflink (XFS, btrfs), else byte by byte."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

from trainworks.twin.job_files import remove_entry

_FICLONE = 0x40049409


def copy_tree(source: Path, target: Path) -> None:
    """Copy a file or folder; symbolic links stay links. `target` must not exist."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=_copy_file)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(str(source), str(target))


def empty_folder(fd: int, keep: frozenset[str] = frozenset(), prefix: str = "") -> bool:
    """Delete what is in the open folder but the folders named by `keep` (relative paths); whether all of it went.

    What lies in a kept folder without kept folders of its own stays untouched: something is mounted there.
    """
    emptied = True
    with os.scandir(fd) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}"
            if any(kept.startswith(path + "/") for kept in keep):
                inner = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
                try:
                    emptied &= empty_folder(inner, keep, path + "/")
                finally:
                    os.close(inner)
            elif path not in keep:
                emptied &= remove_entry(fd, entry.name)
    return emptied


def _copy_file(source: str, target: str) -> str:
    with Path(source).open("rb") as reading, Path(target).open("wb") as writing:
        try:
            fcntl.ioctl(writing, _FICLONE, reading.fileno())
        except OSError:
            shutil.copyfileobj(reading, writing, 1 << 20)
    shutil.copystat(source, target)
    return target

"""Files in folders that a job can write: walked, read and removed while the job may change them under our feet.

Every folder and file is reached from one open root by `openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)`, or, on kernels
before 5.6, one component at a time without following links. So nothing outside of the root is ever opened, whatever the
job does between two steps. Anything other than a plain file (a device, a pipe, a socket) is never read. Standard
library only: the instances' agents use it too.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

MOST_ENTRIES = 1_000_000
_SYS_OPENAT2 = 437
_BENEATH_WITHOUT_LINKS = 0x08 | 0x04 | 0x02
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
_LINK = os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_DEEPEST_DESCENT = 64
_MOVED = ".trainworks-removed-"

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


@dataclass(frozen=True, slots=True)
class Entry:
    """Something below a root, as it was when it was seen: its path relative to where the walk began, and `lstat`."""

    path: str
    status: os.stat_result

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.status.st_mode)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.status.st_mode)


class JobFiles:
    """What lies in `root`, a folder that the twin made and a job may write. Holds it open; use it with `with`."""

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, _FOLDER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._root)

    def walk(self, below: str = "") -> Iterator[Entry]:
        """All below the folder `below`, each folder before what is in it, names in order; nothing if it is missing.

        What disappears meanwhile is left out. Raises `OSError`: a link in the place of `below` or of a folder on its
        way, more than MOST_ENTRIES entries, a path of over 4,095 bytes.
        """
        count = 0
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            entries = self._entries(below, folder)
            count += len(entries)
            if count > MOST_ENTRIES:
                raise OSError(errno.EMFILE, f"more than {MOST_ENTRIES} files and folders", below)
            yield from entries
            waiting += [entry.path for entry in reversed(entries) if entry.is_folder]

    def open_file(self, path: str) -> int:
        """A descriptor of a plain file. Raises `OSError`, also if it is not a plain file."""
        descriptor = self._open(path, _FILE)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a plain file", path)
        return descriptor

    def read_link(self, path: str) -> str:
        """Where a link points to; nothing is followed."""
        descriptor = self._open(path, _LINK)
        try:
            return os.readlink("", dir_fd=descriptor)
        finally:
            os.close(descriptor)

    def _entries(self, below: str, folder: str) -> list[Entry]:
        try:
            descriptor = self._open(_joined(below, folder), _FOLDER)
        except OSError as error:
            if error.errno == errno.ENOENT or (folder and error.errno in _GONE):
                return []
            raise
        try:
            found = []
            for name in sorted(os.listdir(descriptor)):  # noqa: PTH208 - a descriptor
                with suppress(FileNotFoundError):
                    status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    found.append(Entry(_joined(folder, name), status))
            return found
        finally:
            os.close(descriptor)

    def _open(self, path: str, flags: int) -> int:
        try:
            return _open_beneath(self._root, path or ".", flags)
        except OSError as error:
            if error.errno == errno.ELOOP or (error.errno == errno.ENOTDIR and flags & os.O_DIRECTORY):
                raise NotADirectoryError(
                    errno.ENOTDIR, "a symbolic link is in the place of a folder, or a file", path
                ) from None
            raise


def remove_tree(path: Path) -> bool:
    """Delete a folder with all that is in it, however deep, links not followed; whether nothing of it is left."""
    try:
        parent = os.open(path.parent, _FOLDER)
    except FileNotFoundError:
        return True
    try:
        return remove_entry(parent, path.name)
    finally:
        os.close(parent)


def remove_whole(path: Path) -> None:
    """`remove_tree`. Raises `OSError` if something of it is left."""
    if not remove_tree(path):
        raise OSError(f"files in {path} cannot be deleted; look at who owns them, delete the folder, and try again")


def remove_entry(folder: int, name: str) -> bool:
    """Delete `name` in the open `folder` with all that is in it; whether nothing of it is left.

    Folders that lost their permissions get them back. What is nested deeper than some levels is moved up first, so that
    neither descriptors nor the stack run out.
    """
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(name, dir_fd=folder)
            return True
        top = _open_own_folder(folder, name)
        try:
            while _remove_inside(top, top, _DEEPEST_DESCENT):
                pass
        finally:
            os.close(top)
        os.rmdir(name, dir_fd=folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _remove_inside(top: int, folder: int, levels: int) -> bool:
    """Empty `folder`, `levels` deep; whether deeper folders were moved to `top`, so that it has to be emptied again."""
    moved = False
    for name in os.listdir(folder):
        with suppress(OSError):  # what cannot be deleted keeps its folder, which `remove_entry` then tells
            moved |= _remove_one(top, folder, name, levels)
    return moved


def _remove_one(top: int, folder: int, name: str, levels: int) -> bool:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=folder)
        return False
    if levels == 0:
        os.rename(name, f"{_MOVED}{status.st_ino}", src_dir_fd=folder, dst_dir_fd=top)
        return True
    inner = _open_own_folder(folder, name)
    try:
        moved = _remove_inside(top, inner, levels - 1)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=folder)
    return moved


def _open_own_folder(folder: int, name: str) -> int:
    """A folder to be emptied, made accessible where its mode forbids that to its owner."""
    with suppress(PermissionError):
        descriptor = os.open(name, _FOLDER, dir_fd=folder)
        if os.fstat(descriptor).st_mode & 0o300 == 0o300 or os.geteuid() == 0:
            return descriptor
        os.fchmod(descriptor, 0o700)
        return descriptor
    held = os.open(name, _LINK, dir_fd=folder)
    try:
        os.chmod(f"/proc/self/fd/{held}", 0o700)  # noqa: PTH101
    finally:
        os.close(held)
    return os.open(name, _FOLDER, dir_fd=folder)


def _open_beneath(root: int, path: str, flags: int) -> int:
    if not _HAS_OPENAT2:
        return _open_by_component(root, path, flags)
    how = struct.pack("QQQ", flags, 0, _BENEATH_WITHOUT_LINKS)
    descriptor = int(_libc.syscall(_SYS_OPENAT2, root, os.fsencode(path), how, len(how)))
    if descriptor < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), path)
    return descriptor


def _open_by_component(root: int, path: str, flags: int) -> int:
    *folders, last = [part for part in path.split("/") if part not in ("", ".")] or ["."]
    if ".." in (*folders, last):
        raise OSError(errno.EXDEV, "a path with '..'", path)
    current = os.dup(root)
    try:
        for part in folders:
            following = os.open(part, _FOLDER, dir_fd=current)
            os.close(current)
            current = following
        return os.open(last, flags, dir_fd=current)
    finally:
        os.close(current)


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


def _has_openat2() -> bool:
    how = struct.pack("QQQ", _FOLDER, 0, _BENEATH_WITHOUT_LINKS)
    root = os.open("/", _FOLDER)
    try:
        descriptor = int(_libc.syscall(_SYS_OPENAT2, root, b".", how, len(how)))
    finally:
        os.close(root)
    if descriptor >= 0:
        os.close(descriptor)
    return descriptor >= 0


_HAS_OPENAT2 = _has_openat2()

"""The files that hold object bodies: written once, never changed, unlinked when unnamed.

A file and its name are on disk before a row names them. Two fsyncs for 100 bytes bound a small object, so the bytes of
a small one are kept with the row that names it, in the same commit, until `sync` has brought many files to disk at
once; `restore` writes again what a power cut took before that. A crash between the file and its row leaves an orphan;
`sweep` finds those of earlier processes.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import secrets
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Self

from trainworks.twin.objects.errors import disk_errors

_FOLDERS = 256
_COPY_BYTES = 1 << 30
_NO_KERNEL_COPY = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
SMALL_BYTES = 32 * 1024
_libc = ctypes.CDLL(None, use_errno=True)
_READ_ONLY = 0o444  # a hard link in a job's folder shares the mode: an ordinary user's job cannot write the store


class BlobWriter:
    """One body being written; a small one is in memory until it is finished. Leaving the context without `finish`
    leaves no file."""

    def __init__(self, blob: str, path: Path, root: Path) -> None:
        self.blob = blob
        self.size = 0
        self._path = path
        self._root = root
        self._small: bytearray | None = bytearray()
        self._file: int | None = None
        self.finished = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append. Raises `InsufficientStorage` if the disk is full."""
        if self._small is not None and self.size + len(data) <= SMALL_BYTES:
            self._small += data
            self.size += len(data)
            return
        self._open()
        self._append(data)

    def _append(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data)
        with disk_errors(self._root):
            while view:
                written = os.write(self._descriptor, view)
                self.size += written
                view = view[written:]

    def _open(self) -> None:
        """Go on in the file, with what was in memory."""
        if self._file is not None:
            return
        with disk_errors(self._root):
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        small, self._small, self.size = self._small, None, 0
        self._append(small or b"")

    def copy_from(self, source: int, offset: int, count: int) -> None:
        """Append `count` bytes of the open file `source` from `offset`, inside the kernel (a reflink where it can)."""
        self._open()
        with disk_errors(self._root):
            while count:
                copied = self._copy_some(source, offset, count)
                if not copied:
                    raise EOFError(f"a body ended {count} bytes early")
                offset, count, self.size = offset + copied, count - copied, self.size + copied

    def _copy_some(self, source: int, offset: int, count: int) -> int:
        try:
            return os.copy_file_range(source, self._descriptor, min(count, _COPY_BYTES), offset)
        except OSError as error:
            if error.errno not in _NO_KERNEL_COPY:
                raise
        data = os.pread(source, min(count, 1 << 20), offset)
        return os.write(self._descriptor, data)

    def finish_small(self) -> bytes | None:
        """Make the file, and return its bytes if it is not durable yet: then they must be in the row that names it."""
        if self._small is None:
            self.finish()
            return None
        small = bytes(self._small)
        self._open()
        with disk_errors(self._root):
            os.fchmod(self._descriptor, _READ_ONLY)
            self._close()
        self.finished = True
        return small

    def finish(self) -> str:
        """Make the file and its name durable; returns the blob's id."""
        self._open()
        with disk_errors(self._root):
            os.fchmod(self._descriptor, _READ_ONLY)
            os.fsync(self._descriptor)
            self._close()
            _sync_folder(self._path.parent)
        self.finished = True
        return self.blob

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the file unless it was finished. Safe to call twice."""
        made = self._file is not None
        self._close()
        if not self.finished:
            if made:
                self._path.unlink(missing_ok=True)
            self.finished = True

    @property
    def _descriptor(self) -> int:
        if self._file is None:
            raise ValueError("the blob is closed")
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Blobs:
    """All bodies below one folder. Ids start with a token of the process, so that a sweep spares its own writers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._token = secrets.token_hex(8)
        self._numbers = itertools.count()
        for number in range(_FOLDERS):
            (root / f"{number:02x}").mkdir(parents=True, exist_ok=True, mode=0o700)

    def create(self) -> BlobWriter:
        blob = self._new_id()
        return BlobWriter(blob, self.path(blob), self.root)

    def link(self, blob: str) -> str:
        """Another durable name for the same bytes; returns its id. Copies if the file cannot have one more name.

        Raises `FileNotFoundError`.
        """
        with disk_errors(self.root):
            new = self._new_id()
            try:
                os.link(self.path(blob), self.path(new))
                _sync_file(self.path(new))
            except OSError as error:
                if error.errno not in (errno.EMLINK, errno.EPERM):
                    raise
                return self._copy(blob)
            _sync_folder(self.path(new).parent)
        return new

    def path(self, blob: str) -> Path:
        return self.root / blob[:2] / blob

    def open(self, blob: str) -> int:
        """A descriptor to read from; stays readable when the blob is removed. Raises `FileNotFoundError`."""
        return os.open(self.path(blob), os.O_RDONLY | os.O_CLOEXEC)

    def remove(self, blob: str) -> None:
        self.path(blob).unlink(missing_ok=True)

    def sync(self) -> None:
        """Bring every file that was finished before this call to disk, with its name: the whole file system's."""
        with disk_errors(self.root):
            descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                if _libc.syncfs(descriptor) != 0:
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number), str(self.root))
            finally:
                os.close(descriptor)

    def restore(self, blob: str, body: bytes) -> None:
        """Have a small body in its file, as it was when it was finished."""
        path = self.path(blob)
        try:
            if path.read_bytes() == body:
                return
            path.unlink()
        except FileNotFoundError:
            pass  # the power cut took its name too
        with BlobWriter(blob, path, self.root) as writer:
            writer.write(body)
            writer.finish()

    def sweep(self, named: Collection[str]) -> int:
        """Remove files of earlier processes that are not in `named`; returns how many."""
        removed = 0
        for blob in self._all():
            if f"-{self._token}-" not in blob and blob not in named:
                self.remove(blob)
                removed += 1
        return removed

    def _new_id(self) -> str:
        number = next(self._numbers)
        return f"{number % _FOLDERS:02x}-{self._token}-{number:x}"

    def _copy(self, blob: str) -> str:
        with self.create() as writer, self.path(blob).open("rb") as file:
            writer.copy_from(file.fileno(), 0, os.fstat(file.fileno()).st_size)
            return writer.finish()

    def _all(self) -> Iterator[str]:
        for number in range(_FOLDERS):
            with os.scandir(self.root / f"{number:02x}") as entries:
                yield from [entry.name for entry in entries]


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

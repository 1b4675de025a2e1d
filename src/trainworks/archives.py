"""Archives from outside, unpacked: bounded in size, number, names, headers and time, and never out of their folder.

    tar      plain, gzip, bzip2 or xz: source directories, layers of runtime images
    zip      code of functions

A tar is read forwards, one member at a time. Headers (long names, PAX records, sparse maps) count against an allowance
before they are read, so none of them can fill the memory; data is bounded by what the header said and by all limits
together. Members are written by descriptors below the folder: plain files and folders, and links that stay inside.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, cast

_HEADER_BYTES = 256 << 10
_ALL_HEADERS_BYTES = 256 << 20
_XZ_MEMORY_BYTES = 256 << 20
_COPY_BYTES = 1 << 20
_ENCRYPTED = 0x1
_LONGEST_LINK = 4096


class Links(StrEnum):
    """Which symbolic links an archive may hold. ANYWHERE is for code that is only ever seen inside a sandbox."""

    NONE = "none"
    INSIDE = "inside"
    ANYWHERE = "anywhere"


class ArchiveError(Exception):
    """The archive is damaged, holds what is not allowed, or passes a limit; the message names member and limit."""


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """What an archive, or several into one folder, may unpack to."""

    total_bytes: int
    members: int = 100_000
    name_bytes: int = 1024
    seconds: float = 600.0
    links: Links = Links.INSIDE


def unpack_tar(archive: BinaryIO, target: Path, limits: UnpackLimits) -> None:
    """Unpack below `target`, which is made if it is missing. Raises `ArchiveError`, `OSError` of the disk."""
    writer = _Writer(target, limits)
    with _damaged(), _decompressed(archive) as raw:
        stream = _Forward(raw, writer.check_time, limits.total_bytes + _ALL_HEADERS_BYTES)
        with tarfile.open(fileobj=cast("BinaryIO", stream), mode="r:") as tar:
            while (member := _next(tar, stream)) is not None:
                stream.allowance = member.size
                _unpack_member(tar, member, writer)
                tar.members = []  # type: ignore[attr-defined] # or all would be kept in memory
        writer.finish()


def unpack_zips(archives: Sequence[BinaryIO], target: Path, limits: UnpackLimits) -> None:
    """Unpack below `target`, which is made if it is missing, a later archive over an earlier one.

    Raises `ArchiveError`, `OSError` of the disk.
    """
    writer = _Writer(target, limits)
    with _damaged():
        for archive in archives:
            with zipfile.ZipFile(archive) as packed:
                for member in packed.infolist():
                    _unpack_zip_member(packed, member, writer)
        writer.finish()


def _unpack_zip_member(packed: zipfile.ZipFile, member: zipfile.ZipInfo, writer: _Writer) -> None:
    name, mode = member.filename.replace("\\", "/"), member.external_attr >> 16
    if member.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"{_shown(name)} is encrypted")
    if name.endswith("/"):
        writer.folder(name)
    elif stat.S_ISLNK(mode):
        writer.reserve(name, min(member.file_size, _LONGEST_LINK))
        with packed.open(member) as file:
            writer.link(name, os.fsdecode(file.read(_LONGEST_LINK)))
    else:
        writer.reserve(name, member.file_size)
        with packed.open(member) as file:
            writer.file(name, cast("BinaryIO", file), member.file_size, mode)


def _next(tar: tarfile.TarFile, stream: _Forward) -> tarfile.TarInfo | None:
    stream.allowance = _HEADER_BYTES
    member = tar.next()
    stream.header_bytes += _HEADER_BYTES - stream.allowance
    if stream.header_bytes > _ALL_HEADERS_BYTES:
        raise ArchiveError(f"its headers have over {_ALL_HEADERS_BYTES} bytes")
    return member


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, writer: _Writer) -> None:
    if member.isdir():
        writer.folder(member.name)
    elif member.issym():
        writer.link(member.name, member.linkname)
    elif member.islnk():
        writer.hard_link(member.name, member.linkname)
    elif member.isreg() and not member.issparse():
        writer.reserve(member.name, member.size)
        file = tar.extractfile(member)
        if file is None:
            raise ArchiveError(f"{_shown(member.name)} has no content")
        writer.file(member.name, cast("BinaryIO", file), member.size, member.mode)
    else:
        raise ArchiveError(f"{_shown(member.name)} is neither a file, a folder nor a link")


class _Writer:
    """Writes members below a folder and keeps the account of all limits."""

    def __init__(self, target: Path, limits: UnpackLimits) -> None:
        target.mkdir(parents=True, exist_ok=True)
        self._target = target
        self._limits = limits
        self._members = 0
        self._left = min(limits.total_bytes, shutil.disk_usage(target).free)
        self._deadline = time.monotonic() + limits.seconds
        self._links: dict[tuple[str, ...], str] = {}
        self._files: set[tuple[str, ...]] = set()

    def check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise ArchiveError(f"it takes over {self._limits.seconds:.0f} s to unpack")

    def reserve(self, name: str, size: int) -> None:
        self._left -= size
        if self._left < 0:
            most = self._limits.total_bytes
            raise ArchiveError(
                f"with {_shown(name)} it unpacks to over {most} bytes, or to more than the disk has free"
            )

    def folder(self, name: str) -> None:
        path = self._path(name, is_folder=True)
        if path != self._target:
            path.mkdir(parents=True, exist_ok=True)

    def file(self, name: str, content: BinaryIO, size: int, mode: int) -> None:
        path = self._path(name)
        path.unlink(missing_ok=True)  # a later member of the same name counts, and never writes through a link
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            left = size
            while left and (chunk := content.read(min(left, _COPY_BYTES))):
                self.check_time()
                file.write(chunk)
                left -= len(chunk)
            os.fchmod(file.fileno(), 0o755 if mode & 0o100 else 0o644)
        if left:
            raise ArchiveError(f"{_shown(name)} ends {left} bytes early")
        self._files.add(_parts(name))

    def link(self, name: str, target: str) -> None:
        """Made at the end, so that nothing is ever written through it."""
        self._path(name)
        self._allow_link(name)
        is_free = self._limits.links is Links.ANYWHERE and _is_link_target(target)
        if not is_free and not _stays_inside(target, depth=len(_parts(name)) - 1):
            raise ArchiveError(f"{_shown(name)} links to {_shown(target)}, which is not inside")
        self._links[_parts(name)] = target

    def hard_link(self, name: str, target: str) -> None:
        path = self._path(name)
        self._allow_link(name)
        if _parts(target) not in self._files:
            raise ArchiveError(f"{_shown(name)} links to {_shown(target)}, which is not a file of the archive")
        if _parts(target) == _parts(name):
            return
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(self._target.joinpath(*_parts(target)), path)
        self._files.add(_parts(name))

    def finish(self) -> None:
        for parts, destination in self._links.items():
            for depth in range(1, len(parts)):
                if parts[:depth] in self._links:
                    raise ArchiveError(f"{_shown('/'.join(parts))} is below a link")
            path = self._target.joinpath(*parts)
            if path.is_dir() and not path.is_symlink():
                raise ArchiveError(f"{_shown('/'.join(parts))} is a folder and a link")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(destination)

    def _allow_link(self, name: str) -> None:
        if self._limits.links is Links.NONE:
            raise ArchiveError(f"{_shown(name)} is a link")

    def _path(self, name: str, *, is_folder: bool = False) -> Path:
        """Where a member goes. Its name is checked, and counts."""
        self._members += 1
        if self._members > self._limits.members:
            raise ArchiveError(f"it has over {self._limits.members} members")
        if len(os.fsencode(name)) > self._limits.name_bytes:
            raise ArchiveError(f"the name {_shown(name)} has over {self._limits.name_bytes} bytes")
        parts = _parts(name)
        if name.startswith("/") or ".." in parts or "\0" in name or not (parts or is_folder):
            raise ArchiveError(f"{_shown(name)} leads out of its folder")
        if any(parts[:depth] in self._links for depth in range(1, len(parts) + is_folder)):
            raise ArchiveError(f"{_shown(name)} is below a link")
        self._links.pop(parts, None)
        return self._target.joinpath(*parts)


class _Forward(io.RawIOBase):
    """A stream for `tarfile` that never goes back and reads no more than `allowance` until that is set again."""

    def __init__(self, raw: BinaryIO, check_time: Callable[[], None], most_bytes: int) -> None:
        super().__init__()
        self._raw = raw
        self._check_time = check_time
        self._most_bytes = most_bytes
        self._position = 0
        self.allowance = _HEADER_BYTES
        self.header_bytes = 0

    def read(self, size: int = -1) -> bytes:
        padded = self.allowance + tarfile.BLOCKSIZE
        if size < 0 or size > padded:
            raise ArchiveError(f"a header has over {self.allowance} bytes")
        data = self._advance(size)
        self.allowance -= len(data)
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET or offset < self._position - 1:
            raise tarfile.ReadError("the archive is not in order")
        while self._position < offset:
            if not self._advance(min(offset - self._position, _COPY_BYTES)):
                break
        return self._position

    def _advance(self, count: int) -> bytes:
        self._check_time()
        data = self._raw.read(count)
        self._position += len(data)
        if self._position > self._most_bytes:
            raise ArchiveError(f"it has over {self._most_bytes} bytes")
        return data


class _Xz(io.RawIOBase):
    """xz and lzma with a limit on the memory that their dictionary may take."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._decompressor = self._new()

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES)

    def read(self, size: int = -1) -> bytes:
        found = bytearray()
        while len(found) < size:
            if self._decompressor.eof:
                rest = self._decompressor.unused_data or self._file.read(_COPY_BYTES)
                if not rest.strip(b"\0"):
                    break
                self._decompressor, data = self._new(), rest
            else:
                data = self._file.read(_COPY_BYTES) if self._decompressor.needs_input else b""
                if self._decompressor.needs_input and not data:
                    raise EOFError("the compressed data ends early")
            found += self._decompressor.decompress(data, size - len(found))
        return bytes(found)


@contextmanager
def _decompressed(archive: BinaryIO) -> Iterator[BinaryIO]:
    start = archive.read(6)
    archive.seek(0)
    if start.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=archive, mode="rb") as file:
            yield cast("BinaryIO", file)
    elif start.startswith(b"BZh"):
        with bz2.BZ2File(archive) as unpacked:
            yield cast("BinaryIO", unpacked)
    elif start in (b"\xfd7zXZ\0",) or start.startswith(b"]\0\0"):
        yield cast("BinaryIO", _Xz(archive))
    else:
        yield archive


@contextmanager
def _damaged() -> Iterator[None]:
    """What the libraries raise for damaged archives, as one error; `OSError` with an errno is the disk's."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
        raise ArchiveError(str(error) or type(error).__name__) from error
    except (NotImplementedError, RuntimeError, OverflowError, UnicodeError) as error:
        raise ArchiveError(f"it cannot be read: {error}") from error
    except OSError as error:
        if error.errno in (None, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP):
            raise ArchiveError(f"a member cannot be written: {error}" if error.errno else str(error)) from error
        raise


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in name.split("/") if part not in ("", "."))


def _stays_inside(target: str, *, depth: int) -> bool:
    """A link's target begins with the `..` that stay inside and has none after that: it can only go down."""
    parts = _parts(target)
    ups = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    return _is_link_target(target) and not target.startswith("/") and ups <= depth and ".." not in parts[ups:]


def _is_link_target(target: str) -> bool:
    return bool(target) and "\0" not in target and len(target) < _LONGEST_LINK


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 100 else f"{name[:100]}...")

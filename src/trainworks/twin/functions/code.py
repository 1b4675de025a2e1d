"""Code of functions and layers on disk: each archive is unpacked once, into a folder named by its content.

What an archive holds is hostile: names that lead out of the folder, links that others are written through, sizes that
lie. Links are made last, so nothing is ever written through one; where they point to is seen by the function alone.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import threading
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from trainworks.twin.ports import ApiError

# "Lambda quotas": 250 MB unzipped, layers included. The number of files has no quota there.
MOST_BYTES = 262_144_000
MOST_MEMBERS = 100_000
_LONGEST_NAME = 1024
_CHUNK_BYTES = 1 << 20


class CodeStore:
    """Unpacked archives below `folder`, which belongs to one server and is empty when that starts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)

    def code(self, archive: bytes) -> Path:
        """The folder with the content of one archive. Raises `ApiError` `InvalidZipFileException`."""
        return self._ready((archive,))

    def layers(self, archives: tuple[bytes, ...]) -> Path:
        """The folder with all layers, a later one over an earlier one. Raises `ApiError` `InvalidZipFileException`."""
        return self._ready(archives)

    def _ready(self, archives: tuple[bytes, ...]) -> Path:
        digest = hashlib.sha256()
        for archive in archives:
            digest.update(hashlib.sha256(archive).digest())
        place = self._folder / digest.hexdigest()
        with self._lock:
            if not place.exists():
                unfinished = place.with_suffix(".unpacking")
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir(mode=0o755)
                unpack(archives, unfinished)
                unfinished.rename(place)
        return place


def unpack(archives: Sequence[bytes], folder: Path) -> None:
    """Unpack zip archives into `folder`, a later one over an earlier one. Raises `ApiError`."""
    links: dict[Path, str] = {}
    budget = MOST_BYTES
    try:
        for archive in archives:
            with zipfile.ZipFile(io.BytesIO(archive)) as opened:
                if len(opened.infolist()) > MOST_MEMBERS:
                    raise _refused(f"it has {len(opened.infolist())} members, at most {MOST_MEMBERS} are possible")
                for member in opened.infolist():
                    budget = _unpack_member(opened, member, folder / _safe_name(member.filename), links, budget)
        for target, destination in links.items():
            target.symlink_to(destination)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _refused(str(error)) from error
    except OSError as error:
        raise _refused(f"{error.strerror or error}: {Path(error.filename or '').name}") from error


def _unpack_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, links: dict[Path, str], budget: int
) -> int:
    """Unpack one member, or note it in `links`; what is left of `budget` bytes."""
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True, mode=0o755)
        return budget
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    mode = member.external_attr >> 16
    with archive.open(member) as source:
        if stat.S_ISLNK(mode):
            target.unlink(missing_ok=True)
            links[target] = os.fsdecode(source.read(4096))
            return budget
        links.pop(target, None)
        with target.open("wb") as file:
            while chunk := source.read(_CHUNK_BYTES):
                budget -= len(chunk)
                if budget < 0:
                    raise _refused(f"Unzipped size must be smaller than {MOST_BYTES} bytes")
                file.write(chunk)
    target.chmod(0o755 if mode & 0o111 else 0o644)
    return budget


def _safe_name(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if not name or len(name) > _LONGEST_NAME or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise _refused(f"the name {name[:100]!r} leads out of the function's folder")
    return path


def _refused(reason: str) -> ApiError:
    return ApiError("InvalidZipFileException", f"Lambda could not unzip the deployment package: {reason}", 502)

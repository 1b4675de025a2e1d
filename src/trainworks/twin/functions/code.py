"""Code of functions and layers on disk: each archive is unpacked once, into a folder named by its content.

What an archive holds is hostile; `archives` unpacks it. Only the function itself follows links in it.
"""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from trainworks.archives import ArchiveError, Links, UnpackLimits, unpack_zips
from trainworks.twin.job_files import remove_tree
from trainworks.twin.ports import ApiError

# "Lambda quotas": 250 MB unzipped, layers included. The number of files has no quota there.
_LIMITS = UnpackLimits(total_bytes=262_144_000, links=Links.ANYWHERE)

_KEPT = 16
_KEPT_SECONDS = 60.0


class CodeStore:
    """Unpacked archives below `folder`, which belongs to one server and is empty when the server starts."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[Path, float] = {}
        # An archive that takes long to unpack delays only its own function.
        self._unpacking: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)
        remove_tree(folder)
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
            self._used[place] = self._clock()
            unpacking = self._unpacking[place]
        with unpacking:
            if not place.exists():
                unfinished = place.with_suffix(".unpacking")
                remove_tree(unfinished)
                unfinished.mkdir(mode=0o755)
                unpack(archives, unfinished)
                unfinished.rename(place)
        return place

    def prune(self, in_use: Collection[Path]) -> None:
        """Delete what no environment uses, except what was asked for recently."""
        with self._lock:
            before = self._clock() - _KEPT_SECONDS
            idle = sorted((used, place) for place, used in self._used.items() if place not in in_use and used < before)
            for _, place in idle[: max(0, len(self._used) - _KEPT)]:
                remove_tree(place)
                del self._used[place], self._unpacking[place]


def unpack(archives: Sequence[bytes], folder: Path) -> None:
    """Unpack zip archives into `folder`, a later one over an earlier one. Raises `ApiError`."""
    try:
        unpack_zips([io.BytesIO(archive) for archive in archives], folder, _LIMITS)
    except ArchiveError as error:
        raise _refused(str(error)) from error
    except OSError as error:
        raise _refused(f"{error.strerror or error}: {Path(error.filename or '').name}") from error


def _refused(reason: str) -> ApiError:
    return ApiError("InvalidZipFileException", f"Lambda could not unzip the deployment package: {reason}", 502)

"""What a job's files go through on their way to S3: bounded, whole, cancelled at any time."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from trainworks.twin.services.sagemaker.training.failures import JobFailedError, client_error
from trainworks.twin.services.sagemaker.training.records import TrainingJob

Cancelled = Callable[[], bool]
_LONGEST_KEY_BYTES = 1024
_LARGEST_VOLUME_IN_GB = 16384


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one content of a file from another, without reading it."""

    size: int
    mtime_ns: int
    inode: int


class FileChangedError(OSError):
    """A file was written to while it was read."""


class TransferCancelledError(Exception):
    """The job was stopped or the server ends; what was sent so far is nowhere."""


class StableFile(io.RawIOBase):
    """A file to upload, at most as long as it was expected to be.

    Raises `FileChangedError` at its end when it is not what it was at the start, `TransferCancelledError` at any time.
    """

    def __init__(self, descriptor: int, expected: Version, cancelled: Cancelled) -> None:
        super().__init__()
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        self._expected = expected
        self._left = expected.size
        self._cancelled = cancelled

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._cancelled():
            raise TransferCancelledError
        count = self._file.readinto(memoryview(buffer)[: self._left]) or 0
        self._left -= count
        if count == 0 and version_of(os.fstat(self._file.fileno())) != self._expected:
            raise FileChangedError("the file changed while it was read")
        return count

    def fileno(self) -> int:
        return self._file.fileno()

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Back to the start is all that is needed; the bound begins again."""
        position = self._file.seek(offset, whence)
        self._left = max(0, self._expected.size - position)
        return position

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()


def version_of(status: os.stat_result) -> Version:
    return Version(status.st_size, status.st_mtime_ns, status.st_ino)


def object_key(prefix: str, relative: str) -> str:
    """The key of a job's file. Raises `JobFailedError` for a name that S3 cannot have."""
    key = f"{prefix}{relative}"
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        raise _unfit(relative, "its name is not UTF-8") from None
    if length > _LONGEST_KEY_BYTES:
        raise _unfit(relative, f"its key would have {length} bytes, and S3 allows {_LONGEST_KEY_BYTES}")
    return key


def check_volume(job: TrainingJob, what: str, sizes: Iterable[int]) -> None:
    """Raise `JobFailedError` if files of one instance have more bytes than its volume can hold.

    A sparse file counts with its whole length: that is what would be sent.
    """
    volume = int(job.request["ResourceConfig"].get("VolumeSizeInGB", _LARGEST_VOLUME_IN_GB))
    total = sum(sizes)
    if total > volume << 30:
        raise client_error(
            f"The files in {what} have {total} bytes, and the volume of an instance holds {volume} GB "
            "(VolumeSizeInGB). A sparse file counts with its whole length. Write less, or ask for a larger volume"
        )


def _unfit(relative: str, why: str) -> JobFailedError:
    shown = relative.encode(errors="surrogateescape")[:200]
    return client_error(f"The file {shown!r} cannot be an object in S3: {why}")

"""Replaces a file so that it is always complete, with its old or its new content, even if the power fails."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

_ORDINARY = 0o666


def write_whole(path: Path, text: str, *, mode: int | None = None) -> None:
    """Put `text`, in UTF-8 and with its ends of lines as they are, in the place of what the file says.

    It is written under another name and renamed. A link stays one: the file that it names is replaced. The file keeps
    its mode, and a new one has that which the process gives, unless `mode` says which. Raises `OSError`; then all is as
    before.
    """
    target = path.resolve()
    kept = _mode_of(target) if mode is None else mode
    temporary = target.with_name(f".trainworks-{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, kept or _ORDINARY)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            if kept is not None:
                os.fchmod(file.fileno(), kept)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _mode_of(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None

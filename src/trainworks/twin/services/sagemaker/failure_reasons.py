"""What AWS calls FailureReason: why what was asked for did not come to be, at most 1,024 characters of it.

Each kind of resource has words of its own, in its `failures.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

MAX_REASON = 1024
_TAIL_BYTES = 64 * 1024


class FailureReasonError(Exception):
    """Something cannot go on; `reason` is its FailureReason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason[:MAX_REASON]


def log_tail(log: Path, after: int = 0) -> str:
    """The last 64 KiB of a log file as text, from a given offset on; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(after, file.tell() - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def end_of(text: str, room: int) -> str:
    """A text of at most `room` characters: of a long one the beginning is left out, for the end says what happened."""
    return text if len(text) <= room else f"... {text[4 - room :]}"

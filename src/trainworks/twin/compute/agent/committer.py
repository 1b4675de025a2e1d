"""The journal written on a thread of its own: tasks start and end while the disk takes its time.

Below `threading`, whose import would make each instance start later.
"""

from __future__ import annotations

import _thread
import os
import time
import traceback
from collections.abc import Sequence

from trainworks.twin.compute.journal import Entry, JournalWriter


class Committer:
    """Brings groups of entries to disk, one after the other; readable, as `select` sees it, when one has got there."""

    def __init__(self, journal: JournalWriter) -> None:
        self._journal = journal
        self._arrived = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._given = _thread.allocate_lock()
        self._given.acquire()
        self._at_rest = _thread.allocate_lock()
        self._has_thread = False
        self._group: list[Entry] = []
        self._since = 0.0

    def fileno(self) -> int:
        return self._arrived

    @property
    def is_busy(self) -> bool:
        """Whether a group is on its way: `commit` must not be called."""
        return self._at_rest.locked()

    def is_late(self, seconds: float) -> bool:
        """Whether a group has been on its way for that long: the disk is full, or nearly stands still."""
        return self.is_busy and time.monotonic() - self._since > seconds

    def commit(self, entries: Sequence[Entry]) -> None:
        """Begin to write and sync a group. Returns at once."""
        self._at_rest.acquire()
        self._group = list(entries)
        self._since = time.monotonic()
        if not self._has_thread:  # not sooner: a process that is about to fork has no other thread yet
            self._has_thread = True
            _thread.start_new_thread(self._run, ())
        self._given.release()

    def arrived(self) -> int:
        """The journal's size, when this has become readable."""
        os.eventfd_read(self._arrived)
        return self._journal.size

    def commit_now(self, entries: Sequence[Entry]) -> int:
        """Wait for the group that is on its way, write and sync another; the journal's size."""
        with self._at_rest:
            return self._journal.append(entries) if entries else self._journal.size

    def _run(self) -> None:
        while True:
            self._given.acquire()
            try:
                self._journal.append(self._group)
            except BaseException:  # noqa: BLE001 - an instance whose journal cannot be written has failed, and says why
                traceback.print_exc()
                os._exit(1)
            self._at_rest.release()
            os.eventfd_write(self._arrived, 1)

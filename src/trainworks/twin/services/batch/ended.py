"""Jobs that ended long ago are forgotten: their log files, then their rows.

Batch keeps a job's record for seven days after its end; its log files are kept as long.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence

from trainworks.twin.job_files import remove_whole
from trainworks.twin.ports import Ended
from trainworks.twin.services.batch.ledger import Ledger
from trainworks.twin.services.batch.output import Output
from trainworks.twin.services.batch.records import SQL
from trainworks.twin.store import Database

_LOG = logging.getLogger(__name__)

KEPT_SECONDS = 7 * 24 * 3600
_PURGED_AT_ONCE = 20


class EndedJobs:
    """`Kept`, by retention; `start` purges what is too old on a thread of its own."""

    def __init__(self, database: Database, ledger: Ledger, output: Output, clock: Callable[[], float]) -> None:
        self._database = database
        self._ledger = ledger
        self._output = output
        self._clock = clock
        self._closing = threading.Event()
        self._janitor = threading.Thread(target=self.purge, name="batch-janitor", daemon=True)

    def start(self) -> None:
        self._janitor.start()

    def stop(self) -> None:
        """Return when the jobs of the current pass are forgotten."""
        self._closing.set()
        if self._janitor.is_alive():
            self._janitor.join()

    def purge(self) -> None:
        """Forget jobs seven days after their end; those that cannot be are left for the next start."""
        before, left = self._clock() - KEPT_SECONDS, 0
        while not self._closing.is_set() and (ended := self.ended_before(before, left, _PURGED_AT_ONCE)):
            for each in ended:
                try:
                    self.forget([each.name])
                except (OSError, sqlite3.Error):
                    _LOG.exception("the Batch job %s is old and could not be removed", each.name)
                    left += 1

    def ended_before(self, moment: float, after: int, limit: int) -> Sequence[Ended]:
        """Jobs and arrays that ended before a moment, oldest first, without the first `after`."""
        named = {"before": moment * 1000, "after": after, "limit": limit}
        rows = self._database.read(SQL["expired_jobs"], named)
        return [Ended(row["job_id"], (self._output.folder(row["job_id"]),)) for row in rows]

    def forget(self, names: Sequence[str]) -> None:
        """Delete ended jobs: log files first, so that a crash in between leaves no file that nobody knows.

        Raises `OSError` if files cannot be deleted: their job stays.
        """
        for job_id in names:
            folder = self._output.folder(job_id)
            remove_whole(folder)
            with self._ledger.entry() as entry:
                job = entry.get(job_id)
                if job is not None and job.is_terminal:
                    entry.forget(job)

"""The journal on a thread of its own."""

import select
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.patience import PATIENCE_SECONDS
from trainworks.twin.compute.agent.committer import Committer
from trainworks.twin.compute.journal import Entry, JournalReader, JournalWriter


class SlowDisk(JournalWriter):
    """A journal whose groups get to disk when `goes` is set."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.goes = threading.Event()

    def append(self, entries: Sequence[Entry]) -> int:
        assert self.goes.wait(PATIENCE_SECONDS)
        return super().append(entries)


def test_nothing_waits_for_the_disk_and_nothing_is_told_before_it_is_there(tmp_path: Path) -> None:
    journal = SlowDisk(tmp_path / "journal")
    committer = Committer(journal)
    committer.commit([{"t": "one"}])
    assert committer.is_busy
    assert not committer.is_late(5)
    assert committer.is_late(0)
    assert not select.select([committer], [], [], 0.05)[0]
    journal.goes.set()
    assert select.select([committer], [], [], 10)[0]
    assert committer.arrived() == (tmp_path / "journal").stat().st_size
    assert not committer.is_busy
    committer.commit([{"t": "two"}])
    committer.commit_now([{"t": "three"}])
    assert [entry["t"] for entry in JournalReader(tmp_path / "journal").read()[0]] == ["one", "two", "three"]

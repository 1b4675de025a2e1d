"""Removes events that outlived their group's retention, and the events of groups and streams that were deleted."""

from __future__ import annotations

from collections import Counter

from trainworks.twin.services.background import Background
from trainworks.twin.services.logs.blocks import SQL
from trainworks.twin.services.logs.events import DAY_MS
from trainworks.twin.services.logs.store import LogStore

_INTERVAL_SECONDS = 600.0


class Sweep:
    """A thread that works in small transactions, so that nobody waits for it."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._background = Background("log-sweep", self._pass)

    def wake(self) -> None:
        self._background.wake()

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        self._background.stop()

    def sweep(self) -> None:
        """Remove all that is due."""
        while not self._background.stopping and self._bury_some():
            pass
        for group in self._store.database.read(SQL["groups_with_retention"]):
            before = self._store.now_ms() - group["retention_days"] * DAY_MS
            while not self._background.stopping and self._expire_some(group["group_id"], before):
                pass

    def _pass(self) -> float:
        self.sweep()
        return _INTERVAL_SECONDS

    def _bury_some(self) -> bool:
        """Remove some blocks of deleted streams; whether any may be left."""
        dead = self._store.database.read(SQL["dead_streams"])
        for stream in dead:
            with self._store.database.transaction() as tx:
                blocks = tx.execute(SQL["dead_blocks"], (stream["stream_id"],)).fetchall()
                tx.executemany(SQL["delete_block"], [(block["seq"],) for block in blocks])
                if not blocks:
                    tx.execute(SQL["bury_stream"], (stream["stream_id"],))
        return bool(dead)

    def _expire_some(self, group_id: int, before_ms: int) -> bool:
        """Remove some blocks whose last event is too old; whether any may be left."""
        with self._store.database.transaction() as tx:
            blocks = tx.execute(SQL["expired_blocks"], (group_id, before_ms, before_ms)).fetchall()
            sizes: Counter[int] = Counter()
            for block in blocks:
                tx.execute(SQL["delete_block"], (block["seq"],))
                sizes[block["stream_id"]] += block["stored_bytes"]
            for stream_id, size in sizes.items():
                tx.execute(SQL["shrink_stream"], (size, stream_id))
            tx.execute(SQL["shrink_group"], (sizes.total(), group_id))
        return bool(blocks)

"""The deduplication ids that a FIFO queue has seen in the last five minutes: a row each, forgotten in order of time."""

from __future__ import annotations

import time
from typing import Any

from trainworks.twin.emulator.durable.change_tracking import ChangeTracker, TouchedDict
from trainworks.twin.emulator.sqs.keyed_heap import KeyedHeap


class RecentSends(TouchedDict):
    """What was sent, by deduplication id; in place of ministack's dictionary."""

    __slots__ = ("_ends",)

    def __init__(self, tracker: ChangeTracker, name: str) -> None:
        super().__init__(tracker, name)
        self._ends: KeyedHeap[str] = KeyedHeap()

    def __setitem__(self, key: str, value: dict[str, Any]) -> None:
        super().__setitem__(key, value)
        self._ends.put(key, value["expire"])

    def restore(self, key: str, row: tuple[Any] | None) -> None:
        super().restore(key, row)
        if row is None:
            self._ends.drop(key)
        else:
            self._ends.put(key, row[0]["expire"])

    def close(self) -> None:
        dict.clear(self)
        self._ends.clear()
        super().close()

    def forget(self) -> None:
        """Take out what is over."""
        now = time.time()
        while (first := self._ends.first()) is not None and first[0] <= now:
            self._ends.drop(first[1])
            del self[first[1]]

"""The store: who wants to read or write rows says what, and gets the transaction for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from trainworks.twin.recorded.earlier import bring_over
from trainworks.twin.recorded.rows import Rows
from trainworks.twin.recorded.statements import SCHEMA
from trainworks.twin.store.database import Database

T = TypeVar("T")


class RecordedStore:
    """Owns the tables `recorded` and `resource_tag`; brings over what an earlier version kept elsewhere."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        database.apply(SCHEMA)
        bring_over(database, clock())

    def change(self, work: Callable[[Rows], T]) -> T:
        """Run `work` in one transaction, which shares its way to the disk with others; what it raises undoes it alone.

        `work` may run in another caller's thread, and everybody's writing waits for it: it asks no other part of the
        twin, neither for a permission nor whether something exists there. That is done before.
        """
        return self._database.together(lambda tx: work(Rows(tx, self._clock())))

    @contextmanager
    def look(self) -> Iterator[Rows]:
        """Several reads of one committed state; they wait for no writer."""
        with self._database.snapshot() as tx:
            yield Rows(tx, self._clock())

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of a resource by key, where nothing else is read."""
        with self.look() as rows:
            return rows.tags(arn)

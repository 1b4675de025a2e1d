"""Containers inside a record with rows of their own, so that a change costs what changed, however much a record holds.

Stock keeps a DynamoDB table with its items, and an SQS queue with its messages, as one value. Here the record's row is
written without such members. What is in them is in stores of this one record, named by its id: a record that is made
again under the same name is another one. A record that goes takes the rows of its stores with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from trainworks.twin.emulator.durable.journal import EVERY_ROW, Journal, TouchedDict

Read = Callable[[str], Iterator[tuple[Any, Any, int]]]
"""(key, value, digest) of the rows of a store on disk."""


class RecordParts(ABC):
    """The parts of all records of one store. What changes in a part touches its store, and not the record's row."""

    members: ClassVar[Mapping[str, Callable[[], Any]]]
    """The members of a record that are kept apart, and what its row has in their place."""

    def __init__(self, journal: Journal, read: Read) -> None:
        self.journal = journal
        self._read = read
        self._stores: dict[Any, tuple[TouchedDict, ...]] = {}

    @abstractmethod
    def stores_of(self, record: dict[str, Any]) -> tuple[TouchedDict, ...]:
        """The stores of a record's parts, the same ones each time; made from plain members where it has none yet."""

    def keep(self, records: TouchedDict) -> None:
        """The store is back from disk, its records without their parts: bring these, and keep them from now on."""
        for key, record in dict.items(records):
            if self._load(key, record):
                # Both in one transaction, and not at the mercy of a request that happens to be the first.
                self.journal.put_back({(records, key), *((store, EVERY_ROW) for store in self._stores[key])})
        records.parts = self

    def row(self, record: dict[str, Any]) -> dict[str, Any]:
        return {name: self.members[name]() if name in self.members else value for name, value in record.items()}

    def entered(self, key: Any, record: dict[str, Any]) -> None:
        filled = self._is_filled(record)
        for store in self._attach(key, record):
            if filled:
                store._touch(EVERY_ROW)

    def left(self, key: Any) -> None:
        for store in self._stores.pop(key, ()):
            store.close()

    def returned(self, key: Any, row: dict[str, Any], current: dict[str, Any] | None) -> None:
        if current is None:
            self._load(key, row)
        else:
            row |= {name: current[name] for name in self.members}
            self._attach(key, row)

    def _load(self, key: Any, record: dict[str, Any]) -> bool:
        """Bring the parts of a record from disk; whether it has them in its row, as an earlier version wrote it."""
        filled = self._is_filled(record)
        for store in self._attach(key, record):
            for each, value, digest in self._read(str(store.name)):
                store.restore(each, (value,))
                store.written[each] = digest
        return filled

    def _is_filled(self, record: dict[str, Any]) -> bool:
        return any(record[name] for name in self.members)

    def _attach(self, key: Any, record: dict[str, Any]) -> tuple[TouchedDict, ...]:
        stores = self.stores_of(record)
        for before in self._stores.get(key, ()):
            if before not in stores:
                before.close()
        self._stores[key] = stores
        return stores

"""Containers inside a record with rows of their own, so that a change costs what changed, however much a record holds.

Stock keeps a DynamoDB table with its items, and an SQS queue with its messages, as one value. Here the record's row is
written without such members. What is in them is in stores of this one record, named by its id: a record that is made
again under the same name is another one. A record that goes takes the rows of its stores with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from trainworks.twin.emulator.durable.change_tracking import EVERY_ROW, ChangeTracker, Row, TouchedDict

Read = Callable[[str], Iterator[tuple[Any, Any, int]]]
"""(key, value, digest) of the rows of a store on disk."""


class RecordParts(ABC):
    """The parts of all records of one store. What changes in a part touches its store, and not the record's row."""

    members: ClassVar[Mapping[str, Callable[[], Any]]] = {}
    """The members of a record that are kept apart, and what its row has in their place."""

    def __init__(self, tracker: ChangeTracker, read: Read) -> None:
        self.tracker = tracker
        self._read = read
        self._stores: dict[Any, tuple[TouchedDict, ...]] = {}

    @abstractmethod
    def dressed(self, record: Any) -> Any:
        """A record with parts that have stores, in place of one with plain parts."""

    @abstractmethod
    def stores_of(self, record: Any) -> tuple[TouchedDict, ...]:
        """The stores of a record's parts."""

    def keep(self, records: TouchedDict) -> None:
        """The store is back from disk, its records without their parts: bring these, and keep them from now on."""
        for key, record in list(dict.items(records)):
            plain = self.is_plain(record)
            dict.__setitem__(records, key, self._load(key, record))
            if plain:
                # Both in one transaction, and not at the mercy of a request that happens to be the first.
                self.tracker.put_back({(records, key), *((store, EVERY_ROW) for store in self._stores[key])})
        records.parts = self

    def row(self, record: Any) -> Any:
        return {name: self.members[name]() if name in self.members else value for name, value in record.items()}

    def beside(self, key: Any) -> Iterable[Row]:
        return ()

    def is_plain(self, record: Any) -> bool:
        """Whether something in a record has no row of its own, as an earlier version wrote it, or as it is new."""
        return any(record[name] for name in self.members)

    def entered(self, key: Any, record: Any) -> Any:
        plain = self.is_plain(record)
        record = self._attached(key, record)
        if plain:
            for store in self._stores[key]:
                store._touch(EVERY_ROW)
        return record

    def left(self, key: Any) -> None:
        for store in self._stores.pop(key, ()):
            store.close()

    def returned(self, key: Any, row: Any, current: Any) -> Any:
        if current is None:
            return self._load(key, row)
        return self._attached(key, row | {name: current[name] for name in self.members})

    def _load(self, key: Any, record: Any) -> Any:
        """A record with its parts from disk."""
        record = self._attached(key, record)
        for store in self._stores[key]:
            for each, value, digest in self._on_disk(store):
                store.restore(each, (value,))
                store.written[each] = digest
        return record

    def _on_disk(self, store: TouchedDict) -> Iterable[tuple[Any, Any, int]]:
        return self._read(str(store.name))

    def _attached(self, key: Any, record: Any) -> Any:
        record = self.dressed(record)
        stores = self.stores_of(record)
        for before in self._stores.get(key, ()):
            if before not in stores:
                before.close()
        self._stores[key] = stores
        return record

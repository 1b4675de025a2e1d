"""Records with a member that is a history: what happened in an execution. In its place the record's row has an id.

The entries are on disk alone, under this id: two records that follow each other under one name are not the same. A
record that goes takes its history with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from trainworks.twin.emulator.durable.change_tracking import Row, TouchedDict
from trainworks.twin.emulator.durable.histories import Histories, OldEntry
from trainworks.twin.emulator.durable.history_lists import Entries
from trainworks.twin.emulator.durable.writing import pickled, unpickled

_STORES = "SELECT DISTINCT store FROM emulator_rows WHERE store > ? AND store < ?"
_ROWS = "SELECT value FROM emulator_rows WHERE store = ?"
_RECORDS_AT_ONCE = 200

MadeAt = Callable[[Mapping[str, Any], Any], float]
"""When an entry of a record was made, in seconds."""


class RecordHistories:
    """The histories of all records of one store, under one name. An earlier version kept rows under this name, too."""

    def __init__(self, histories: Histories, name: str, member: str, made_at: MadeAt) -> None:
        self._database = histories.database
        self._history = histories.open(name)
        self._name = name
        self._member = member
        self._made_at = made_at
        self._entries: dict[Any, Entries] = {}

    def keep(self, records: TouchedDict) -> None:
        """The store is back from disk."""
        self._bring_in(records)
        for key, record in list(dict.items(records)):
            record[self._member] = Entries(self._history, record[self._member]["id"])
            self._entries[key] = record[self._member]
        records.parts = self

    # -- what a store says to its parts -------------------------------------------------------------------------

    def row(self, record: Any) -> Any:
        return record | {self._member: {"id": record[self._member].owner}}

    def entered(self, key: Any, record: Any) -> Any:
        given = record.get(self._member)
        if not isinstance(given, Entries):
            record[self._member] = Entries(self._history, uuid.uuid4().hex, length=0)
            for entry in given or ():
                record[self._member].append(entry)
        return self._attached(key, record)

    def left(self, key: Any) -> None:
        entries = self._entries.pop(key, None)
        if entries is not None:
            entries.close()

    def returned(self, key: Any, row: Any, current: Any) -> Any:
        entries = None if current is None else current[self._member]
        if entries is None or entries.owner != row[self._member]["id"]:
            entries = Entries(self._history, row[self._member]["id"])
        entries.recount()
        return self._attached(key, row | {self._member: entries})

    def beside(self, key: Any) -> Iterable[Row]:
        return ()

    def _attached(self, key: Any, record: Any) -> Any:
        before, entries = self._entries.get(key), record[self._member]
        self._entries[key] = entries
        if before is not None and before.owner != entries.owner:
            before.close()
        return record

    # -- what earlier versions wrote: a row for each entry beside the records, or all in the record's own ------------

    def _bring_in(self, records: TouchedDict) -> None:
        """Each record with its entries in one transaction; none is in two places, whenever the server is killed."""
        bounds = (f"{self._name}/", f"{self._name}0")
        stores = {row["store"] for row in self._database.read(_STORES, bounds)}
        entries: list[OldEntry] = []
        rows: dict[str, dict[str, bytes] | None] = {}
        own: dict[str, bytes] = {}
        taken = 0
        for key, record in list(dict.items(records)):
            listed = record.get(self._member)
            if isinstance(listed, dict):
                store = f"{self._name}/{listed['id']}"
                if store not in stores:
                    continue
                stores.discard(store)
                rows[store] = None
                numbered = [unpickled(row["value"]) for row in self._database.read(_ROWS, (store,))]
                found = [value for _, value in sorted(numbered, key=itemgetter(0))]
            else:
                found = listed or []
                record[self._member] = {"id": uuid.uuid4().hex}
                own[repr(key)] = pickled((key, record), (records, key))
                records.written[key] = hash(own[repr(key)])
            entries += self._old(record[self._member]["id"], record, found)
            taken += 1
            if taken % _RECORDS_AT_ONCE == 0:
                self._history.bring_in(entries, rows | {str(records.name): own})
                entries, rows, own = [], {}, {}
        rows |= dict.fromkeys(stores)  # of records that are gone
        if entries or rows or own:
            self._history.bring_in(entries, rows | {str(records.name): own})

    def _old(self, owner: str, record: Mapping[str, Any], entries: Iterable[Any]) -> Iterator[OldEntry]:
        """In the order in which they were, which is not always that of their times."""
        at = 0.0
        for entry in entries:
            at = max(at, self._made_at(record, entry))
            yield OldEntry(owner, "", entry, at)

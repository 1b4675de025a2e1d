"""Lists in records that grow with use, as rows of their own (`parts`): changes of tables in streams, and text
messages by phone number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trainworks.twin.emulator.durable.change_tracking import ChangeTracker, TouchedDict
from trainworks.twin.emulator.durable.parts import Read, RecordParts
from trainworks.twin.emulator.durable.row_lists import RowList

_MOST_NUMBERS = _MOST_TEXTS = 100
"""Phone numbers in an account and region, and texts to each, that are kept."""


class ListMember(RecordParts):
    """Records with a member that is such a list. In its place the record's row has the list's id."""

    def __init__(self, tracker: ChangeTracker, read: Read, member: str, kind: str) -> None:
        super().__init__(tracker, read)
        self._member = member
        self._kind = kind

    def dressed(self, record: Any) -> Any:
        record[self._member] = self._listed(record.get(self._member) or [])
        return record

    def stores_of(self, record: Any) -> tuple[TouchedDict, ...]:
        return (record[self._member].rows,)

    def row(self, record: Any) -> Any:
        return record | {self._member: {"id": record[self._member].list_id}}

    def is_plain(self, record: Any) -> bool:
        return _is_plain(record.get(self._member))

    def returned(self, key: Any, row: Any, current: Any) -> Any:
        if current is None:
            return self._load(key, row)
        return self._attached(key, row | {self._member: current[self._member]})

    def _on_disk(self, store: TouchedDict) -> Iterable[tuple[int, Any, int]]:
        # On disk they are in the order of their text: 10 before 9, and each that comes late moves those behind it.
        return sorted(super()._on_disk(store), key=lambda row: row[0])

    def _listed(self, entries: Any) -> RowList:
        if isinstance(entries, RowList):
            return entries
        known = entries["id"] if isinstance(entries, dict) else ""
        return RowList(self.tracker, self._kind, () if known else entries, known)


class WholeList(ListMember):
    """Records that are such a list."""

    def __init__(self, tracker: ChangeTracker, read: Read, kind: str) -> None:
        super().__init__(tracker, read, "", kind)

    def dressed(self, record: Any) -> Any:
        return self._listed(record)

    def stores_of(self, record: Any) -> tuple[TouchedDict, ...]:
        return (record.rows,)

    def row(self, record: Any) -> Any:
        return {"id": record.list_id}

    def is_plain(self, record: Any) -> bool:
        return _is_plain(record)

    def returned(self, key: Any, row: Any, current: Any) -> Any:
        return self._load(key, row) if current is None else current


class GrowingLists:
    """Puts them in place in a service that was loaded, before anything else looks into its stores."""

    def __init__(self, tracker: ChangeTracker, read: Read) -> None:
        self._kept = (tracker, read)

    def install_streams(self, dynamodb: Any) -> None:
        WholeList(*self._kept, "dynamodb.changes").keep(dynamodb._stream_records._data)

    def install_texts(self, sns: Any) -> None:
        WholeList(*self._kept, "sns.texts").keep(sns._sms_messages._data)

        def texts_to(phone_number: str) -> Any:
            """The list with rows that the next text goes into. Nothing on AWS lists texts: the last ones are kept."""
            numbers = sns._sms_messages
            if phone_number not in numbers:
                for oldest in list(numbers)[: max(0, len(numbers) - _MOST_NUMBERS + 1)]:
                    del numbers[oldest]
            texts = numbers.setdefault(phone_number, [])
            del texts[: max(0, len(texts) - _MOST_TEXTS + 1)]
            return texts

        sns._sms_log_for = texts_to


def _is_plain(entries: Any) -> bool:
    return isinstance(entries, list) and bool(entries) and not isinstance(entries, RowList)

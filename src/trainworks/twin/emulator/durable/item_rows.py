"""DynamoDB on disk: a row per item (`parts`), in a store of its table's own, named by the table's id."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, ClassVar

from trainworks.twin.emulator.durable.change_tracking import EVERY_ROW, ChangeTracker, TouchedDict
from trainworks.twin.emulator.durable.parts import Read, RecordParts


class ItemRows(TouchedDict):
    """The items of one table by (partition, sort key). It holds none itself: it looks into the table."""

    __slots__ = ("table",)

    def __init__(self, tracker: ChangeTracker, table: dict[str, Any]) -> None:
        super().__init__(tracker, f"dynamodb.items/{table['TableId']}")
        self.table = table

    def holds(self, key: Any) -> bool:
        partition, sort = key
        return sort in self.table["items"].get(partition, ())

    def stored(self, key: Any) -> Any:
        partition, sort = key
        return self.table["items"].get(partition, {})[sort]

    def restore(self, key: Any, row: tuple[Any] | None) -> None:
        partition, sort = key
        if row is not None:
            self.table["items"].setdefault(partition, {})[sort] = row[0]
        elif partition in self.table["items"]:
            self.table["items"][partition].pop(sort, None)

    def held(self) -> list[Any]:
        return [(partition, sort) for partition, items in list(self.table["items"].items()) for sort in list(items)]

    def is_empty(self) -> bool:
        return not any(self.table["items"].values())


class TableItems(RecordParts):
    """Put in place when DynamoDB is loaded."""

    members: ClassVar = {"items": dict}

    def __init__(self, tracker: ChangeTracker, read: Read) -> None:
        super().__init__(tracker, read)
        self._rows: dict[str, ItemRows] = {}
        self._members_of_indexes = ""

    def install(self, dynamodb: Any) -> None:
        """DynamoDB was loaded, and its tables are back from disk, without their items."""
        self._members_of_indexes = dynamodb._INDEX_MEMBERS
        self.keep(dynamodb._tables._data)
        self._note_changes(dynamodb)

    def dressed(self, record: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(record["items"], defaultdict):
            record["items"] = defaultdict(dict, record["items"])
        return record

    def stores_of(self, record: dict[str, Any]) -> tuple[TouchedDict, ...]:
        rows = self._rows.get(record["TableId"])
        if rows is None:
            rows = self._rows[record["TableId"]] = ItemRows(self.tracker, record)
        rows.table = record  # another object, where a request that failed has brought the row back
        return (rows,)

    def row(self, record: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in super().row(record).items() if name != self._members_of_indexes}

    def left(self, key: Any) -> None:
        for rows in self._stores.get(key, ()):
            if isinstance(rows, ItemRows):
                self._rows.pop(rows.table["TableId"], None)
        super().left(key)

    def _note_changes(self, dynamodb: Any) -> None:
        stock_set, stock_remove, stock_replaced = dynamodb._set_item, dynamodb._remove_item, dynamodb._items_replaced

        def touch(table: dict[str, Any], key: Any) -> None:
            rows = self._rows.get(table["TableId"])
            if rows is not None:  # else the table is gone, and somebody still has it in hand
                rows._touch(key)

        def set_item(table: dict[str, Any], partition: Any, sort: Any, item: Any) -> Any:
            answer = stock_set(table, partition, sort, item)
            touch(table, (partition, sort))
            return answer

        def remove_item(table: dict[str, Any], partition: Any, sort: Any) -> Any:
            answer = stock_remove(table, partition, sort)
            touch(table, (partition, sort))
            return answer

        def items_replaced(table: dict[str, Any]) -> None:
            stock_replaced(table)
            touch(table, EVERY_ROW)

        dynamodb._set_item, dynamodb._remove_item = set_item, remove_item
        dynamodb._items_replaced = items_replaced

"""DynamoDB on disk: a row per item, so that a change costs what changed, however large its table is.

Stock keeps a table with all its items as one value. Here a table's row is written without them, and each item is a row
of a store of its table's own, named by the table's id: a table that is made again under the same name is another one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from trainworks.twin.emulator.durable.journal import EVERY_ROW, Journal, TouchedDict

Read = Callable[[str], Iterator[tuple[Any, Any, int]]]
"""(key, value, digest) of the rows of a store on disk."""


class ItemRows(TouchedDict):
    """The items of one table by (partition, sort key). It holds none itself: it looks into the table."""

    __slots__ = ("table",)

    def __init__(self, journal: Journal, table: dict[str, Any]) -> None:
        super().__init__(journal, store_name(table))
        self.table = table

    def holds(self, key: Any) -> bool:
        partition, sort = key
        return sort in self.table["items"].get(partition, ())

    def stored(self, key: Any) -> Any:
        partition, sort = key
        return self.table["items"][partition][sort]

    def restore(self, key: Any, row: tuple[Any] | None) -> None:
        partition, sort = key
        if row is not None:
            self.table["items"].setdefault(partition, {})[sort] = row[0]
        elif partition in self.table["items"]:
            self.table["items"][partition].pop(sort, None)

    def held(self) -> list[Any]:
        return [(partition, sort) for partition, items in list(self.table["items"].items()) for sort in list(items)]


class TableItems:
    """Put in place when DynamoDB is loaded."""

    def __init__(self, journal: Journal, read: Read) -> None:
        self._journal = journal
        self._read = read
        self._rows: dict[str, ItemRows] = {}
        self._ids: dict[Any, str] = {}
        self._members = ""

    def install(self, dynamodb: Any) -> None:
        """DynamoDB was loaded, and its tables are back from disk, without their items."""
        self._members = dynamodb._INDEX_MEMBERS
        tables: TouchedDict = dynamodb._tables._data
        for key, table in dict.items(tables):
            self._restore(key, table)
        tables.shape = self._table_row
        tables.dropped = self._dropped_rows
        self._note_changes(dynamodb)

    def _restore(self, key: Any, table: dict[str, Any]) -> None:
        items: defaultdict[Any, dict[Any, Any]] = defaultdict(dict, table["items"])
        table["items"] = items
        rows = self._rows_of(table)
        self._ids[key] = table["TableId"]
        if items:
            rows._touch(EVERY_ROW)  # written before items had rows of their own
        for (partition, sort), item, digest in self._read(str(rows.name)):
            items[partition][sort] = item
            rows.written[partition, sort] = digest

    def _note_changes(self, dynamodb: Any) -> None:
        stock_set, stock_remove = dynamodb._set_item, dynamodb._remove_item
        stock_replaced, stock_replica = dynamodb._items_replaced, dynamodb._create_replica

        def set_item(table: dict[str, Any], partition: Any, sort: Any, item: Any) -> Any:
            answer = stock_set(table, partition, sort, item)
            self._rows_of(table)._touch((partition, sort))
            return answer

        def remove_item(table: dict[str, Any], partition: Any, sort: Any) -> Any:
            answer = stock_remove(table, partition, sort)
            self._rows_of(table)._touch((partition, sort))
            return answer

        def items_replaced(table: dict[str, Any]) -> None:
            stock_replaced(table)
            self._rows_of(table)._touch(EVERY_ROW)

        def create_replica(name: str, table: dict[str, Any], region: str) -> Any:
            answer = stock_replica(name, table, region)
            account = table["TableArn"].split(":")[4]
            replica = dynamodb._tables.get_scoped(account, region, name)
            if replica is not None:
                self._rows_of(replica)._touch(EVERY_ROW)
            return answer

        dynamodb._create_replica = create_replica
        dynamodb._set_item, dynamodb._remove_item = set_item, remove_item
        dynamodb._items_replaced = items_replaced

    def _rows_of(self, table: dict[str, Any]) -> ItemRows:
        rows = self._rows.get(table["TableId"])
        if rows is None or rows.table is not table:
            # A request that failed may have brought the table's row back from disk as another object.
            written = {} if rows is None else rows.written
            rows = self._rows[table["TableId"]] = ItemRows(self._journal, table)
            rows.written = written
        return rows

    def _table_row(self, key: Any, table: dict[str, Any]) -> Any:
        """A table as its row is written."""
        self._ids[key] = table["TableId"]
        return {name: value for name, value in table.items() if name != self._members} | {"items": {}}

    def _dropped_rows(self, key: Any) -> str | None:
        """The store that goes with a table."""
        table_id = self._ids.pop(key, None)
        if table_id is None:
            return None
        self._rows.pop(table_id, None)
        return f"{_PREFIX}{table_id}"


_PREFIX = "dynamodb.items/"


def store_name(table: dict[str, Any]) -> str:
    """The name of the store that has a table's items."""
    return f"{_PREFIX}{table['TableId']}"

"""A list with a row for each of its entries: what is appended, and what is taken out, costs what it is."""

from __future__ import annotations

import threading
import uuid
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, NoReturn, SupportsIndex

from trainworks.twin.emulator.durable.change_tracking import EVERY_ROW, ChangeTracker, TouchedDict


class ListRows(TouchedDict):
    """The entries of one list by the number that each got when it was appended. It holds none itself.

    `lock` is held while entries and numbers change: the loop that owns the state reads what threads append and delete.
    """

    __slots__ = ("entries", "lock", "next_number", "numbers")

    def __init__(self, tracker: ChangeTracker, name: str, entries: list[Any]) -> None:
        super().__init__(tracker, name)
        self.lock = threading.RLock()
        self.entries = entries
        self.numbers = list(range(len(entries)))
        self.next_number = len(entries)

    def holds(self, key: int) -> bool:
        with self.lock:
            place = bisect_left(self.numbers, key)
            return place < len(self.numbers) and self.numbers[place] == key

    def stored(self, key: int) -> Any:
        with self.lock:
            if not self.holds(key):
                raise KeyError(key)
            return self.entries[bisect_left(self.numbers, key)]

    def restore(self, key: int, row: tuple[Any] | None) -> None:
        with self.lock:
            place = bisect_left(self.numbers, key)
            if self.holds(key):
                del self.numbers[place]
                list.__delitem__(self.entries, place)
            if row is not None:
                self.numbers.insert(place, key)
                list.insert(self.entries, place, row[0])
                self.next_number = max(self.next_number, key + 1)

    def held(self) -> list[Any]:
        return list(self.numbers)

    def is_empty(self) -> bool:
        return not self.numbers


class RowList(list[Any]):
    """In place of a list of ministack's, which appends to it, reads it and deletes from it; and changes no entry.

    `list_id` names it among its kind: two lists that follow each other under one name are not the same. A copy of it
    is a plain list, and so is what is written of it if it is in a row.
    """

    def __init__(self, tracker: ChangeTracker, kind: str, entries: Iterable[Any] = (), list_id: str = "") -> None:
        super().__init__(entries)
        self.list_id = list_id or uuid.uuid4().hex
        self.rows = ListRows(tracker, f"{kind}/{self.list_id}", self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return list, (list(self),)

    def append(self, entry: Any) -> None:
        with self.rows.lock:
            number = self.rows.next_number
            super().append(entry)
            self.rows.numbers.append(number)
            self.rows.next_number = number + 1
        self.rows._touch(number)

    def __delitem__(self, place: SupportsIndex | slice) -> None:
        with self.rows.lock:
            numbers = self.rows.numbers[place]
            super().__delitem__(place)
            del self.rows.numbers[place]
        for number in numbers if isinstance(numbers, list) else [numbers]:
            self.rows._touch(number)

    def remove(self, entry: Any) -> None:
        with self.rows.lock:
            del self[self.index(entry)]

    def clear(self) -> None:
        with self.rows.lock:
            super().clear()
            self.rows.numbers.clear()
        self.rows._touch(EVERY_ROW)

    def _unnoted(self, *_: Any) -> NoReturn:
        raise NotImplementedError("entries of this list are appended and deleted, and nothing else")

    __setitem__ = __iadd__ = __imul__ = extend = insert = pop = reverse = sort = _unnoted  # type: ignore[assignment]

"""A heap of items by a key that each has and may change. The cost grows with the logarithm of their number."""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)

_SPARE = 64


class KeyedHeap(Generic[Item]):
    """Items by key, the least first.

    A dropped item stays in the heap until it is first there, or most of it was dropped.
    """

    __slots__ = ("_heap", "_keys")

    def __init__(self) -> None:
        self._heap: list[tuple[Any, Item]] = []
        self._keys: dict[Item, Any] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, item: Item, key: Any) -> None:
        """Add an item, or give it another key. Items with the same key have to be comparable."""
        if self._keys.get(item) == key:
            return
        self._keys[item] = key
        heappush(self._heap, (key, item))
        if len(self._heap) > 2 * len(self._keys) + _SPARE:
            self._heap = [(key, item) for item, key in self._keys.items()]
            heapify(self._heap)

    def drop(self, item: Item) -> bool:
        """Remove an item; whether it was there."""
        return self._keys.pop(item, None) is not None

    def first(self) -> tuple[Any, Item] | None:
        """The least key and its item, or None if there is none."""
        while self._heap:
            key, item = self._heap[0]
            if self._keys.get(item) == key:
                return key, item
            heappop(self._heap)
        return None

    def clear(self) -> None:
        self._heap.clear()
        self._keys.clear()

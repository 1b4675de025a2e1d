"""Things in the order of a key that each has: who is first, at a cost that grows with the logarithm of their number."""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)

_SPARE = 64


class Agenda(Generic[Thing]):
    """Things by key, least first. What left is in the heap until it is first there, or most of the heap has left."""

    __slots__ = ("_heap", "_keys")

    def __init__(self) -> None:
        self._heap: list[tuple[Any, Thing]] = []
        self._keys: dict[Thing, Any] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, thing: Thing, key: Any) -> None:
        """Add a thing, or give it another key. Things with the same key have to be comparable."""
        if self._keys.get(thing) == key:
            return
        self._keys[thing] = key
        heappush(self._heap, (key, thing))
        if len(self._heap) > 2 * len(self._keys) + _SPARE:
            self._heap = [(key, thing) for thing, key in self._keys.items()]
            heapify(self._heap)

    def drop(self, thing: Thing) -> bool:
        """Take a thing out; whether it was in."""
        return self._keys.pop(thing, None) is not None

    def first(self) -> tuple[Any, Thing] | None:
        """The least key and its thing, or None where there is nothing."""
        while self._heap:
            key, thing = self._heap[0]
            if self._keys.get(thing) == key:
                return key, thing
            heappop(self._heap)
        return None

    def clear(self) -> None:
        self._heap.clear()
        self._keys.clear()

"""Histories as the lists, and the dictionaries of lists, that ministack's code has in its hands.

`module._stack_events = Lists(history, ...)`: `[]`, `get`, `setdefault`, `in`, `pop` by key; each value is `Entries`,
which takes `append` and is read from disk when it is walked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, overload

from trainworks.twin.emulator.durable.histories import History

Subject = Callable[[Any], str]


def no_subject(entry: Any) -> str:
    """Entries that are found by their number alone."""
    return ""


class Entries(Sequence[Any]):
    """The history of one owner, oldest first. `length` spares counting if it is known."""

    __slots__ = ("_closed", "_history", "_length", "_subject", "owner")
    __hash__ = object.__hash__

    def __init__(self, history: History, owner: str, subject: Subject = no_subject, length: int | None = None) -> None:
        self._history = history
        self.owner = owner
        self._subject = subject
        self._length = length
        self._closed = False

    def __reduce__(self) -> Any:
        """In a row, and in a copy, there is nothing of it."""
        return list, ()

    def append(self, entry: Any) -> None:
        with self._history.lock:
            if self._closed:
                return
            self._history.append(self.owner, entry, self._subject(entry))
            self._length = None if self._length is None else self._length + 1

    def close(self) -> None:
        """The owner is gone: all goes from the disk, and what a thread appends from then on is nowhere."""
        with self._history.lock:
            self._closed = True
            self._history.remove_all(self.owner)

    def remove_before(self, number: int, most: int) -> int:
        """Take out the oldest entries with lesser numbers, up to so many; how many that were."""
        page = self.page(most, high=number - 1)
        if page:
            with self._history.lock:
                self._history.remove_all(self.owner, page[-1][0])
                self._length = None if self._length is None else self._length - len(page)
        return len(page)

    def recount(self) -> None:
        """A request that appended failed: only the disk knows how many there are."""
        with self._history.lock:
            self._length = None

    def replace(self, number: int, entry: Any) -> None:
        """Put another entry in the place of the one that has the number."""
        self._history.replace(number, self.owner, entry, self._subject(entry))

    def page(
        self,
        limit: int,
        *,
        newest_first: bool = False,
        low: int = 0,
        high: int | None = None,
        subject: str | None = None,
    ) -> list[tuple[int, Any]]:
        """As `History.page`."""
        more = {} if high is None else {"high": high}
        return self._history.page(self.owner, limit, newest_first=newest_first, low=low, subject=subject, **more)

    def numbered(self, *, newest_first: bool = False) -> Iterator[tuple[int, Any]]:
        """Every (number, entry)."""
        return self._history.all(self.owner, newest_first=newest_first)

    def __len__(self) -> int:
        return self._history.count(self.owner) if self._length is None else self._length

    def __bool__(self) -> bool:
        return bool(self.page(1))

    def __iter__(self) -> Iterator[Any]:
        return (entry for _, entry in self.numbered())

    def __reversed__(self) -> Iterator[Any]:
        return (entry for _, entry in self.numbered(newest_first=True))

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return list(self)[index]


class Lists:
    """`Entries` by key, in the place of a dictionary of lists; a key without entries is not in it."""

    def __init__(self, history: History, owner: Callable[[Any], str], subject: Subject = no_subject) -> None:
        self._history = history
        self._owner = owner
        self._subject = subject
        self._shown: ContextVar[tuple[Any, list[Any]] | None] = ContextVar("shown", default=None)

    @contextmanager
    def showing(self, key: Any, entries: list[Any]) -> Iterator[None]:
        """In this context, a part of a history is all that there is under its key."""
        token = self._shown.set((key, entries))
        try:
            yield
        finally:
            self._shown.reset(token)

    def __getitem__(self, key: Any) -> Any:
        shown = self._shown.get()
        return self.entries(key) if shown is None or shown[0] != key else shown[1]

    def entries(self, key: Any) -> Entries:
        """All of one history."""
        return Entries(self._history, self._owner(key), self._subject)

    def get(self, key: Any, default: Any = None) -> Any:
        found = self[key]
        return found or default

    def __contains__(self, key: object) -> bool:
        return bool(self[key])

    def __setitem__(self, key: Any, value: Iterable[Any]) -> None:
        entries = list(value)
        if key in self:
            self._history.remove_all(self._owner(key))
        for entry in entries:
            self[key].append(entry)

    def setdefault(self, key: Any, default: Iterable[Any]) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: Any, *default: Any) -> Any:
        """What was there is read by nobody: it is not given back."""
        if key in self:
            self._history.remove_all(self._owner(key))

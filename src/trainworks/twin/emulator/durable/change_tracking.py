"""Which rows of the emulator's state were touched, by whom, since they were last written.

ministack keeps its state in dictionaries of its own. Their inner `dict` is replaced by `TouchedDict`, which notes every
row that is handed out or changed: a row that was handed out may be changed in place by whoever holds it. What is
touched inside a request is in that request's write set until its answer leaves; what is touched inside a stack
operation is in the operation's until it has ended; the rest is in the background.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

EVERY_ROW: Final = object()
_ABSENT: Final = object()

UNKNOWN: Final = -1
"""In the place of a row's hash when nobody knows what is on disk: no hash is that number."""

Row = tuple["TouchedDict", Any]
Statement = tuple[str, tuple[Any, ...]]
"""SQL and its parameters."""

_PUT = "INSERT OR REPLACE INTO emulator_rows VALUES (?, ?, ?)"
_DROP = "DELETE FROM emulator_rows WHERE store = ? AND key = ?"


class WriteSet:
    """The rows touched in one context. `reading` contexts do not count walks over a whole store as changes."""

    def __init__(self, tracker: ChangeTracker, *, reading: bool = False) -> None:
        self._tracker = tracker
        self.reading = reading
        self.open = True
        self.rows: set[Row] = set()

    def take(self) -> set[Row]:
        rows, self.rows = self.rows, set()
        return rows


class ChangeTracker:
    """Collects touched rows. Used on the loop that owns the state; other threads' touches go to the background."""

    def __init__(self) -> None:
        self._current: contextvars.ContextVar[WriteSet | None] = contextvars.ContextVar("write_set", default=None)
        self._background: set[Row] = set()
        self._again: set[Row] = set()
        # Only the background is touched by several threads.
        self._lock = threading.Lock()
        self._operations: set[WriteSet] = set()
        self._requests: set[WriteSet] = set()

    def touch(self, store: TouchedDict, key: Hashable) -> None:
        """Note one row of a named store, or all of them with `EVERY_ROW`."""
        write_set = self._current.get()
        if write_set is None or not write_set.open:
            self.put_back({(store, key)})
        else:
            write_set.rows.add((store, key))

    def walk(self, store: TouchedDict) -> None:
        """Note a walk over a store, which may change any row of it; not of one who only reads."""
        write_set = self._current.get()
        if write_set is None or not (write_set.open and write_set.reading):
            self.touch(store, EVERY_ROW)

    @contextmanager
    def request(self, *, reading: bool = False) -> Iterator[WriteSet]:
        """The write set of one request; what is left when it ends goes to the background."""
        write_set = WriteSet(self, reading=reading)
        self._requests.add(write_set)
        token = self._current.set(write_set)
        try:
            yield write_set
        finally:
            self._current.reset(token)
            write_set.open = False
            self._requests.discard(write_set)
            self.put_back(write_set.take())

    @contextmanager
    def operation(self) -> Iterator[WriteSet]:
        """The write set of a long operation: its rows are looked at with every write until it ends."""
        write_set = WriteSet(self)
        self._operations.add(write_set)
        token = self._current.set(write_set)
        try:
            yield write_set
        finally:
            self._current.reset(token)
            write_set.open = False
            self._operations.discard(write_set)
            self.put_back(write_set.take())

    def put_back(self, rows: set[Row]) -> None:
        """Have rows looked at with the next write: nobody's own, or ones that could not be written."""
        with self._lock:
            self._background |= rows

    def due(self, *, again: bool = False) -> set[Row]:
        """The rows that belong to no request and must be looked at now: the background's and running operations'.

        A thread takes a row and changes it a moment later. With `again`, what was looked at since the last such call is
        looked at once more.
        """
        with self._lock:
            rows, self._background = self._background, set()
            found = rows | self._again if again else rows
            self._again = rows if again else self._again | rows
        for operation in self._operations:
            found = found | operation.rows
        return found

    def in_use(self, row: Row) -> bool:
        """Whether a request or operation touched the row, or all of its store, and its changes are not written yet."""
        write_sets = [*self._requests, *self._operations]
        return any(row in write_set.rows or (row[0], EVERY_ROW) in write_set.rows for write_set in write_sets)


class Parts(Protocol):
    """What is told to the owner of parts of a store's records that are in stores of their own: `parts.RecordParts`."""

    def row(self, record: Any) -> Any:
        """A record as its row is written."""

    def entered(self, key: Any, record: Any) -> Any:
        """A record comes into the store; returns it with its parts, which is what the store holds."""

    def left(self, key: Any) -> None:
        """A record is in the store no more."""

    def returned(self, key: Any, row: Any, current: Any) -> Any:
        """A record becomes what its row on disk says; `current` is what it was until now, or None. Returns it."""

    def beside(self, key: Any) -> Iterable[Row]:
        """The rows of parts that may change whenever their record does, and are looked at with it."""


class TouchedDict(dict[Any, Any]):
    """A dictionary that notes its rows in the tracker once it has a name.

    `written` has a hash of each row on disk, `under_way` the last write that has the row and is not done yet. Walks
    touch every row, as they may change any, unless `walks_read` says that none does. Rows with `blobs` hold archives;
    of rows with `parts` a part is kept in stores of its own. A store that is `gone` has no rows any more.
    """

    __slots__ = ("blobs", "gone", "name", "parts", "tracker", "under_way", "walks_read", "written")
    __hash__ = object.__hash__  # type: ignore[assignment]  # stores are told apart by identity

    def __init__(self, tracker: ChangeTracker, name: str | None = None) -> None:
        super().__init__()
        self.tracker = tracker
        self.name = name
        self.written: dict[Any, int] = {}
        self.under_way: dict[Any, object] = {}
        self.walks_read = False
        self.blobs = False
        self.gone = False
        self.parts: Parts | None = None

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __reduce__(self) -> Any:
        return dict, (dict(self),)

    def __copy__(self) -> dict[Any, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[Any, Any]:
        import copy  # noqa: PLC0415 - only here

        return {copy.deepcopy(key, memo): copy.deepcopy(value, memo) for key, value in dict.items(self)}

    def holds(self, key: Any) -> bool:
        """Whether there is such a row, without touching it."""
        return dict.__contains__(self, key)

    def stored(self, key: Any) -> Any:
        """The row as it is written, without touching it."""
        value = dict.__getitem__(self, key)
        return value if self.parts is None else self.parts.row(value)

    def put_statement(self, key: Any, value: bytes) -> Statement:
        """What writes a row, whose bytes are given."""
        return _PUT, (self.name, repr(key), value)

    def drop_statement(self, key: Any) -> Statement:
        """What deletes a row."""
        return _DROP, (self.name, repr(key))

    def row_value(self, key: Any, stored: Any) -> Any:
        """What is pickled of a row that is `stored`."""
        return key, stored

    def wrote(self, key: Any, digest: int | None) -> None:
        """A row is on disk as its hash says, or gone from it."""
        if digest is None:
            self.written.pop(key, None)
        else:
            self.written[key] = digest

    def restore(self, key: Any, row: tuple[Any] | None) -> None:
        """Give a row the value that it had (`row` has it alone), or take it out, without touching it."""
        if row is None:
            dict.pop(self, key, None)
            self._left(key)
        else:
            value = row[0] if self.parts is None else self.parts.returned(key, row[0], dict.get(self, key))
            dict.__setitem__(self, key, value)

    def forget(self) -> None:
        """Hold nothing more, and treat nothing as on disk: what was here is elsewhere now."""
        dict.clear(self)
        self.written.clear()

    def held(self) -> list[Any]:
        """The keys of all rows."""
        return list(dict.keys(self))

    def is_empty(self) -> bool:
        """Whether there is no row, without looking at all of them."""
        return not dict.__len__(self)

    def close(self) -> None:
        """Have all rows go from the disk, and note nothing of this store from then on."""
        self._touch(EVERY_ROW)
        self.gone = True

    def _touch(self, key: Any) -> None:
        if self.name is not None and not self.gone:
            self.tracker.touch(self, key)

    def _entered(self, key: Any, value: Any) -> Any:
        return value if self.parts is None else self.parts.entered(key, value)

    def _left(self, key: Any) -> None:
        if self.parts is not None:
            self.parts.left(key)

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        self._touch(key)
        return value

    def get(self, key: Any, default: Any = None) -> Any:
        value = super().get(key, _ABSENT)  # one look: threads remove rows at any time
        if value is _ABSENT:
            return default
        self._touch(key)
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, self._entered(key, value))
        self._touch(key)

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        self._left(key)
        self._touch(key)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            default = self._entered(key, default)
        value = super().setdefault(key, default)
        self._touch(key)
        return value

    def pop(self, key: Any, *default: Any) -> Any:
        value = super().pop(key, *default)
        self._left(key)
        self._touch(key)
        return value

    def popitem(self) -> tuple[Any, Any]:
        key, value = super().popitem()
        self._left(key)
        self._touch(key)
        return key, value

    def update(self, *arguments: Any, **keywords: Any) -> None:
        given = dict(*arguments, **keywords)
        super().update({key: self._entered(key, value) for key, value in given.items()})
        self._touch(EVERY_ROW)

    def clear(self) -> None:
        keys = self.held()
        super().clear()
        for key in keys:
            self._left(key)
        self._touch(EVERY_ROW)

    def items(self) -> Any:
        self._walk()
        return super().items()

    def values(self) -> Any:
        self._walk()
        return super().values()

    def _walk(self) -> None:
        if not self.walks_read and self.name is not None and not self.gone:
            self.tracker.walk(self)

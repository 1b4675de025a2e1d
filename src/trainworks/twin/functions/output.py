"""What a function prints, on its way to Logs: one event a line, bounded in size, sent while the function still runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

Ship = Callable[[Sequence[tuple[int, str]]], None]
"""Gets `(milliseconds since the epoch, message)`, in order."""

MOST_BYTES = 16 * 1024 * 1024
"""The limit for one invocation; the rest is left out, and the log says so."""
_LONGEST_LINE = 250_000
_BATCH_BYTES = 500_000
_BATCH_EVENTS = 1000
_LONGEST_WAIT_SECONDS = 0.5
_TAIL_BYTES = 4096


class OutputCollector:
    """Collects the lines of one invocation and hands them to `ship`."""

    def __init__(self, ship: Ship) -> None:
        self._ship = ship
        self._rest = b""
        self._tail = b""
        self._written = 0
        self._events: list[tuple[int, str]] = []
        self._bytes = 0
        self._since = time.monotonic()
        self._last_ms = 0

    @property
    def is_full(self) -> bool:
        return self._written > MOST_BYTES

    def write(self, data: bytes) -> None:
        """Bytes as the function printed them."""
        if self.is_full:
            return
        self._written += len(data)
        self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            self._add(line)
        while len(self._rest) > _LONGEST_LINE:
            self._add(self._rest[:_LONGEST_LINE])
            self._rest = self._rest[_LONGEST_LINE:]
        if self.is_full:
            self._end_line()
            self.line(f"[trainworks] the rest of the output is left out: one invocation may print {MOST_BYTES} bytes")

    def line(self, text: str) -> None:
        """One event of the platform's own; it may have several lines."""
        self._end_line()
        self._append(text.encode())

    def flush(self, *, now: bool = False) -> None:
        """Send what has waited long enough, or all of it."""
        if now:
            self._end_line()
        much = self._bytes > _BATCH_BYTES or len(self._events) >= _BATCH_EVENTS
        due = much or time.monotonic() - self._since > _LONGEST_WAIT_SECONDS
        if self._events and (now or due):
            events, self._events, self._bytes = self._events, [], 0
            self._since = time.monotonic()
            for start in range(0, len(events), _BATCH_EVENTS):
                self._ship(events[start : start + _BATCH_EVENTS])

    def tail(self) -> str:
        """The last 4 KiB of the log."""
        return self._tail[-_TAIL_BYTES:].decode(errors="replace")

    def _end_line(self) -> None:
        if self._rest:
            rest, self._rest = self._rest, b""
            self._add(rest)

    def _add(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), _LONGEST_LINE):
            self._append(line[start : start + _LONGEST_LINE])

    def _append(self, line: bytes) -> None:
        self._tail = (self._tail + line + b"\n")[-_TAIL_BYTES:]
        self._last_ms = max(self._last_ms, int(time.time() * 1000))
        self._events.append((self._last_ms, line.decode(errors="replace") or "\n"))
        self._bytes += len(line) + 26
        self.flush()

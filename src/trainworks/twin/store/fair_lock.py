"""A lock whose waiters get it in the order in which they came.

`threading.Lock` goes to whoever asks first after it is free, which is the thread that has just released it: threads
that work in a loop keep a request waiting for seconds.
"""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class FairLock:
    """Reentrant; used with `with`."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._owner: int | None = None
        self._depth = 0
        self._waiting: deque[tuple[int, threading.Lock]] = deque()

    def __enter__(self) -> None:
        thread = threading.get_ident()
        if self._owner == thread:
            self._depth += 1
            return
        with self._guard:
            if self._owner is None:
                self._owner, self._depth = thread, 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append((thread, turn))
        turn.acquire()  # the one before us has made us the owner by now

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth:
            return
        with self._guard:
            if not self._waiting:
                self._owner = None
                return
            self._owner, turn = self._waiting.popleft()
            self._depth = 1
        turn.release()

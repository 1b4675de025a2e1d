"""One thread owns the emulator's state: the server's event loop. Other threads hand their work over to it.

A snapshot of the touched rows is then never taken in the middle of somebody's change.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class StateLoop:
    """Runs callables on the loop that owns the state, from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id = 0

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make the loop that runs in the calling thread the owner."""
        self._loop, self._thread_id = loop, threading.get_ident()

    def is_owner(self) -> bool:
        """Whether the calling thread is the one that owns the state."""
        return self._loop is None or threading.get_ident() == self._thread_id

    def run(self, work: Callable[[], T]) -> T:
        """Call `work` on the owning thread and give its result; at once when this is that thread."""
        if self._loop is None or self.is_owner():
            return work()
        future: Future[T] = Future()

        def deliver() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, which raises it
                future.set_exception(error)

        self._loop.call_soon_threadsafe(deliver)
        return future.result()

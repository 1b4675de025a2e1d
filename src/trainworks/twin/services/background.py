"""The threads of the services: each does one kind of work, when it is woken or when its last pass asked for another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

_LOG = logging.getLogger(__name__)


class Background:
    """Calls `work` on a thread of its own. It returns after how many seconds it wants to be called again even if nobody
    wakes it, or None.

    The work of a pass has to be in the database before `wake`: a wake-up says that there may be work, never which.
    A pass that raises is recorded with its traceback and tried again after `retry_seconds`, so that a full disk or a
    fault elsewhere delays work and loses none. `woken` is an event that whoever has work sets, in place of `wake`.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], float | None],
        retry_seconds: float = 1.0,
        *,
        woken: threading.Event | None = None,
    ) -> None:
        self._name = name
        self._work = work
        self._retry_seconds = retry_seconds
        self._wake = woken or threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called: a long pass looks at it between its steps."""
        return self._stopping.is_set()

    def wake(self) -> None:
        """Call `work` as soon as the current pass is done."""
        self._wake.set()

    def pause(self, seconds: float) -> bool:
        """Wait inside a pass; True if the wait was cut short by `stop`."""
        return self._stopping.wait(seconds)

    def start(self) -> None:
        """Begin with a pass: what an earlier run left is there."""
        self._stopping.clear()
        self._wake.set()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Return when the current pass is done; does nothing if the thread does not run."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        again: float | None = None
        while not self._stopping.is_set():
            self._wake.wait(again)
            self._wake.clear()
            if self._stopping.is_set():
                return
            try:
                again = self._work()
            except Exception:  # noqa: BLE001 - recorded with its traceback, and tried again
                _LOG.exception("%s: the pass failed; trying again", self._name)
                self._stopping.wait(self._retry_seconds)
                again = 0.0

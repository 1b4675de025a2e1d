"""Time as an argument, so that what waits can be tested without waiting."""

from __future__ import annotations

import time


class Clock:
    """The time of this machine."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

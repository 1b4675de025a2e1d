"""The pace at which new jobs begin: accepting requests comes first.

A job brings processes to start, which take the cores that requests are answered with. So when many jobs come at once,
the first begin immediately, one for each core. While more come, few others begin; once no more come, as many begin as
the machine can start while it does its other work. They begin in the order in which they came.
"""

from __future__ import annotations

from collections import deque

_CALM_SECONDS = 0.1
"""This long after the last arrival, the rush is over."""
_PATIENCE_SECONDS = 10.0
_CROWDED_RATE, _CALM_RATE = 2.5, 25.0
"""Jobs a second for each core."""


class StartThrottle:
    """Jobs that have not begun yet, and when each may begin.

    Times are seconds of one clock; not safe for several threads at once.
    """

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._waiting: deque[tuple[str, float]] = deque()
        self._turns = float(cores)
        self._counted_at = 0.0
        self._last_arrival = 0.0

    def add(self, job_id: str, now: float) -> None:
        self._count(now)
        self._waiting.append((job_id, now))
        self._last_arrival = now

    def due(self, now: float) -> list[str]:
        """The jobs whose turn it is; they are forgotten here."""
        self._count(now)
        jobs: list[str] = []
        while self._waiting and self._turns >= 1:
            self._turns -= 1
            jobs.append(self._waiting.popleft()[0])
        return jobs

    def next_due(self, now: float) -> float | None:
        """When to ask again, after `due`; None if none waits."""
        if not self._waiting:
            return None
        at = now + (1 - self._turns) / self._rate(now)
        return min(at, self._crowded_until()) if now < self._crowded_until() else at

    def _count(self, now: float) -> None:
        """Turns that came since the last count: as many as there are cores at most."""
        elapsed = max(0.0, now - self._counted_at)
        self._turns = min(float(self._cores), self._turns + elapsed * self._rate(now))
        self._counted_at = now

    def _rate(self, now: float) -> float:
        return self._cores * (_CROWDED_RATE if now < self._crowded_until() else _CALM_RATE)

    def _crowded_until(self) -> float:
        """The end of the crowd, as far as is known: the oldest job waits ten seconds for requests at most."""
        calm = self._last_arrival + _CALM_SECONDS
        return min(calm, self._waiting[0][1] + _PATIENCE_SECONDS) if self._waiting else calm

"""Invocations, counted until `take`. Counted on the event loop, taken from any thread."""

from __future__ import annotations

import threading

from trainworks.twin.ports import Invocations

_MICROSECONDS = 1e6


class Tally:
    """The counts by endpoint and variant."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], Invocations] = {}
        self._lock = threading.Lock()

    def note(  # noqa: PLR0917 - the facts of one request
        self, arn: str, name: str, variant: str, instances: int, status: int, model: float, overhead: float
    ) -> None:
        """Count one request. `status` is the answer's, 0 without one; `model` and `overhead` are in seconds."""
        with self._lock:
            counts = self._counts.get((arn, variant))
            if counts is None:
                counts = self._counts[arn, variant] = Invocations(arn, name, variant)
            counts.instances = instances
            counts.count += 1
            if not 200 <= status < 300:
                counts.errors[status // 100] = counts.errors.get(status // 100, 0) + 1
            _count(counts.model_latency, model)
            _count(counts.overhead_latency, overhead)

    def take(self) -> list[Invocations]:
        with self._lock:
            taken, self._counts = self._counts, {}
        return list(taken.values())


def _count(counts: dict[float, float], seconds: float) -> None:
    value = rounded(max(0.0, seconds) * _MICROSECONDS)
    counts[value] = counts.get(value, 0.0) + 1.0


def rounded(value: float) -> float:
    """To two digits, so that there are few different values and each can be counted."""
    return float(f"{value:.1e}")

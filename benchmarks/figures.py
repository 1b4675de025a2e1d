"""What a benchmark gives: a figure of ours next to what bounds it, measured in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """`ours` and `bound` in seconds (or MiB where `unit` says so); `aim` is what we want, in words.

    The ratio is ours over bound: lower is better, except for `better="higher"`, where bound over ours is given.
    """

    name: str
    ours: float
    bound_name: str
    bound: float
    aim: str
    reached: bool
    better: Literal["lower", "higher"] = "lower"
    unit: str = "s"
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.bound / self.ours if self.better == "higher" else self.ours / self.bound

    def record(self) -> dict[str, object]:
        return {**asdict(self), "ratio": round(self.ratio, 3)}


@dataclass(frozen=True)
class Skipped:
    """A measurement that this machine cannot make, and why."""

    name: str
    why: str


def timed(action: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def alternating(ours: Callable[[], object], bound: Callable[[], object], runs: int) -> tuple[float, float]:
    """Medians of both, run in turn after one warm-up each, so that a drift of the machine meets both alike."""
    ours(), bound()
    pairs = [(timed(ours), timed(bound)) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)

"""`trainworks up` on an empty twin, with the assembly cached, and again without a change."""

from __future__ import annotations

import statistics
from pathlib import Path

from figures import Figure, timed
from synth import quiet
from twins import scratch_twin

FIRST_AIM, UNCHANGED_AIM = 2.0, 0.5


def measure(trainworks: Path) -> list[Figure]:
    """Whole commands, interpreter start included."""
    with scratch_twin() as twin:
        environment = twin.environment()
        run = lambda *verb: timed(lambda: quiet([trainworks, *verb], twin.home, environment))  # noqa: E731
        run("synth")
        first = run("up")
        unchanged = statistics.median(run("up") for _ in range(5))
    return [
        Figure("up, first", first, "aim", FIRST_AIM, "2 s after synth", first <= FIRST_AIM),
        Figure("up, unchanged", unchanged, "aim", UNCHANGED_AIM, "0.5 s", unchanged <= UNCHANGED_AIM),
    ]

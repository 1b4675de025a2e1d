"""How long a test waits for what comes in a moment on an idle machine.

The limit is for what never comes. It says nothing about speed: a machine that is slow or busy passes the same tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 120.0
_PAUSE_SECONDS = 0.02


def until(look: Callable[[], T], what: str = "what was waited for") -> T:
    """The first true answer of `look`; fails with `what` after `PATIENCE_SECONDS`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not come within {PATIENCE_SECONDS:.0f} s"
        time.sleep(_PAUSE_SECONDS)
    return found

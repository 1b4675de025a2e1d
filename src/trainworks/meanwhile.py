"""Progress: a block tells its caller what it is doing, and a command shows that until the block ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Meanwhile = Callable[[str], AbstractContextManager[object]]
"""Called with what is being done, as `synthesizing trainworks-dev`, if it takes seconds or more."""


def untold(what: str) -> AbstractContextManager[object]:
    """Tells nobody."""
    del what
    return nullcontext()

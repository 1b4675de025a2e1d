"""What was acknowledged, and so what has to be there later: the drill's memory, apart from the twin.

A call that was answered leaves one value possible. A call that was cut off by a kill may have taken effect or not, so
it leaves two, until the next answer tells which.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Print = Callable[[str], None]
Value = TypeVar("Value", bound=Hashable)

_SAID_FINDINGS = 200
_BEFORE_SECONDS = 20.0


class Register(Generic[Value]):
    """One thing that has a value, such as an object's content; `possible` is what a reader may find."""

    def __init__(self, value: Value) -> None:
        self.possible: set[Value] = {value}
        self.written_at = time.time()

    @contextmanager
    def write(self, value: Value) -> Iterator[None]:
        """Around the call that writes: if it does not come back, the old value and the new one are both possible."""
        self.possible.add(value)
        yield
        self.possible = {value}
        self.written_at = time.time()

    def read(self, found: Value) -> bool:
        """Whether that may be found; from then on nothing else may, until the next write."""
        holds = found in self.possible
        self.possible = {found}
        return holds


class Ledger:
    """Counts of what was acknowledged, cut off and looked at; findings; kills. Used by many threads.

    A finding is said as soon as it is made, with what was killed shortly before.
    """

    def __init__(self, say: Print) -> None:
        self._say = say
        self._lock = threading.Lock()
        self.acknowledged: Counter[str] = Counter()
        self.cut_off: Counter[str] = Counter()
        self.audited: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.kills: list[tuple[float, str]] = []

    def acknowledge(self, customer: str, calls: int = 1) -> None:
        with self._lock:
            self.acknowledged[customer] += calls

    def cut(self, customer: str) -> None:
        with self._lock:
            self.cut_off[customer] += 1

    def killed(self, what: str) -> None:
        with self._lock:
            self.kills.append((time.time(), what))

    def kills_since(self, moment: float, *kinds: str) -> int:
        """How many kills of these kinds there were since then; of any kind without names."""
        with self._lock:
            return sum(at >= moment and (not kinds or what in kinds) for at, what in self.kills)

    def check(self, customer: str, holds: bool, kind: str, text: str) -> None:
        """Note that a fact was looked at, and what is wrong with it if it does not hold."""
        with self._lock:
            self.audited[customer] += 1
        if not holds:
            self.find(kind, customer, text)

    def find(self, kind: str, customer: str, text: str) -> None:
        """Note something that should not be. `kind` is lost, twice, wrong, orphan or error."""
        with self._lock:
            self.found[kind] += 1
            if sum(self.found.values()) <= _SAID_FINDINGS:
                self._say(f"{kind.upper():<8} {customer}: {text}{self._killed_before(time.time())}")

    def _killed_before(self, moment: float) -> str:
        before = [f"{what} {moment - at:.1f} s" for at, what in self.kills if moment - at <= _BEFORE_SECONDS]
        return f"\n         killed before: {', '.join(before[-6:])}" if before else ""

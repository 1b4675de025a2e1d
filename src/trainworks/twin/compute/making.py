"""Makes environments in the background: whoever wants one does not wait in a request and does not delay other jobs.

    ready(name, build, waiter)    whole: its folder         not whole: made in a thread; `ImageBeingMadeError`
                                  failed: the error, once for each who waited; whoever comes later has it made again

One thread makes one environment, however many want it; between processes the lock of `environments.py` ensures that. A
killed server leaves nothing half done: an environment without its mark is made again by the next who asks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from trainworks.twin.compute.environments import PythonEnvironments
from trainworks.twin.compute.making_log import MakingLog
from trainworks.twin.ports import ApiError, ImageBeingMadeError

_MOST_FAILED = 100
BEGINNING = "an environment of its own"
"""What is being made, until more is known."""
_LOG = logging.getLogger(__name__)

Build = Callable[[Path, MakingLog], None]
OnEnd = Callable[[Collection[str]], None]
"""Called with those who waited, when an environment is whole or could not be made."""


class _Making:
    """One environment while it is made: until it is complete, or until all who waited know why it is not."""

    def __init__(self) -> None:
        self.log = MakingLog()
        self.waiters: set[str] = set()
        self.has_ended = threading.Event()
        self.error: ApiError | None = None


def _being_made(making: _Making) -> ImageBeingMadeError:
    state = making.log.state or BEGINNING
    return ImageBeingMadeError(tuple(making.log.lines), state, making.has_ended.is_set)


class Makings:
    """Makes the environments of `environments`, each in a thread of its own."""

    def __init__(self, environments: PythonEnvironments) -> None:
        self._environments = environments
        self._lock = threading.Lock()
        self._makings: dict[str, _Making] = {}
        self._on_end: list[OnEnd] = []
        self._left_to_tell: dict[str, tuple[str, ...]] = {}

    def on_end(self, told: OnEnd) -> None:
        """Tell `told` whenever a making has ended."""
        self._on_end.append(told)

    def ready(self, name: str, build: Build, waiter: str) -> Path:
        """The folder of the whole environment `name`.

        Raises `ImageBeingMadeError` while it is made, and `ApiError` to each who waited where it could not be made.
        """
        if self._environments.is_ready(name):
            return self._environments.use(name)
        with self._lock:
            making = self._makings.get(name)
            if making is None or (making.error is not None and waiter not in making.waiters):
                making = self._start(name, build)
            elif making.has_ended.is_set() and making.error is None:
                return self._environments.use(name)
            if making.error is not None:
                making.waiters.discard(waiter)
                raise making.error
            making.waiters.add(waiter)
        raise _being_made(making)

    def check(self, waiter: str) -> None:
        """Raise `ImageBeingMadeError` if what `waiter` waits for is still being made."""
        with self._lock:
            for making in self._makings.values():
                if waiter in making.waiters and not making.has_ended.is_set():
                    raise _being_made(making)

    def going(self) -> Mapping[str, str]:
        """What is being made now, with what its making does."""
        with self._lock:
            return {
                name: making.log.state or BEGINNING
                for name, making in self._makings.items()
                if not making.has_ended.is_set()
            }

    def told(self, waiter: str) -> tuple[str, ...]:
        """All that the making said for which `waiter` waited, once; nothing for those who did not wait."""
        with self._lock:
            for making in self._makings.values():  # complete already, though its thread has not said so yet
                if making.error is None and waiter in making.waiters:
                    return tuple(making.log.lines)
            return self._left_to_tell.pop(waiter, ())

    def _start(self, name: str, build: Build) -> _Making:
        failed = [each for each, making in self._makings.items() if making.error is not None]
        for old in failed[: max(0, len(failed) - _MOST_FAILED)]:
            del self._makings[old]
        making = self._makings[name] = _Making()
        threading.Thread(target=self._make, args=(name, build, making), name="image-making", daemon=True).start()
        return making

    def _make(self, name: str, build: Build, making: _Making) -> None:
        error: ApiError | None = None
        try:
            self._environments.whole(name, lambda place: build(place, making.log))
        except ApiError as refused:
            error = refused
        except Exception as fault:  # noqa: BLE001 - recorded with its traceback, and fails those who wait
            _LOG.exception("the environment %s could not be made", name)
            error = ApiError(
                "ValidationException", f"{self._environments.what} cannot be prepared: {type(fault).__name__}: {fault}"
            )
        with self._lock:
            making.error = error
            making.has_ended.set()
            waiters = tuple(making.waiters)
            if error is None:
                self._makings.pop(name, None)
                # Jobs that were stopped meanwhile never ask.
                kept = list(self._left_to_tell.items())[-_MOST_FAILED:]
                self._left_to_tell = dict(kept) | dict.fromkeys(waiters, tuple(making.log.lines))
        for told in self._on_end:
            told(waiters)

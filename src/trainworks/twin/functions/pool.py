"""Warm environments. Each serves one event at a time; an idle one is used again by the same version of its function."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from trainworks.twin.functions.environment import ExecutionEnvironment
from trainworks.twin.ports import ApiError

MOST_ENVIRONMENTS = 64
_IDLE_SECONDS = 300.0
# Below the twelve hours of the credentials that an environment started with.
_LONGEST_LIFE_SECONDS = 4 * 3600.0
_LONGEST_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 5.0


class Pool:
    """All environments of one server, at most `most` at a time."""

    def __init__(self, most: int = MOST_ENVIRONMENTS) -> None:
        self._most = most
        self._idle: defaultdict[str, list[ExecutionEnvironment]] = defaultdict(list)
        self._count = 0
        self._all: dict[ExecutionEnvironment, str] = {}
        self._kept: dict[str, int] = {}
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._sweeper: threading.Thread | None = None

    def warm(self, key: str) -> ExecutionEnvironment | None:
        """An idle environment of `key`, which now belongs to the caller."""
        while True:
            with self._changed:
                environment = self._idle[key].pop() if self._idle.get(key) else None
            if environment is None:
                return None
            if environment.is_alive() and time.monotonic() - environment.started_at < _LONGEST_LIFE_SECONDS:
                return environment
            self.discard(environment)

    def keep(self, counts: Mapping[str, int]) -> None:
        """Keep this many environments of each key when they are idle; others end after their time."""
        with self._changed:
            self._kept = dict(counts)

    def count(self, key: str) -> int:
        """The environments of `key`, idle and in use, that are alive and need not be replaced yet."""
        now = time.monotonic()
        with self._changed:
            found = [each for each, its_key in self._all.items() if its_key == key]
        return sum(each.is_alive() and now - each.started_at < _LONGEST_LIFE_SECONDS for each in found)

    def start(self, key: str, make: Callable[[], ExecutionEnvironment]) -> ExecutionEnvironment:
        """A new environment of `key`; if there are too many, it replaces the one that has been idle longest.

        Raises `ApiError` `TooManyRequestsException` when all are in use for half a minute.
        """
        deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
        while True:
            with self._changed:
                if self._closed.is_set():
                    raise ApiError("ServiceException", "The twin is being stopped.", 500)
                if self._count < self._most:
                    self._count += 1
                    break
                oldest = self._take_oldest()
                if oldest is None and not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise ApiError("TooManyRequestsException", f"Rate Exceeded: {self._most} functions run now.", 429)
            if oldest is not None:
                self.discard(oldest)
        try:
            environment = make()
        except BaseException:
            with self._changed:
                self._count -= 1
                self._changed.notify()
            raise
        with self._changed:
            self._all[environment] = key
        self._sweep_from_now_on()
        return environment

    def folders(self) -> set[Path]:
        """The folders that all environments use."""
        with self._changed:
            return {folder for environment in self._all for folder in environment.folders}

    def release(self, key: str, environment: ExecutionEnvironment) -> None:
        """Give back an environment that can take another event."""
        with self._changed:
            if not self._closed.is_set():
                self._idle[key].append(environment)
                self._changed.notify()
                return
        self.discard(environment)

    def discard(self, environment: ExecutionEnvironment) -> None:
        """End an environment that cannot take another event, or that is not needed."""
        environment.close()
        with self._changed:
            self._all.pop(environment, None)
            self._count -= 1
            self._changed.notify()

    def close(self) -> None:
        """End all idle ones at once; those in use end when they are given back, at the latest with the server."""
        self._closed.set()
        with self._changed:
            idle = [environment for each in self._idle.values() for environment in each]
            self._idle.clear()
            self._changed.notify_all()
        for environment in idle:
            self.discard(environment)

    def _take_oldest(self) -> ExecutionEnvironment | None:
        found = min(
            ((each.used_at, key, each) for key, idle in self._idle.items() for each in self._spare(key, idle)),
            key=lambda entry: entry[0],
            default=None,
        )
        if found is None:
            return None
        _, key, environment = found
        self._idle[key].remove(environment)
        return environment

    def _spare(self, key: str, idle: Sequence[ExecutionEnvironment]) -> Sequence[ExecutionEnvironment]:
        """Of the idle environments of a key, the oldest first, those beyond what is kept."""
        kept = self._kept.get(key, 0)
        if not kept:
            return idle
        in_use = sum(its_key == key for its_key in self._all.values()) - len(idle)
        return idle[: max(0, len(idle) - max(0, kept - in_use))]

    def _sweep_from_now_on(self) -> None:
        with self._changed:
            if self._sweeper is None:
                self._sweeper = threading.Thread(target=self._sweep, name="functions-sweeper", daemon=True)
                self._sweeper.start()

    def _sweep(self) -> None:
        while not self._closed.wait(_LOOK_SECONDS):
            with self._changed:
                before = time.monotonic() - _IDLE_SECONDS
                old = [
                    (key, each)
                    for key, idle in self._idle.items()
                    for each in self._spare(key, idle)
                    if each.used_at < before
                ]
                for key, environment in old:
                    self._idle[key].remove(environment)
                for key in [key for key, idle in self._idle.items() if not idle]:
                    del self._idle[key]
            for _, environment in old:
                self.discard(environment)

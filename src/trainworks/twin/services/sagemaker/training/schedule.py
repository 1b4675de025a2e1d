"""Which job is looked at when: wake-ups and timers on one thread, the work on a few others.

A job is never worked on twice at once; a wake-up that comes while it is being worked on counts for afterwards. Work
that moves data says so by `LONG`, and goes on in a thread of another kind: however many jobs upload or download, and
however slowly, the states of all others go on. New jobs begin at a pace (`start_throttle.py`).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from trainworks.twin.services.sagemaker.training.start_throttle import StartThrottle

_LOG = logging.getLogger(__name__)
_THREADS = 3
_LONG_THREADS = 64
_LONGEST_SLEEP_SECONDS = 60.0
_STOP_SECONDS = 3.0


class Long:
    """What `work` returns if it has to be called again with `may_take_long`."""


LONG: Final = Long()
Work = Callable[[str, bool], "float | Long | None"]


class Schedule:
    """Calls `work(job id, may take long)` in a thread when a job is due; gives when it is due again, or None."""

    def __init__(self, work: Work, clock: Callable[[], float]) -> None:
        self._work = work
        self._clock = clock
        self._due: dict[str, float] = {}
        self._throttle = StartThrottle(len(os.sched_getaffinity(0)))
        self._busy: set[str] = set()
        self._condition = threading.Condition()
        self._stopping = False
        self._pool: ThreadPoolExecutor | None = None
        self._thread: threading.Thread | None = None
        self._long: set[threading.Thread] = set()
        self._long_waiting: deque[str] = deque()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called: what takes long looks at it."""
        return self._stopping

    def wake(self, job_id: str) -> None:
        """The job is due now."""
        with self._condition:
            self._due[job_id] = 0.0
            self._condition.notify()

    def begin(self, job_id: str) -> None:
        """A new job: due when it is its turn, or sooner if something wakes it."""
        with self._condition:
            self._throttle.add(job_id, time.monotonic())
            self._condition.notify()

    def start(self) -> None:
        self._stopping = False
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="training-job")
        self._thread = threading.Thread(target=self._run, name="training-jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End once the work in hand is done; what takes long is given some seconds, and is done again after a start."""
        with self._condition:
            self._stopping = True
            self._long_waiting.clear()
            self._condition.notify()
        if self._thread is not None and self._pool is not None:
            self._thread.join()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._thread = self._pool = None
        self._join_long(time.monotonic() + _STOP_SECONDS)

    def _join_long(self, deadline: float) -> None:
        with self._condition:
            threads = list(self._long)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            _LOG.warning("data of training jobs is still being moved; it will be moved again after the next start")

    def _run(self) -> None:
        while True:
            with self._condition:
                if self._stopping:
                    return
                now, tick = self._clock(), time.monotonic()
                for job_id in self._throttle.due(tick):
                    self._due[job_id] = 0.0
                ready = [job_id for job_id, at in self._due.items() if at <= now and job_id not in self._busy]
                for job_id in ready:
                    del self._due[job_id]
                    self._busy.add(job_id)
                if not ready:
                    waits = [at - now for job_id, at in self._due.items() if job_id not in self._busy]
                    turn = self._throttle.next_due(tick)
                    waits += [] if turn is None else [turn - tick]
                    self._condition.wait(max(0.0, min([_LONGEST_SLEEP_SECONDS, *waits])))
            for job_id in ready:
                self._submit(job_id)

    def _submit(self, job_id: str) -> None:
        if self._pool is not None:
            self._pool.submit(self._once, job_id, False)

    def _once(self, job_id: str, may_take_long: bool) -> None:
        until: float | Long | None = None
        try:
            until = self._work(job_id, may_take_long)
        finally:
            if isinstance(until, Long):
                self._take_long(job_id)
            else:
                self._done(job_id, until)

    def _done(self, job_id: str, until: float | None) -> None:
        with self._condition:
            self._busy.discard(job_id)
            if until is not None and job_id not in self._due:
                self._due[job_id] = until
            self._condition.notify()

    def _take_long(self, job_id: str) -> None:
        """Still busy: a thread of its own, as long as there are few of them, does the work and then the next one's."""
        with self._condition:
            if self._stopping:
                return
            self._long_waiting.append(job_id)
            if len(self._long) >= _LONG_THREADS:
                return
            thread = threading.Thread(target=self._run_long, name="training-data", daemon=True)
            self._long.add(thread)
        thread.start()

    def _run_long(self) -> None:
        while True:
            with self._condition:
                if not self._long_waiting:
                    self._long.discard(threading.current_thread())
                    return
                job_id = self._long_waiting.popleft()
            self._once(job_id, True)

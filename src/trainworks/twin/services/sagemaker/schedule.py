"""Which job is looked at when: wake-ups and timers on one thread, the work on a few others. An endpoint is one too.

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

from trainworks.twin.services.sagemaker.start_throttle import StartThrottle

_LOG = logging.getLogger(__name__)
_THREADS = 3
_LONG_THREADS = 64
_LONGEST_SLEEP_SECONDS = 60.0
_STOP_SECONDS = 3.0
_MOST_FAULTS = 3
_LONGEST_PAUSE_SECONDS = 30.0


class Long:
    """What `work` returns if it has to be called again with `may_take_long`."""


LONG: Final = Long()
Work = Callable[[str, bool], "float | Long | None"]
GiveUp = Callable[[str, str], None]


class Schedule:
    """Calls `work(job id, may take long)` in a thread when a job is due; it gives when it is due again, or None.

    What it raises is logged, and it is called again later; after three times in a row `give_up(job id, reason)` is
    called too. `name` is the kind of jobs (`training-job`), which its threads and what it logs are called by.
    """

    def __init__(self, name: str, work: Work, give_up: GiveUp, clock: Callable[[], float]) -> None:
        self._name = name
        self._work = work
        self._give_up = give_up
        self._faults: dict[str, int] = {}
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
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=self._name)
        self._thread = threading.Thread(target=self._run, name=f"{self._name}-schedule", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End once the work in progress is done; long work gets some seconds, and is done again after a start."""
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
            _LOG.warning("%s: data is still being moved; it will be moved again after the next start", self._name)

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
        until: float | Long | None
        try:
            until = self._work(job_id, may_take_long)
        except Exception as error:  # noqa: BLE001 - logged with its traceback, and ends the job if it stays
            _LOG.exception("the next step of %s %s failed", self._name, job_id)
            until = self._after_fault(job_id, f"InternalServerError: {type(error).__name__}: {error}")
        else:
            if not isinstance(until, Long):
                self._faults.pop(job_id, None)
        if isinstance(until, Long):
            self._take_long(job_id)
        else:
            self._done(job_id, until)

    def _after_fault(self, job_id: str, reason: str) -> float:
        """When to try again. A job that cannot even be given up is given up later."""
        faults = self._faults.get(job_id, 0) + 1
        if faults == _MOST_FAULTS:
            try:
                self._give_up(job_id, reason)
            except Exception:  # noqa: BLE001 - logged with its traceback; the job is looked at again
                _LOG.exception("%s %s could not be given up", self._name, job_id)
                faults -= 1
        self._faults[job_id] = faults
        return self._clock() + min(faults, _LONGEST_PAUSE_SECONDS)

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
            thread = threading.Thread(target=self._run_long, name=f"{self._name}-data", daemon=True)
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

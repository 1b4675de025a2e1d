"""Which job is looked at when: wake-ups and timers on one thread, the work on a few others.

A job is never worked on twice at once; a wake-up that comes while it is being worked on counts for afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_THREADS = 8
_LONGEST_SLEEP_SECONDS = 60.0


class Schedule:
    """Calls `work(job id)` in a thread when a job is due; what it returns is when the job is due again (or None)."""

    def __init__(self, work: Callable[[str], float | None], clock: Callable[[], float]) -> None:
        self._work = work
        self._clock = clock
        self._due: dict[str, float] = {}
        self._busy: set[str] = set()
        self._condition = threading.Condition()
        self._stopping = False
        self._pool: ThreadPoolExecutor | None = None
        self._thread: threading.Thread | None = None

    def wake(self, job_id: str) -> None:
        """The job is due now."""
        with self._condition:
            self._due[job_id] = 0.0
            self._condition.notify()

    def start(self) -> None:
        self._stopping = False
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="training-job")
        self._thread = threading.Thread(target=self._run, name="training-jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End once the work in hand is done."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if self._thread is not None and self._pool is not None:
            self._thread.join()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._thread = self._pool = None

    def _run(self) -> None:
        while True:
            with self._condition:
                if self._stopping:
                    return
                now = self._clock()
                ready = [job_id for job_id, at in self._due.items() if at <= now and job_id not in self._busy]
                for job_id in ready:
                    del self._due[job_id]
                    self._busy.add(job_id)
                if not ready:
                    waiting = [at for job_id, at in self._due.items() if job_id not in self._busy]
                    self._condition.wait(min([_LONGEST_SLEEP_SECONDS, *(max(0.0, at - now) for at in waiting)]))
            for job_id in ready:
                self._submit(job_id)

    def _submit(self, job_id: str) -> None:
        if self._pool is not None:
            self._pool.submit(self._once, job_id)

    def _once(self, job_id: str) -> None:
        until: float | None = None
        try:
            until = self._work(job_id)
        finally:
            with self._condition:
                self._busy.discard(job_id)
                if until is not None and job_id not in self._due:
                    self._due[job_id] = until
                self._condition.notify()

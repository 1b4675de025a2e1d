"""What training and batch jobs have in common, and how one is followed to its end.

`follow` polls: a state, then the log. It polls quickly while there is news and slowly while there is none, ends with
the job's terminal state, and reads the log once more after it. It holds nothing: leaving it leaves the job running.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeGuard

from trainworks.errors import JobError
from trainworks.jobs.clock import Clock
from trainworks.jobs.logs import LogLine, LogReader, LogStream

FASTEST_POLL_SECONDS = 0.2
SLOWEST_POLL_SECONDS = 2.0
LAST_LINES = 20
FIRST_WAITING_SECONDS = 60.0
"""So long is silence usual; after it a job that waits is said to, and each time that it has lasted twice as long."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A job reached a status: verbatim as AWS calls it, with AWS's message. A training job's secondary status."""

    status: str
    message: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A job at one moment. `transitions` is its whole way so far, oldest first; `reason` is why it ended or waits.

    `current` is the status that it is in with what AWS says of it now, where `transitions` does not tell. `waits`: it
    has no host yet; `is_blocked`: AWS says why it gets none.
    """

    status: str
    is_terminal: bool
    succeeded: bool
    reason: str = ""
    transitions: tuple[Transition, ...] = ()
    streams: tuple[LogStream, ...] = ()
    current: Transition | None = None
    waits: bool = False
    is_blocked: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job has no host: AWS says why (`seconds` is 0), or nothing has happened for so long."""

    status: str
    seconds: float


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One line of a list of jobs. `kind` is `training` or `batch`; `job_id` is what `SubmitJob` gave, if anything."""

    name: str
    kind: str
    status: str
    created_at: datetime | None = None
    ended_at: datetime | None = None
    job_id: str | None = None


class Job(Protocol):
    """A training job or a batch job."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    def snapshot(self) -> Snapshot:
        """Its state and its log streams now."""

    def log_reader(self) -> LogReader:
        """A reader at the beginning of its log."""

    @property
    def log_lag_seconds(self) -> float:
        """How long after a job's end its last lines may still arrive in Logs."""

    def facts(self) -> dict[str, object]:
        """What there is to say about it, by name, for people and as JSON."""

    def stop(self) -> None:
        """End it."""


Progress = LogLine | Transition | Waiting


@dataclass(slots=True)
class Follow:
    """Iterating yields log lines, transitions and long waits until the job's end; then `outcome` is its last snapshot.

    A status is yielded again when what AWS says of it changes.
    """

    job: Job
    clock: Clock = field(default_factory=Clock)
    outcome: Snapshot | None = None
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    _shown: Transition | None = None

    def __iter__(self) -> Iterator[Progress]:
        reader = self.job.log_reader()
        seen = 0
        pause = FASTEST_POLL_SECONDS
        silent_since, next_word = self.clock.now(), FIRST_WAITING_SECONDS
        while True:
            snapshot = self.job.snapshot()
            news = False
            for transition in snapshot.transitions[seen:]:
                news = True
                self._shown = transition
                yield transition
            seen = max(seen, len(snapshot.transitions))
            if self._is_new(snapshot.current):
                news = True
                self._shown = snapshot.current
                yield snapshot.current
                if snapshot.is_blocked:
                    yield Waiting(snapshot.current.status, 0.0)
            for line in reader.new_lines(snapshot.streams):
                news = True
                yield self._kept(line)
            if snapshot.is_terminal:
                yield from self._rest(reader)
                return
            silence = self.clock.now() - silent_since
            if news:
                silent_since, next_word = self.clock.now(), FIRST_WAITING_SECONDS
            elif snapshot.waits and silence >= next_word:
                next_word *= 2
                yield Waiting(self._shown.status if self._shown else snapshot.status, silence)
            pause = FASTEST_POLL_SECONDS if news else min(pause * 1.5, SLOWEST_POLL_SECONDS)
            self.clock.sleep(pause)

    def result(self) -> Snapshot:
        """The outcome, once followed to the end. Raises `JobError` with reason and last log lines if it failed."""
        if self.outcome is None:
            raise RuntimeError("the job was not followed to its end")
        return checked(self.job, self.outcome, list(self.last_lines))

    def _is_new(self, current: Transition | None) -> TypeGuard[Transition]:
        shown = self._shown
        return current is not None and (
            shown is None or (current.status, current.message) != (shown.status, shown.message)
        )

    def _rest(self, reader: LogReader) -> Iterator[Progress]:
        """Lines that came after the state was read, until the log has been quiet for its lag."""
        quiet_since = self.clock.now()
        while True:
            self.outcome = self.job.snapshot()
            lines = reader.new_lines(self.outcome.streams)
            for line in lines:
                yield self._kept(line)
            if lines:
                quiet_since = self.clock.now()
            elif self.clock.now() - quiet_since >= self.job.log_lag_seconds:
                return
            else:
                self.clock.sleep(FASTEST_POLL_SECONDS)

    def _kept(self, line: LogLine) -> LogLine:
        self.last_lines.append(line.message)
        return line


def wait(job: Job, clock: Clock | None = None) -> Snapshot:
    """Follow a job without showing anything. Raises `JobError` with its reason and last log lines if it failed."""
    follow = Follow(job, clock or Clock())
    for _ in follow:
        continue
    return follow.result()


def checked(job: Job, outcome: Snapshot, last_lines: list[str]) -> Snapshot:
    """`outcome` of a job that succeeded; else `JobError` with the reason and the last lines of the log."""
    if outcome.succeeded:
        return outcome
    tail = "".join(f"\n  | {line}" for line in last_lines)
    reason = f": {outcome.reason}" if outcome.reason else ""
    raise JobError(
        f"{job.kind} job {job.name} ended {outcome.status}{reason}"
        + (f"\nlast lines of its log:{tail}" if tail else ""),
        fix=f"find the cause: trainworks doctor {job.name}; all that it printed: trainworks logs {job.name}",
    )

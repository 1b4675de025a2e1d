"""What jobs of all kinds have in common, and how one is followed to its end.

`follow` polls: a state, then the log. It polls quickly while there is news and slowly while there is none, ends with
the job's terminal state, and reads the log once more after it. It holds nothing: leaving it leaves the job running.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeGuard

from trainworks.errors import JobError
from trainworks.jobs.artifacts import Artifact, Downloaded, Tell, download, silent
from trainworks.jobs.clock import Clock
from trainworks.jobs.logs import LogLine, LogReader, LogStream

if TYPE_CHECKING:
    from trainworks.jobs.connection import Connection
    from trainworks.jobs.metrics import MetricSeries

FASTEST_POLL_SECONDS = 0.2
SLOWEST_POLL_SECONDS = 2.0
LAST_LINES = 20
FIRST_WAITING_SECONDS = 60.0
"""A job that waits is silent for this long before a line says that it waits, and again each time it doubles."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A job reached a status: verbatim as AWS calls it, with AWS's message. A training job's secondary status."""

    status: str
    message: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """A job at one point in time. `transitions` is its whole way so far, oldest first; `reason` is why it ended or
    waits.

    `current` is the status that it is in with what AWS says about it now, where `transitions` does not tell. `waits`:
    it has no host yet; `is_blocked`: AWS says why it gets none.
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
    """A job has no host: AWS says why (`seconds` is 0), or nothing has happened for this long."""

    status: str
    seconds: float


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One line of a list of jobs.

    `kind` is a name of the table of kinds; `job_id` is AWS's id, if it has one besides the name.
    """

    name: str
    kind: str
    status: str
    created_at: datetime | None = None
    ended_at: datetime | None = None
    job_id: str | None = None


class Followed(Protocol):
    """What following a job asks of it."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    def snapshot(self) -> JobSnapshot:
        """Its state and its log streams now."""

    def log_reader(self) -> LogReader:
        """A reader at the beginning of its log."""

    @property
    def log_lag_seconds(self) -> float:
        """How long after a job's end its last lines may still arrive in Logs."""


class Job(ABC):
    """A job of any kind. Every method asks the API; nothing is kept."""

    __slots__ = ()
    kind: ClassVar[str]
    """What the table of kinds calls it."""
    name: str
    connection: Connection

    @property
    def log_lag_seconds(self) -> float:
        """How long after a job's end its last lines may still arrive in Logs."""
        return self.connection.log_lag_seconds

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """AWS's description as it is. Raises `RequestError` if there is no such job."""

    @abstractmethod
    def facts(self) -> dict[str, object]:
        """What is known about it, by name, for people and as JSON."""

    @abstractmethod
    def snapshot(self) -> JobSnapshot:
        """Its state and its log streams now."""

    @abstractmethod
    def metrics(self) -> list[MetricSeries]:
        """Its metrics over time. Raises `RequestError` if AWS has none for this kind."""

    @abstractmethod
    def artifacts(self) -> list[Artifact]:
        """What it has left in S3 so far, as `download` fetches it."""

    @abstractmethod
    def stop(self) -> None:
        """End it as AWS does: SIGTERM, a grace, SIGKILL."""

    @abstractmethod
    def interrupt(self, notice_seconds: float = 120.0) -> list[str]:
        """A spot interruption, on the twin only: SIGTERM now, the end of its instances after the notice.

        Returns the ids of the instances. Raises `RequestError` on AWS, and for a job that runs on none.
        """

    def log_reader(self, tail: int | None = None, since: datetime | None = None) -> LogReader:
        """A reader of its log: from the beginning, from `since` on, or from its last `tail` lines on."""
        return LogReader(self.connection.client("logs"), tail=tail, since=since)

    def read_log(self, tail: int | None = None, since: datetime | None = None) -> Iterator[LogLine]:
        """The lines that its log has now; of them the last `tail`, or those from `since` on. What is written while it
        is read is not waited for. Lines of several instances are in order of time a part at a time.
        """
        asked = time.time()
        reader, streams = self.log_reader(tail, since), self.snapshot().streams
        lines = reader.new_lines(streams)  # whatever their times: this machine's clock may be behind AWS's
        while lines:
            yield from lines
            lines = reader.new_lines(streams)
            if lines and lines[0].timestamp > asked:
                return

    def logs(self, tail: int | None = None, since: datetime | None = None) -> list[LogLine]:
        """The lines that its log has now, in order of time; of them the last `tail`, or those from `since` on."""
        return sorted(self.read_log(tail, since), key=lambda line: line.timestamp)

    def download(self, folder: Path | str, tell: Tell = silent) -> list[Downloaded]:
        """Fetch what it has left in S3 to a folder: `model/`, `output/`, `predictions/`, archives unpacked.

        Raises `JobError` if it has no results, `RequestError` if the folder is in use.
        """
        found = self.artifacts()
        if not found:
            raise JobError(
                f"{self.kind} job {self.name} has nothing in S3 to fetch; it is {self.snapshot().status}",
                fix=f"trainworks logs {self.name}",
            )
        return download(self.connection.client("s3"), found, Path(folder), tell)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs of a list are wanted. Empty means all; `statuses` are AWS's words, in any case of letters."""

    kinds: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    name_contains: str = ""
    since: datetime | None = None
    name_prefix: str = ""

    def status_among(self, known: Iterable[str]) -> list[str]:
        """Those of a kind's statuses that are wanted."""
        asked = {each.lower() for each in self.statuses}
        return [each for each in known if not asked or each.lower() in asked]

    def takes(self, job: JobSummary) -> bool:
        """Whether a job of a wanted kind is one of them."""
        return (
            bool(self.status_among([job.status]))
            and self.name_contains.lower() in job.name.lower()
            and job.name.startswith(self.name_prefix)
            and (self.since is None or job.created_at is None or job.created_at >= self.since)
        )


Progress = LogLine | Transition | Waiting


@dataclass(slots=True)
class Follow:
    """Iterating yields log lines, transitions and long waits until the job's end; then `outcome` is its last snapshot.

    `reader` reads the log from elsewhere than its beginning. A status is yielded again when what AWS says about it
    changes.
    """

    job: Followed
    clock: Clock = field(default_factory=Clock)
    reader: LogReader | None = None
    outcome: JobSnapshot | None = None
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    _shown: Transition | None = None

    def __iter__(self) -> Iterator[Progress]:
        reader = self.reader or self.job.log_reader()
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

    def result(self) -> JobSnapshot:
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


def wait(job: Followed, clock: Clock | None = None) -> JobSnapshot:
    """Follow a job without showing anything. Raises `JobError` with its reason and last log lines if it failed."""
    follow = Follow(job, clock or Clock())
    for _ in follow:
        continue
    return follow.result()


def checked(job: Followed, outcome: JobSnapshot, last_lines: list[str]) -> JobSnapshot:
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

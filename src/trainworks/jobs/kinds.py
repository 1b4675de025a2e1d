"""The table of job kinds: how a job of each is found and listed. All else is what `Job` says about every job.

name --> find_job --> Job: describe, snapshot, logs, metrics, artifacts, stop, interrupt
         newest_jobs --> JobSummary of all kinds, newest first --> listed_job --> Job
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from itertools import islice

from trainworks.errors import RequestError
from trainworks.jobs.batch import BatchJob, find_batch_job, newest_batch_jobs
from trainworks.jobs.connection import Connection
from trainworks.jobs.job import Job, JobFilter, JobSummary
from trainworks.jobs.training import TrainingJob, find_training_job, newest_training_jobs
from trainworks.states.batch_job import JobStatus
from trainworks.states.training_job import TrainingJobStatus

_LARGEST_PAGE = 100
_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class JobKind:
    """One kind. `find` gives the job of a name or id, or None; `newest` lists what is wanted, a page at a time.

    `listed` gives the job of a line of that list.
    """

    name: str
    statuses: tuple[str, ...]
    find: Callable[[Connection, str], Job | None]
    newest: Callable[[Connection, JobFilter, int], Iterator[JobSummary]]
    listed: Callable[[Connection, JobSummary], Job]


KINDS: tuple[JobKind, ...] = (
    JobKind(
        TrainingJob.kind,
        tuple(TrainingJobStatus),
        find_training_job,
        newest_training_jobs,
        lambda connection, found: TrainingJob(found.name, connection),
    ),
    JobKind(
        BatchJob.kind,
        tuple(JobStatus),
        find_batch_job,
        newest_batch_jobs,
        lambda connection, found: BatchJob(str(found.job_id), found.name, connection),
    ),
)
"""In the order in which a name is looked for."""


def kind_names() -> str:
    """`training or batch`, for sentences."""
    return " or ".join(kind.name for kind in KINDS)


def find_job(connection: Connection, name: str) -> Job:
    """The job with this name or id, of the first kind that has it. Raises `RequestError` if none has."""
    for kind in KINDS:
        if name and (job := kind.find(connection, name)) is not None:
            return job
    raise RequestError(
        f"there is no {kind_names()} job {name!r} in environment {connection.environment.name!r}",
        fix="see what there is: trainworks jobs",
    )


def newest_jobs(connection: Connection, limit: int, wanted: JobFilter) -> list[JobSummary]:
    """The newest jobs that are wanted, of all kinds. Raises `RequestError` for a kind or status that no job has."""
    _check_words("kind", wanted.kinds, [kind.name for kind in KINDS])
    _check_words("status", wanted.statuses, dict.fromkeys(each for kind in KINDS for each in kind.statuses))
    lists = [
        filter(wanted.takes, kind.newest(connection, wanted, min(limit, _LARGEST_PAGE)))
        for kind in KINDS
        if not wanted.kinds or kind.name in wanted.kinds
    ]
    return list(islice(merge(*lists, key=lambda each: each.created_at or _EARLIEST, reverse=True), limit))


def listed_job(connection: Connection, found: JobSummary) -> Job:
    """The job of a line of `newest_jobs`; the list has all that is needed, so AWS is not asked again."""
    [kind] = (kind for kind in KINDS if kind.name == found.kind)
    return kind.listed(connection, found)


def _check_words(what: str, asked: Iterable[str], known: Iterable[str]) -> None:
    words = {each.lower(): each for each in known}
    for each in asked:
        if each.lower() not in words:
            raise RequestError(f"no job has the {what} {each!r}", fix=f"one of {', '.join(words.values())}")

"""A job's row as a frozen record, and the one place that says how it may change."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, NamedTuple

from trainworks.states.batch_job import NEXT, TERMINAL
from trainworks.twin.store.queries import load_queries

SQL = load_queries("trainworks.twin.services.batch")


class Job(NamedTuple):
    """One row of `batch_job`: a job, an array parent (`array_size`) or an array child (`parent_id`, `array_index`).

    A named tuple, in the order of the table's columns: thousands are read, changed and written in one transaction.
    """

    seq: int
    job_id: str
    spec_id: str
    parent_id: str | None
    array_index: int | None
    array_size: int | None
    unfinished: int
    failed: int
    queue_arn: str
    compute_environment_arn: str | None
    status: str
    status_reason: str | None
    waiting_on: int
    attempt: int
    dispatched: int
    blocked_at: int | None
    vcpus: float
    created_at: int
    started_at: int | None
    stopped_at: int | None
    instance_id: str | None
    exit_code: int | None
    reason: str | None
    previous_attempts: str | None
    ended_by: str | None
    end_reason: str | None

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def is_array_parent(self) -> bool:
        return self.array_size is not None

    def evolve(self, **changes: Any) -> Job:
        """The job with `changes`; raises `ValueError` for a status that may not follow."""
        status = changes.get("status", self.status)
        if status != self.status and status not in NEXT.get(self.status, ()):
            raise ValueError(f"Batch job {self.job_id} cannot go from {self.status} to {status}")
        return self._replace(**changes)


def job_of(row: Iterable[Any]) -> Job:
    """The job of a row's columns."""
    return Job._make(row)


def load_jobs(tx: Connection, job_ids: Iterable[str]) -> dict[str, Job]:
    """The jobs of these ids that exist, by id."""
    rows = tx.execute(SQL["jobs_by_id"], (json.dumps(list(job_ids)),))
    return {row["job_id"]: job_of(row) for row in rows}


def load_job(tx: Connection, job_id: str) -> Job | None:
    row = tx.execute(SQL["job_by_id"], (job_id,)).fetchone()
    return job_of(row) if row else None


def save_jobs(tx: Connection, jobs: Iterable[Job]) -> None:
    """Write all that can change of these jobs."""
    tx.executemany(SQL["job_update"], jobs)


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a job was submitted with, merged with its definition. The JSON members are botocore's shapes."""

    job_name: str
    definition_arn: str
    container: Mapping[str, Any]
    vcpus: float
    memory_mib: int
    gpus: int
    retry_strategy: Mapping[str, Any]
    timeout_seconds: int | None
    parameters: Mapping[str, str]
    depends_on: Sequence[Mapping[str, str]]
    sequential: bool
    tags: Mapping[str, str]
    propagate_tags: bool | None
    platform_capabilities: Sequence[str]
    caller: Mapping[str, Any]
    share_identifier: str | None = None
    scheduling_priority: int | None = None
    overrides_chars: int = 0
    """How long the overrides are that ECS gets with each task of the job."""

    def to_json(self) -> str:
        return json.dumps({field.name: getattr(self, field.name) for field in dataclasses.fields(self)})


def load_spec(tx: Connection, spec_id: str) -> JobSpec:
    """The stored spec; a job without one is a broken database (`LookupError`)."""
    row = tx.execute(SQL["spec_by_id"], (spec_id,)).fetchone()
    if row is None:
        raise LookupError(f"Batch job {spec_id} has no stored spec")
    return JobSpec(**json.loads(row["spec"]))

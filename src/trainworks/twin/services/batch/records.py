"""A job's row and its spec as frozen records. `Job.evolve` is the one place that says which status may follow.

Rows are read here and written by `ledger.py`.
"""

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

STOP_GRACE_SECONDS = 30.0
"""The time between SIGTERM and SIGKILL when a job is terminated or its queue deleted."""
_SPECS_IN_MEMORY = 4_000


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


class Specs:
    """Specs by id. They never change, so the newest stay in memory."""

    def __init__(self) -> None:
        self._specs: dict[str, JobSpec] = {}

    def of(self, tx: Connection, spec_id: str) -> JobSpec:
        """A job without a spec is a broken database: `LookupError`."""
        spec = self._specs.get(spec_id)
        if spec is None:
            if len(self._specs) >= _SPECS_IN_MEMORY:
                for old in list(self._specs)[: _SPECS_IN_MEMORY // 2]:
                    self._specs.pop(old, None)
            spec = self._specs[spec_id] = _load_spec(tx, spec_id)
        return spec


def _load_spec(tx: Connection, spec_id: str) -> JobSpec:
    row = tx.execute(SQL["spec_by_id"], (spec_id,)).fetchone()
    if row is None:
        raise LookupError(f"Batch job {spec_id} has no stored spec")
    return JobSpec(**json.loads(row["spec"]))

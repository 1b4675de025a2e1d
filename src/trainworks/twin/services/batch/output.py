"""Where the output of jobs goes: a file of each attempt on this machine, from there to a stream in Logs.

One caller writes for all that was launched together: the execution role's session, kept with the spec, so that a server
that starts again goes on as the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from sqlite3 import Connection

from trainworks.twin.ports import Caller
from trainworks.twin.services.batch.arns import ecs_task_id, name_of, task_id
from trainworks.twin.services.batch.records import SQL, Job, JobSpec, Specs
from trainworks.twin.services.logship import LogShipper, LogSource

DEFAULT_LOG_GROUP = "/aws/batch/job"
_CALLERS_IN_MEMORY = 4_000


class Output:
    """The log files below `jobs_dir`, and their way to Logs."""

    def __init__(self, shipper: LogShipper, jobs_dir: Path, specs: Specs) -> None:
        self._shipper = shipper
        self._jobs_dir = jobs_dir
        self._specs = specs
        self._callers: dict[str, Caller | None] = {}

    def folder(self, spec_id: str) -> Path:
        """Where the files of a job, or of all children of an array, are."""
        return self._jobs_dir / "batch" / spec_id

    def file(self, job: Job) -> Path:
        """The file of the job's present attempt."""
        index = "job" if job.array_index is None else str(job.array_index)
        return self.folder(job.spec_id) / f"{index}.{job.attempt}.log"

    def write_as(self, tx: Connection, spec_id: str, caller: Caller) -> None:
        """From now on the logs of these jobs are written by `caller`."""
        tx.execute(SQL["log_caller_put"], {"spec_id": spec_id, "caller": json.dumps(asdict(caller))})
        self._callers.pop(spec_id, None)

    def follow(self, tx: Connection, started: Mapping[str, Job], ended: Collection[str]) -> None:
        """Follow the output of tasks that started; what also ended by now, without a byte of output, costs nothing."""
        sources = [
            self._source(tx, job, self._specs.of(tx, job.spec_id))
            for task, job in started.items()
            if task not in ended or _has_output(self.file(job))
        ]
        self._shipper.follow(tx, sources)

    def finish(self, tx: Connection, tasks: Collection[str], note: Callable[[str], str]) -> Collection[str]:
        """These tasks print nothing more. Gives those whose output is all in Logs now; the shipper tells of each of
        the others, with its `note`, when that is so."""
        return self._shipper.finish(tx, tasks, note)

    def _source(self, tx: Connection, job: Job, spec: JobSpec) -> LogSource:
        return LogSource(
            task_id=task_id(job.job_id, job.attempt),
            path=self.file(job),
            log_group=log_group_of(spec),
            log_stream=log_stream_of(spec, job.job_id, job.attempt),
            caller=self._caller(tx, job.spec_id),
        )

    def _caller(self, tx: Connection, spec_id: str) -> Caller | None:
        if spec_id not in self._callers:
            if len(self._callers) >= _CALLERS_IN_MEMORY:
                self._callers.clear()
            row = tx.execute(SQL["log_caller"], (spec_id,)).fetchone()
            self._callers[spec_id] = Caller(**json.loads(row["caller"])) if row and row["caller"] else None
        return self._callers[spec_id]


def log_group_of(spec: JobSpec) -> str:
    options = spec.container.get("logConfiguration", {}).get("options", {})
    return str(options.get("awslogs-group", DEFAULT_LOG_GROUP))


def log_stream_of(spec: JobSpec, job_id: str, attempt: int) -> str:
    """`<prefix>/default/<ECS task id>`; the prefix is the definition's name where none is configured."""
    options = spec.container.get("logConfiguration", {}).get("options", {})
    definition_name = name_of(spec.definition_arn).partition(":")[0]
    return f"{options.get('awslogs-stream-prefix', definition_name)}/default/{ecs_task_id(job_id, attempt)}"


def _has_output(log_file: Path) -> bool:
    try:
        return log_file.stat().st_size > 0
    except FileNotFoundError:
        return False

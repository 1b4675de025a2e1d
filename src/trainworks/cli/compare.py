"""`trainworks compare A B ...`: what jobs were given, what came out, their duration and cost, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from trainworks.cli.completion import job_names
from trainworks.cli.jobs_view import comparison_of, figure, seconds_text, shown
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit
from trainworks.errors import RequestError

app = typer.Typer(no_args_is_help=True)

_ASKED = (
    "kind",
    "status",
    "image",
    "instance_type",
    "instance_count",
    "managed_spot",
    "vcpus",
    "memory_mib",
    "array_size",
)
_SECONDS = {"training": "training_seconds", "batch": "run_seconds"}
_MOST_JOBS = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One fact of all jobs: `group` is `hyperparameter`, `metric`, or nothing."""

    group: str
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """Jobs side by side, for people."""

    names: tuple[str, ...]
    rows: tuple[Row, ...]


@app.command("compare", no_args_is_help=True)
def compare(
    names: Annotated[list[str], typer.Argument(metavar="JOB JOB ...", help="names of jobs", autocompletion=job_names)],
    environment: EnvironmentOption = "local",
    output: OutputOption = Output.TEXT,
) -> None:
    """Put jobs side by side: hyperparameters, metrics, duration and cost. `=` marks in what they agree."""
    from trainworks.cli.job_cost import cost_facts
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.kinds import find_job

    if not 2 <= len(names) <= _MOST_JOBS:
        raise RequestError(f"{len(names)} jobs cannot be compared", fix=f"name 2 to {_MOST_JOBS} jobs")
    connection = open_connection(environment)
    jobs = [find_job(connection, name) for name in names]
    described = [record_of(job.facts()) | {"cost": cost_facts(job, connection, output).get("cost")} for job in jobs]
    emit(output, described, lambda: comparison_of(compared(described)))


def record_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is compared of one job, as data."""
    return {
        "name": facts["name"],
        **{key: facts[key] for key in _ASKED if key in facts},
        "interruptions": facts.get("interruptions"),
        "hyperparameters": facts.get("hyperparameters") or {},
        "metrics": facts.get("metrics") or {},
        "seconds": facts.get(_SECONDS.get(facts["kind"], "")),
        "billable_seconds": facts.get("billable_seconds"),
        "spot_savings_percent": facts.get("spot_savings_percent"),
    }


def compared(described: Sequence[Mapping[str, Any]]) -> Compared:
    """Records as rows, without facts that no job has."""
    rows = tuple(row for row in _rows(described) if any(row.values))
    return Compared(tuple(each["name"] for each in described), rows)


def _rows(described: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    for key in _ASKED:
        yield Row("", key.replace("_", " "), tuple(shown(each.get(key)) for each in described))
    for group, key in (("hyperparameter", "hyperparameters"), ("metric", "metrics")):
        for name in dict.fromkeys(name for each in described for name in each[key]):
            values = (each[key].get(name) for each in described)
            yield Row(group, name, tuple("" if value is None else figure(value) for value in values))
    for name, key in (("took", "seconds"), ("billed", "billable_seconds")):
        yield Row("", name, tuple("" if each[key] is None else seconds_text(each[key]) for each in described))
    yield Row("", "interruptions", tuple(str(each["interruptions"] or "") for each in described))
    saved = (each["spot_savings_percent"] for each in described)
    yield Row("", "spot savings", tuple("" if percent is None else f"{percent} %" for percent in saved))
    yield Row("", "cost", tuple(str(each["cost"] or "").partition(" (")[0] for each in described))

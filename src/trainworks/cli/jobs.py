"""`trainworks jobs | describe | logs | stop | metrics`: training and batch jobs by one space of names."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType

from trainworks.cli.addressed import addressed
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit, facts, print_json, records, stderr

if TYPE_CHECKING:
    from trainworks.jobs.job import JobSummary
    from trainworks.jobs.metrics import MetricSeries

app = typer.Typer(no_args_is_help=True)

_Name = Annotated[str, typer.Argument(metavar="JOB", help="the name of a job, or the id of a batch job")]
_BARS = "▁▂▃▄▅▆▇█"


@app.command("jobs")
def jobs(
    environment: EnvironmentOption = "local",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="how many, newest first")] = 20,
    cost: Annotated[bool, typer.Option("--cost", help="also what each cost; describes each job")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """List training and batch jobs, newest first."""
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.job import Wanted
    from trainworks.jobs.kinds import find_job, newest_jobs

    connection = open_connection(environment)
    found = newest_jobs(connection, limit, Wanted())
    if not cost:
        emit(output, [asdict(each) for each in found], lambda: _list_of(found))
        return
    from trainworks.cli.job_cost import cost_facts

    costs = [
        cost_facts(find_job(connection, each.job_id or each.name), connection, output).get("cost") for each in found
    ]
    records = [asdict(each) | {"cost": paid} for each, paid in zip(found, costs, strict=True)]
    emit(output, records, lambda: _list_of(found, [str(paid or "").partition(" (")[0] for paid in costs]))


@app.command("describe", no_args_is_help=True)
def describe(name: _Name, environment: EnvironmentOption = "local", output: OutputOption = Output.TEXT) -> None:
    """Show one job: status, times, what spot saved, artefacts, metrics, its way through the statuses."""
    from trainworks.application.made_images import made_images
    from trainworks.cli.job_cost import cost_facts
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.kinds import find_job

    connection = open_connection(environment)
    job = find_job(connection, name)
    described = job.facts()
    if connection.environment.is_twin and (image_uri := described.get("image")):
        for made in made_images(str(image_uri)) or []:
            described |= {"image_environment": made.line if output is Output.TEXT else asdict(made)}
    described |= cost_facts(job, connection, output)
    emit(output, described, lambda: _facts_of(described))


@app.command("logs", no_args_is_help=True)
def logs(
    name: _Name,
    environment: EnvironmentOption = "local",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="go on until the job ends; its failure is exit code 1")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print a job's log: what is there, or with -f until the job's end. Ctrl-C leaves the job running."""
    from trainworks.cli.follow import has_several_logs, log_line, show
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.kinds import find_job

    job = find_job(open_connection(environment), name)
    if follow:
        show(job, output)
        return
    snapshot = job.snapshot()
    lines = job.log_reader().new_lines(snapshot.streams)
    if output is Output.JSON:
        print_json([asdict(line) for line in lines])
        return
    labelled = has_several_logs(job)
    for line in lines:
        sys.stdout.write(log_line(line, labelled))
    if not lines:
        stderr().print(f"{name} is {snapshot.status} and has written nothing yet. {snapshot.reason}".strip())


@app.command("stop", no_args_is_help=True)
def stop(
    name: _Name,
    environment: EnvironmentOption = "local",
    wait: Annotated[bool, typer.Option("--wait", "-w", help="return when the job has ended")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Stop a job: SIGTERM, then after AWS's grace SIGKILL. What a training job has in /opt/ml/model is kept."""
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.job import Follow
    from trainworks.jobs.kinds import find_job

    job = find_job(open_connection(environment), name)
    job.stop()
    if wait:
        for _ in Follow(job):
            continue
    status = job.snapshot().status
    emit(output, {"name": job.name, "kind": job.kind, "status": status}, lambda: f"{job.name}: {status}")


@app.command("metrics", no_args_is_help=True)
def metrics(name: _Name, environment: EnvironmentOption = "local", output: OutputOption = Output.TEXT) -> None:
    """Show the metrics of a training job: its own, and those of its hosts."""
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.kinds import find_job

    found = find_job(open_connection(environment), name).metrics()
    if not found and output is Output.TEXT:
        stderr().print(f"{name} has no metrics yet; CloudWatch shows them about a minute after they were logged")
        return
    emit(output, [asdict(each) for each in found], lambda: _metrics_table(found))


def _list_of(found: list[JobSummary], costs: list[str] | None = None) -> RenderableType:
    now = datetime.now(UTC)
    rows = [
        (each.name, each.kind, each.status, age(each.created_at, now), _duration(each.created_at, each.ended_at))
        for each in found
    ]
    columns = ("job", "kind", "status", "age", "took")
    if costs is not None and rows:
        return records((*columns, "cost"), [(*row, cost) for row, cost in zip(rows, costs, strict=True)])
    return records(columns, rows) if rows else addressed("no jobs yet: trainworks train SCRIPT")


def _facts_of(described: dict[str, object]) -> RenderableType:
    plain = {
        name.replace("_", " "): _shown(value)
        for name, value in described.items()
        if name not in ("transitions", "metrics") and value is not None
    }
    parts: list[RenderableType] = [facts(plain)]
    measured = described.get("metrics")
    if isinstance(measured, dict) and measured:
        parts += ["", records(("metric", "final value"), [(name, f"{value:.6g}") for name, value in measured.items()])]
    way = described.get("transitions")
    if isinstance(way, list) and way:
        rows = [(str(each["status"]), _clock_time(each["at"]), str(each["message"])) for each in way]
        parts += ["", records(("secondary status", "since", "message"), rows, prose=("message",))]
    return Group(*parts)


def _metrics_table(found: list[MetricSeries]) -> RenderableType:
    rows = []
    for series in found:
        values = [point.value for point in series.points]
        figures = [f"{value:.4g}" for value in (values[-1], min(values), max(values))]
        rows.append((series.name, series.host or "", str(len(values)), *figures, sparkline(values)))
    return records(("metric", "host", "points", "last", "min", "max", ""), rows)


def sparkline(values: list[float], width: int = 24) -> str:
    """Values over time as bars, averaged into at most `width` of them."""
    if len(values) > width:
        edges = [index * len(values) // width for index in range(width + 1)]
        values = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(values), max(values)
    span = high - low
    return "".join(_BARS[round((value - low) / span * (len(_BARS) - 1)) if span else 0] for value in values)


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone():%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit of which there are two; `--output json` has the time itself."""
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _clock_time(moment: object) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if isinstance(moment, datetime) else ""


def _duration(start: datetime | None, end: datetime | None) -> str:
    if start is None:
        return ""
    seconds = ((end or datetime.now(UTC)) - start).total_seconds()
    text = f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
    return text if end else f"{text}, so far"

"""jobs, describe, logs, metrics, stop, interrupt, download: jobs of all kinds by one space of names."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainworks.cli.completion import job_names
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit, print_json, records, stderr

if TYPE_CHECKING:
    from trainworks.cost.prices import PriceTable
    from trainworks.jobs.connection import Connection
    from trainworks.jobs.job import Job, JobSummary

app = typer.Typer(no_args_is_help=True)

JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", help="the name of a job, or the id of a batch job", autocompletion=job_names)
]
_Since = Annotated[
    str | None, typer.Option("--since", metavar="AGE", help="only what is newer than this: 90s, 30m, 12h, 7d or 2w")
]


@app.command("jobs")
def jobs(  # noqa: PLR0917 - one parameter an option
    environment: EnvironmentOption = "local",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="how many to show, newest first")] = 20,
    statuses: Annotated[
        list[str] | None, typer.Option("--status", "-s", help="only with this status, in AWS's words; may be repeated")
    ] = None,
    kinds: Annotated[list[str] | None, typer.Option("--kind", "-k", help="training or batch; may be repeated")] = None,
    name: Annotated[str, typer.Option("--name", help="only jobs whose name contains this")] = "",
    since: _Since = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metric", "-m", help="also this metric's last value; one more call for each job"),
    ] = None,
    cost: Annotated[bool, typer.Option("--cost", help="also what each cost; one more call for each job")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """List jobs, newest first.

    trainworks jobs --status Failed --since 2d     trainworks jobs --name digits --metric test_accuracy
    """
    from trainworks.cli import jobs_view as view
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.job import JobFilter
    from trainworks.jobs.kinds import newest_jobs

    wanted = JobFilter(frozenset(kinds or ()), frozenset(statuses or ()), name, _moment(since))
    connection = open_connection(environment)
    found = newest_jobs(connection, limit, wanted)
    prices = None
    if cost:
        from trainworks.cost.price_files import load_prices

        prices = load_prices(connection.environment.region)
    more = [_more_of(connection, each, metrics, prices, output) for each in found]
    if output is Output.JSON:
        print_json([asdict(each) | further for each, further in zip(found, more, strict=True)])
        return
    columns = {name: [view.figure(each["metrics"].get(name, "")) for each in more] for name in metrics or ()}
    if cost:
        columns["cost"] = [view.cost_cell(each["cost"]) for each in more]
    emit(output, found, lambda: view.list_of(found, columns, wanted != JobFilter()))


def _more_of(
    connection: Connection, found: JobSummary, metrics: list[str] | None, prices: PriceTable | None, output: Output
) -> dict[str, Any]:
    """What only a job's description tells, if it is asked for: its cost where there are prices."""
    if not metrics and prices is None:
        return {}
    from trainworks.cli.job_cost import cost_facts
    from trainworks.jobs.kinds import listed_job

    job = listed_job(connection, found)
    facts = job.facts()
    more: dict[str, Any] = {}
    if metrics:
        measured = facts.get("metrics")
        more["metrics"] = measured if isinstance(measured, dict) else {}
    if prices is not None:
        more["cost"] = cost_facts(job, facts, connection, prices, output).get("cost")
    return more


@app.command("describe", no_args_is_help=True)
def describe(name: JobArgument, environment: EnvironmentOption = "local", output: OutputOption = Output.TEXT) -> None:
    """Show one job: status, times, what spot saved, artefacts, metrics, its way through the statuses."""
    from trainworks.application.made_images import made_images
    from trainworks.cli import jobs_view as view
    from trainworks.cli.image_view import image_line
    from trainworks.cli.job_cost import cost_facts
    from trainworks.cost.price_files import load_prices

    connection, job = _found(environment, name)
    described = job.facts()
    if connection.environment.is_twin and (image_uri := described.get("image")):
        for made in made_images(str(image_uri)) or []:
            described |= {"image_environment": image_line(made) if output is Output.TEXT else asdict(made)}
    described |= cost_facts(job, described, connection, load_prices(connection.environment.region), output)
    emit(output, described, lambda: view.facts_of(described))


@app.command("logs", no_args_is_help=True)
def logs(  # noqa: PLR0917 - one parameter an option
    name: JobArgument,
    environment: EnvironmentOption = "local",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="go on until the job ends; its failure is exit code 1")
    ] = False,
    tail: Annotated[int | None, typer.Option("--tail", "-n", min=0, help="only this many of the last lines")] = None,
    since: _Since = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print a job's log: what is there, or with -f until the job's end. Ctrl-C leaves the job running."""
    from trainworks.cli.follow import has_several_logs, log_line, show

    _, job = _found(environment, name)
    moment = _moment(since)
    if follow:
        show(job, output, job.log_reader(tail, moment))
        return
    if output is Output.JSON:
        print_json([asdict(line) for line in job.logs(tail, moment)])
        return
    labelled = has_several_logs(job)
    empty = True
    for line in job.read_log(tail, moment):
        empty = False
        sys.stdout.write(log_line(line, labelled))
    if empty and tail != 0:
        snapshot = job.snapshot()
        written = f"nothing since {since} ago" if since else "nothing yet"
        stderr().print(f"{name} is {snapshot.status} and has written {written}. {snapshot.reason}".strip())


@app.command("metrics", no_args_is_help=True)
def metrics(name: JobArgument, environment: EnvironmentOption = "local", output: OutputOption = Output.TEXT) -> None:
    """Show the metrics of a training job: its own, and those of its instances (CPU, memory, disk, GPU)."""
    from trainworks.cli import jobs_view as view

    found = _found(environment, name)[1].metrics()
    if not found and output is Output.TEXT:
        stderr().print(f"{name} has no metrics yet; CloudWatch shows them about a minute after they were logged")
        return
    emit(output, [asdict(each) for each in found], lambda: view.metrics_table(found))


@app.command("stop", no_args_is_help=True)
def stop(
    name: JobArgument,
    environment: EnvironmentOption = "local",
    wait: Annotated[bool, typer.Option("--wait", "-w", help="return when the job has ended")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Stop a job: SIGTERM, then after AWS's grace SIGKILL. What a training job has in /opt/ml/model is kept."""
    from trainworks.jobs.job import Follow

    _, job = _found(environment, name)
    job.stop()
    if wait:
        for _each in Follow(job):
            continue
    status = job.snapshot().status
    emit(output, {"name": job.name, "kind": job.kind, "status": status}, lambda: f"{job.name}: {status}")


@app.command("interrupt", no_args_is_help=True)
def interrupt(
    name: JobArgument,
    environment: EnvironmentOption = "local",
    notice: Annotated[
        float, typer.Option("--notice", min=0, max=120, help="seconds from SIGTERM to the end of the instance")
    ] = 120.0,
    output: OutputOption = Output.TEXT,
) -> None:
    """Take the spot instances of a job away, as AWS does when it needs them; on the twin only.

    The job gets SIGTERM now, its instances end after the notice, and it goes on from its last checkpoint on new ones.
    """
    _, job = _found(environment, name)
    instance_ids = job.interrupt(notice)
    record = {"name": job.name, "kind": job.kind, "instance_ids": instance_ids, "notice_seconds": notice}
    instances = f"instance{'s' if len(instance_ids) > 1 else ''} {', '.join(instance_ids)}"
    text = f"{job.name} is interrupted: SIGTERM now, the end of {instances} in {notice:g} s"
    emit(output, record, lambda: text)


@app.command("download", no_args_is_help=True)
def download(
    name: JobArgument,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="the folder to fetch into; by default the job's name")
    ] = None,
    environment: EnvironmentOption = "local",
    output: OutputOption = Output.TEXT,
) -> None:
    """Fetch the results of a job from S3: the model and output of a training job, unpacked; what a batch job wrote.

    DIR/model/, DIR/output/ and DIR/predictions/ are made; nothing is overwritten.
    """
    from trainworks.cli.transfers import shown_bytes, transfer_bars

    _, job = _found(environment, name)
    with transfer_bars(output) as tell:
        fetched = job.download(folder or Path(job.name), tell)
    record = {"name": job.name, "kind": job.kind, "artifacts": [asdict(each) for each in fetched]}
    rows = [(str(each.folder), str(each.files), shown_bytes(each.bytes), each.uri) for each in fetched]
    emit(output, record, lambda: records(("folder", "files", "size", "from"), rows))


def _found(environment: str, name: str) -> tuple[Connection, Job]:
    from trainworks.jobs.connection import open_connection
    from trainworks.jobs.kinds import find_job

    connection = open_connection(environment)
    return connection, find_job(connection, name)


def _moment(age: str | None) -> datetime | None:
    """The time that was this long ago. Raises `ConfigurationError` for what is not an age."""
    if age is None:
        return None
    from trainworks.config.age import parse_age

    now = datetime.now(UTC)
    return now - timedelta(seconds=min(parse_age(age), now.timestamp()))  # no job is older than the epoch

"""`trainworks compare A B ...`: what jobs were given, what came out, their duration and cost, side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from trainworks.cli.completion import job_names
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit

app = typer.Typer(no_args_is_help=True)


@app.command("compare", no_args_is_help=True)
def compare(
    names: Annotated[list[str], typer.Argument(metavar="JOB JOB ...", help="names of jobs", autocompletion=job_names)],
    environment: EnvironmentOption = "local",
    output: OutputOption = Output.TEXT,
) -> None:
    """Compare jobs side by side: hyperparameters, metrics, duration, cost. What they have in common is shown once."""
    from trainworks.application.comparison import compared_jobs
    from trainworks.cli.compare_view import compared, comparison_of
    from trainworks.cli.job_cost import facts_of_bill
    from trainworks.jobs.connection import open_connection

    connection = open_connection(environment)
    described = [
        {**job.facts, "cost": facts_of_bill(str(job.facts["name"]), job.bill, connection, output).get("cost")}
        for job in compared_jobs(connection, names)
    ]
    emit(output, described, lambda: comparison_of(compared(described)))

"""doctor: why is it stuck? A job, a stack, or without an argument this machine and the environment."""

from __future__ import annotations

from typing import Annotated

import typer

from trainworks.cli.addressed import use
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit

app = typer.Typer(no_args_is_help=False)


@app.command("doctor")
def doctor(
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="[JOB|STACK]",
            help="a training job, a batch job (id, id:index or name), a stack, or an environment's name for its stack",
        ),
    ] = None,
    environment_name: EnvironmentOption = "local",
    output: OutputOption = Output.TEXT,
) -> None:
    """Say why something is stuck: causes with evidence and fix, most likely first. Exit code 1 for a problem."""
    from trainworks.cli.doctor_view import diagnosis_record, diagnosis_text

    if subject is None:
        from trainworks.application.doctor_installation import diagnose_this_installation

        found = diagnose_this_installation(environment_name)
    else:
        from trainworks.application.doctor_subject import diagnose, environment_meant

        found = diagnose(subject, use(environment_meant(subject, environment_name)))
    emit(output, diagnosis_record(found), lambda: diagnosis_text(found))
    if found.exit_code:
        raise typer.Exit(found.exit_code)

"""doctor: why is it stuck? A job, a stack, or without an argument this machine and the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trainworks.cli.addressed import use
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit

if TYPE_CHECKING:
    from trainworks.doctor.finding import Diagnosis

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

    found = _diagnosis(subject, environment_name)
    emit(output, diagnosis_record(found), lambda: diagnosis_text(found))
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _diagnosis(subject: str | None, environment_name: str) -> Diagnosis:
    from trainworks.config.environment import environment_names, load_environment
    from trainworks.doctor.looking import Looker
    from trainworks.jobs.session import session_for

    if subject is None:
        from trainworks.application.doctor_installation import diagnose_this_installation

        return diagnose_this_installation(environment_name)
    from trainworks.application.doctor_subject import diagnose, diagnose_stack_of

    is_environment = subject in environment_names()
    environment = load_environment(use(subject) if is_environment else environment_name)
    session = session_for(environment)
    looker = Looker(session.client)  # type: ignore[arg-type]  # the stubs know each service by name
    if is_environment:
        return diagnose_stack_of(environment, environment.stack_name, looker)
    return diagnose(subject, environment, looker)

"""synth, diff, up, down, status: the verbs of `application.platform`, with the questions that only people answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainworks.cli.asking import ask
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, print_json, stderr, stdout
from trainworks.errors import RequestError

if TYPE_CHECKING:
    from trainworks.config.environment import Environment
    from trainworks.deploy.changes import StackChanges
    from trainworks.deploy.progress import Report

app = typer.Typer(help="The platform: synthesize, compare, deploy, delete, describe.", no_args_is_help=True)

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command()
def synth(environment_name: EnvironmentOption = "local", output: OutputOption = Output.TEXT) -> None:
    """Synthesize the CloudFormation templates and print where they are."""
    from trainworks.application.templates import synthesized
    from trainworks.cli.steps import steps_for

    assembly = synthesized(environment_name, steps_for(output))
    if output is Output.JSON:
        print_json(
            {
                "directory": assembly.directory,
                "stack_name": assembly.stack_name,
                "nested": list(assembly.nested),
                "file_assets": [asset.object_key for asset in assembly.file_assets],
            }
        )
    else:
        sys.stdout.write(f"{assembly.directory}\n")


@app.command()
def diff(  # noqa: PLR0917 - one parameter an option
    context: typer.Context,
    environment_name: EnvironmentOption = "local",
    output: OutputOption = Output.TEXT,
    drift: Annotated[
        bool, typer.Option(help="Also compare what is deployed with its templates: what was changed by hand?")
    ] = True,
    template: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--template",
            metavar="OLD NEW",
            help="Compare two templates or assemblies instead, whatever tool made them.",
        ),
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="Region that --template is for.")] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 if something differs, with 2 if the comparison failed.")
    ] = False,
) -> None:
    """Show what `up` would change, and what was changed outside of CloudFormation. Changes nothing."""
    from trainworks.cli import differences
    from trainworks.cli.check import was_typed

    if template and was_typed(context, "environment_name"):
        raise RequestError("--env and --template are two things to compare", fix="leave one of them out")
    if region and not template:
        raise RequestError("--region is for --template; an environment has its own", fix="--template OLD NEW")
    with differences.failing_with_two(exit_code, output):
        if template:
            differ = differences.of_templates(*template, region, output)
        else:
            differ = differences.of_environment(environment_name, drift, output)
    if exit_code and differ:
        raise typer.Exit(1)


@app.command()
def up(  # noqa: PLR0917 - one parameter an option
    environment_name: EnvironmentOption = "local",
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
    recreate: Annotated[
        bool, typer.Option("--recreate", help="Delete a stack whose creation or deletion failed, then create it.")
    ] = False,
    continue_rollback: Annotated[
        bool, typer.Option("--continue-rollback", help="Continue the rollback of a failed update, then update.")
    ] = False,
    skip: Annotated[
        list[str] | None, typer.Option("--skip", help="With --continue-rollback: leave this logical id as it is.")
    ] = None,
    bootstrap: Annotated[
        bool, typer.Option("--bootstrap", help="Create the bucket for templates and assets if it is missing.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Refuse templates in which `check` finds errors.")
    ] = True,
) -> None:
    """Deploy the platform. Without changes nothing is done; a running operation is followed first."""
    from trainworks.application import platform
    from trainworks.application.environments import connect
    from trainworks.cli import platform_view as view
    from trainworks.deploy.plan import UpOptions

    environment, clients = connect(environment_name)
    allowed = UpOptions(recreate, continue_rollback, tuple(skip or ()), bootstrap)
    with view.live(output) as report:
        result = platform.up(
            environment,
            clients,
            report,
            allowed,
            approve=lambda changes: _approved(environment, changes, yes, report),
            check=check,
        )
    if output is Output.JSON:
        print_json(view.up_record(result))
    else:
        stdout().print(view.up_text(result))


@app.command()
def down(
    environment_name: EnvironmentOption = "local", output: OutputOption = Output.TEXT, yes: YesOption = False
) -> None:
    """Delete the platform: empty what its removal policy allows to delete, delete the stack, list what stays.

    Asks before data, models or images are deleted, on the twin too; --yes answers.
    """
    from trainworks.application import platform
    from trainworks.application.environments import connect
    from trainworks.cli import platform_view as view
    from trainworks.cost.price_files import load_prices

    environment, clients = connect(environment_name)
    prices = load_prices(environment.region)
    preview = None if yes else platform.preview_of_down(environment, clients)
    if preview is not None and preview.needs_consent:
        stderr().print(view.inventory_text(environment.stack_name, preview.inventory, preview.lost))
        what = " with all that is in it" if preview.lost else ""
        ask(f"Delete {environment.stack_name} (profile {environment.profile.name.value}){what}?")
    with view.live(output) as report:
        result = platform.down(environment, clients, report)
    if output is Output.JSON:
        print_json(view.down_record(result, prices))
    else:
        stdout().print(view.down_text(result, prices))


@app.command()
def status(environment_name: EnvironmentOption = "local", output: OutputOption = Output.TEXT) -> None:
    """Show the state of the platform: stacks, outputs, last events, why the last operation failed."""
    from trainworks.application.environments import connect
    from trainworks.cli import platform_view as view
    from trainworks.deploy.status import status as describe

    environment, clients = connect(environment_name)
    report = describe(environment.stack_name, clients)
    if output is Output.JSON:
        print_json(view.status_record(report))
    else:
        stdout().print(view.status_text(report))


def _approved(environment: Environment, changes: StackChanges, yes: bool, report: Report) -> bool:
    """Replacing or removing what people depend on is asked for."""
    from trainworks.cli.platform_view import paused

    if not yes:
        endangered = len(changes.replaced) + len(changes.removed)
        with paused(report):
            ask(f"{endangered} resources of {environment.stack_name} are replaced or removed. Go on?")
    return True

"""synth, diff, up, down, status: the platform of one environment, from its templates to what runs.

connect --> assembly_of (cached) --> deployment_for --> deploy.deployer | deploy.teardown | deploy.status
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainworks.cli.output import EnvironmentOption, Output, OutputOption, print_json, stderr, stdout
from trainworks.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from trainworks.assembly import CloudAssembly
    from trainworks.config.environment import Environment
    from trainworks.deploy.changes import StackChanges
    from trainworks.deploy.clients import Clients
    from trainworks.deploy.deployment import Deployment
    from trainworks.deploy.follow import Watch
    from trainworks.deploy.progress import Report

app = typer.Typer(help="The platform: synthesize, compare, deploy, delete, describe.", no_args_is_help=True)

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command()
def synth(environment_name: EnvironmentOption = "local", output: OutputOption = Output.TEXT) -> None:
    """Synthesize the CloudFormation templates and print where they are."""
    from trainworks.config.environment import load_environment

    environment = load_environment(environment_name)
    assembly = assembly_of(environment, environment.account or connect(environment_name)[1].account_id)
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
        typer.Option("--template", metavar="OLD NEW", help="Compare two templates or assemblies, anybody's, instead."),
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="Region that --template is for.")] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 where something differs, with 2 where that failed.")
    ] = False,
) -> None:
    """Show what `up` would change, and what was changed outside of CloudFormation; nothing is changed by it."""
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
        bool, typer.Option("--bootstrap", help="Create the bucket for templates and assets where it is missing.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Refuse templates in which `check` finds errors.")
    ] = True,
) -> None:
    """Deploy the platform; without changes nothing is done. A running operation is followed."""
    from trainworks.cli import platform_view as view
    from trainworks.deploy import deployer
    from trainworks.deploy.plan import Permissions

    environment, clients = connect(environment_name)
    deployer.refuse_wrong_account(clients, None if environment.is_twin else environment.account)
    deployment = deployment_for(environment, clients)
    allowed = Permissions(
        recreate=recreate,
        continue_rollback=continue_rollback,
        skip_resources=tuple(skip or ()),
        # The twin is nobody's account: its bootstrap is part of deploying to it.
        bootstrap=bootstrap or environment.is_twin,
    )
    with view.live(output) as report, turn_of(environment, clients, report):
        result = deployer.up(
            deployment,
            clients,
            watch_for(environment, report),
            allowed,
            approve=lambda changes: _approved(environment, changes, yes),
            gate=gate_for(environment, clients) if check else lambda: None,
        )
    if output is Output.JSON:
        print_json(view.up_record(result))
    else:
        stdout().print(view.up_text(result))


@app.command()
def down(
    environment_name: EnvironmentOption = "local", output: OutputOption = Output.TEXT, yes: YesOption = False
) -> None:
    """Take the platform away: empty what its removal policy lets be deleted, delete the stack, list what stays.

    Asks before data, models or images are deleted, on the twin too; --yes answers.
    """
    from trainworks.cli import platform_view as view
    from trainworks.cost.price_files import load_prices
    from trainworks.deploy import deployer, teardown

    environment, clients = connect(environment_name)
    deployer.refuse_wrong_account(clients, None if environment.is_twin else environment.account)
    prices = load_prices(environment.region)
    if not yes:
        inventory = teardown.survey(environment.stack_name, clients)
        lost = () if inventory is None else teardown.contents(inventory, clients)
        if inventory is not None and (lost or _is_precious(environment)):
            stderr().print(view.inventory_text(environment.stack_name, inventory, lost))
            what = " with all that is in it" if lost else ""
            _ask(f"Delete {environment.stack_name} (profile {environment.profile.name.value}){what}?")
    with view.live(output) as report, turn_of(environment, clients, report):
        result = teardown.down(environment.stack_name, clients, watch_for(environment, report))
    if output is Output.JSON:
        print_json(view.down_record(result, prices))
    else:
        stdout().print(view.down_text(result, prices))


@app.command()
def status(environment_name: EnvironmentOption = "local", output: OutputOption = Output.TEXT) -> None:
    """Show the state of the platform: stacks, outputs, last events, why the last operation failed."""
    from trainworks.cli import platform_view as view
    from trainworks.deploy.status import status as describe

    environment, clients = connect(environment_name)
    report = describe(environment.stack_name, clients)
    if output is Output.JSON:
        print_json(view.status_record(report))
    else:
        stdout().print(view.status_text(report))


def connect(environment_name: str) -> tuple[Environment, Clients]:
    """The environment and its clients; `TwinError` where the environment is the twin and it does not run."""
    from trainworks.config.environment import load_environment
    from trainworks.deploy.clients import Clients
    from trainworks.jobs.session import session_for

    environment = load_environment(environment_name)
    session = session_for(environment)
    return environment, Clients(session.client)  # type: ignore[arg-type]  # the stubs know each service by name


def assembly_of(environment: Environment, account_id: str) -> CloudAssembly:
    """The assembly of an environment, from the user's cache where nothing that goes in has changed."""
    from trainworks.assembly import SynthRequest, synthesize, user_cache_dir

    request = SynthRequest(environment.environment_suffix, environment.profile, account_id, environment.region)
    return synthesize(request, user_cache_dir())


def deployment_for(environment: Environment, clients: Clients) -> Deployment:
    """What `up` would deploy: the assembly of the environment, resolved for its account."""
    from trainworks.deploy.deployment import deployment_of

    account_id = environment.account or clients.account_id
    return deployment_of(assembly_of(environment, account_id), account_id=account_id, region=environment.region)


def gate_for(environment: Environment, clients: Clients) -> Callable[[], None]:
    """The check of the templates, for `deployer.up` to call where it would change something."""

    def refuse_errors() -> None:
        from trainworks.cli.checking import refuse_errors_of

        account_id = environment.account or clients.account_id
        refuse_errors_of(environment, assembly_of(environment, account_id), account_id)

    return refuse_errors


def turn_of(environment: Environment, clients: Clients, report: Report) -> AbstractContextManager[None]:
    """This command's turn to change the platform; of each twin and each account and region there is another."""
    from trainworks.config.variables import cache_folder
    from trainworks.deploy.turns import take_turns

    address = hashlib.sha256(clients.cloudformation.meta.endpoint_url.encode()).hexdigest()[:12]
    name = f"{environment.stack_name}-{clients.account_id}-{environment.region}-{address}"
    return take_turns(cache_folder() / "turns", name, report)


def watch_for(environment: Environment, report: Report) -> Watch:
    """How often to look: the twin is done in moments, AWS in minutes."""
    from trainworks.deploy.follow import LOCAL_PACING, REMOTE_PACING, Watch

    return Watch(report, LOCAL_PACING if environment.is_twin else REMOTE_PACING)


def _is_precious(environment: Environment) -> bool:
    """Whether people depend on the platform: everything but the twin and the dev profile."""
    return not environment.is_twin and environment.profile.name.value != "dev"


def _approved(environment: Environment, changes: StackChanges, yes: bool) -> bool:
    """Replacing or removing what people depend on is asked for; all else is not."""
    endangered = len(changes.replaced) + len(changes.removed)
    if yes or not endangered or not _is_precious(environment):
        return True
    _ask(f"{endangered} resources of {environment.stack_name} are replaced or removed. Go on?")
    return True


def _ask(question: str) -> None:
    """Raise `RequestError` unless somebody answers yes."""
    if not sys.stdin.isatty():
        raise RequestError(f"{question} Nobody is there to answer: nothing was changed", fix="--yes")
    if not typer.confirm(question, err=True):
        raise RequestError("nothing was changed", fix="answer yes, or give --yes")

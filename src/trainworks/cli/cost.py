"""cost, cost job, cost refresh: what the platform costs before it is deployed, and a job before and after it ran.

templates --> assembly.graph --> cost.idle --> cost_view          spec or finished job --> cost.job | cost.bill
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from trainworks.cli.addressed import addressed
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit, print_json, stderr, stdout
from trainworks.cli.pairs import pairs
from trainworks.errors import RequestError

if TYPE_CHECKING:
    from trainworks.assembly.graph import Graph
    from trainworks.config.environment import Environment
    from trainworks.cost.bill import JobBill
    from trainworks.cost.idle import IdleCost
    from trainworks.cost.prices import PriceTable

app = typer.Typer()
cost_app = typer.Typer()
app.add_typer(cost_app, name="cost")

RegionOption = Annotated[str | None, typer.Option("--region", "-r", help="prices of another region than its own")]
PricesOption = Annotated[
    Path | None, typer.Option("--prices", help="a price file whose figures go before all others", dir_okay=False)
]
_TemplateOption = Annotated[
    list[Path] | None,
    typer.Option("--template", "-t", help="a template or the folder of a cloud assembly, anybody's; more than once"),
]
_ParametersOption = Annotated[
    list[str] | None, typer.Option("--parameter", metavar="NAME=VALUE", help="a parameter of --template")
]
_HOURS_A_MONTH = 730
_NONE: Mapping[str, str] = MappingProxyType({})


@cost_app.callback(invoke_without_command=True)
def cost(  # noqa: PLR0917 - one parameter an option
    context: typer.Context,
    environment_name: EnvironmentOption = "local",
    template: _TemplateOption = None,
    parameters: _ParametersOption = None,
    region: RegionOption = None,
    notebook_hours: Annotated[
        int, typer.Option("--notebook-hours", min=0, max=744, help="hours a month that each notebook runs")
    ] = 0,
    prices: PricesOption = None,
    compare: Annotated[str | None, typer.Option("--compare", help="another environment to put beside it")] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="also list what is free, with the reason")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """What the platform costs in a month in which nobody uses it, resource by resource; nothing is deployed.

    trainworks cost --template cdk.out     trainworks cost --env dev --compare prod     trainworks cost job train.toml
    """
    if context.invoked_subcommand is not None:
        return
    from trainworks.cli import cost_view as view
    from trainworks.cost.idle import idle_cost
    from trainworks.cost.metering import Assumptions

    assumptions = Assumptions(Decimal(notebook_hours))
    if parameters and not template:
        raise RequestError("--parameter is for --template; an environment has its own", fix="--template PATH")
    name, graph = _graph(environment_name, template, region, pairs(parameters, "--parameter"))
    table = _prices(graph.region, prices)
    counted = idle_cost(graph, table, assumptions)
    _say_what_has_no_price(counted, table)
    if compare is not None:
        other_name, other = _graph(compare, None, region or graph.region)
        other_counted = idle_cost(other, _prices(other.region, prices), assumptions)
        pair = view.Comparison(name, counted, other_name, other_counted)
        emit(output, view.comparison_record(pair), lambda: view.comparison_text(pair))
        return
    running = idle_cost(graph, table, Assumptions(Decimal(_HOURS_A_MONTH)))
    emit(output, view.idle_record(name, counted), lambda: view.idle_text(name, counted, running, table, everything))


@cost_app.command("job", no_args_is_help=True)
def job(
    target: Annotated[str, typer.Argument(metavar="SPEC_OR_JOB", help="a job spec (.toml), or the name of a job")],
    environment_name: EnvironmentOption = "local",
    region: RegionOption = None,
    prices: PricesOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """The most that a job of this spec can cost; or what a job that ran did cost, and what spot saved."""
    from trainworks.cli import job_cost_view as view
    from trainworks.config.environment import load_environment

    environment = load_environment(environment_name)
    table = _prices(region or environment.region, prices)
    if not target.endswith(".toml"):
        bill = _bill_of_job(environment, target, table)
        emit(output, view.bill_record(bill), lambda: view.bill_text(bill, environment.is_twin))
        return
    from trainworks.config.job import TrainingJobSpec, load_spec
    from trainworks.cost.job import batch_estimate, training_estimate

    spec = load_spec(Path(target))
    if isinstance(spec, TrainingJobSpec):
        estimate = training_estimate(spec, environment.profile.training, table)
    elif environment.profile.batch is None:
        raise RequestError(f"environment {environment.name!r} has no batch", fix="choose another with --env")
    else:
        estimate = batch_estimate(spec, environment.profile.batch, table)
    emit(output, view.estimate_record(estimate), lambda: view.estimate_text(estimate))


@cost_app.command("refresh")
def refresh(
    environment_name: EnvironmentOption = "local",
    region: RegionOption = None,
    aws_profile: Annotated[str | None, typer.Option("--aws-profile", help="of the AWS configuration")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Ask AWS's Price List API for all prices of a region; they go before those that ship.

    Any account's credentials do, with the permission pricing:GetProducts; the twin has no prices.
    """
    from trainworks.cli import cost_view as view
    from trainworks.config.environment import load_environment
    from trainworks.cost.price_files import refreshed_file
    from trainworks.cost.price_writing import price_file
    from trainworks.cost.refresh import API_REGION, refresh
    from trainworks.jobs.session import session_for
    from trainworks.whole_file import write_whole

    environment = load_environment(environment_name)
    account = replace(environment, is_twin=False, aws_profile=aws_profile or environment.aws_profile, region=API_REGION)
    refreshed = refresh(session_for(account).client("pricing"), region or environment.region, date.today())
    if not refreshed.table.prices:
        raise RequestError(
            f"the Price List has nothing for region {refreshed.table.region!r}: the prices stay as they are",
            fix="check the name of the region",
        )
    path = refreshed_file(refreshed.table.region)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, price_file(refreshed.table))
    if output is Output.JSON:
        print_json(view.refreshed_record(refreshed, path))
    else:
        stdout().print(view.refreshed_text(refreshed, path))


def _bill_of_job(environment: Environment, name: str, table: PriceTable) -> JobBill:
    from trainworks.cli.job_cost import bill_of
    from trainworks.jobs.connection import Connection
    from trainworks.jobs.kinds import find_job

    connection = Connection(environment)
    bill = bill_of(find_job(connection, name), connection, table)
    if bill is None:
        raise RequestError(f"{name} has not run yet", fix=f"trainworks logs -f {name}")
    return bill


def _graph(
    environment_name: str, templates: list[Path] | None, region: str | None, parameters: Mapping[str, str] = _NONE
) -> tuple[str, Graph]:
    """What is counted, and how it is called: templates as they lie there, or those of an environment."""
    from trainworks.application.templates import assembly_of
    from trainworks.assembly.graph import ANY_ACCOUNT, build, load_graph
    from trainworks.assembly.template_files import load_sources, merged
    from trainworks.assembly.template_parameters import refuse_wrong_parameters
    from trainworks.config.environment import load_environment

    if templates:
        sources = merged([load_sources(path) for path in templates])
        refuse_wrong_parameters(sources, parameters)
        return ", ".join(map(str, templates)), build(sources, region=region, parameters=parameters)
    environment = load_environment(environment_name)
    if region is not None:
        environment = replace(environment, region=region)
    account = environment.account or ANY_ACCOUNT
    assembly = assembly_of(environment, account)
    return environment_name, load_graph(assembly.directory, account=account, region=environment.region)


def _prices(region: str, file: Path | None) -> PriceTable:
    from trainworks.cost.price_files import load_prices

    return load_prices(region, file)


def _say_what_has_no_price(cost: IdleCost, prices: PriceTable) -> None:
    """On standard error, the prices that are missing and how to get them; what else is unknown no price can mend."""
    from trainworks.cost.price_list import is_asked_for

    charges = (charge for resource in cost.unknown for charge in resource.charges if charge.amount is None)
    missing = sorted({key for charge in charges for key in charge.keys if prices.find(key) is None})
    asked = [key for key in missing if is_asked_for(key)]
    own = [key for key in missing if key not in asked]
    if asked:
        fix = addressed(f"trainworks cost refresh --region {cost.region}")
        stderr().print(f"no price in {cost.region} of {', '.join(asked)}\n  fix: {fix}", style="yellow")
    if own:
        fix = "write it in a file of your own, and name that with --prices"
        stderr().print(f"no price in {cost.region} of {', '.join(own)}\n  fix: {fix}", style="yellow")

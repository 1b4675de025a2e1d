"""cost, cost job, cost refresh: what the platform costs before it is deployed, and a job before and after it ran.

templates --> application.idle_costs --> cost_view      spec or job --> application.job_costs --> job_cost_view
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainworks.cli.addressed import addressed
from trainworks.cli.output import EnvironmentOption, Output, OutputOption, emit, print_json, stderr, stdout
from trainworks.cli.pairs import pairs
from trainworks.errors import RequestError

if TYPE_CHECKING:
    from trainworks.application.idle_costs import Counted
    from trainworks.assembly.graph import Graph

app = typer.Typer()
cost_app = typer.Typer()
app.add_typer(cost_app, name="cost")

RegionOption = Annotated[str | None, typer.Option("--region", "-r", help="use the prices of another region")]
PricesOption = Annotated[
    Path | None, typer.Option("--prices", help="a price file whose figures override all others", dir_okay=False)
]
_TemplateOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--template", "-t", help="a template or the folder of a cloud assembly, whatever tool made it; may be repeated"
    ),
]
_ParametersOption = Annotated[
    list[str] | None, typer.Option("--parameter", metavar="NAME=VALUE", help="a parameter of --template")
]


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
    compare: Annotated[str | None, typer.Option("--compare", help="another environment to compare it with")] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="also list what is free, with the reason")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """What the platform costs in a month in which nobody uses it, resource by resource; nothing is deployed.

    trainworks cost --template cdk.out     trainworks cost --env dev --compare prod     trainworks cost job train.toml
    """
    if context.invoked_subcommand is not None:
        return
    from trainworks.application.idle_costs import counted
    from trainworks.cli import cost_view as view

    if parameters and not template:
        raise RequestError("--parameter is for --template; an environment has its own", fix="--template PATH")
    name, graph = _graph(environment_name, template, region, pairs(parameters, "--parameter"), output)
    found = counted(name, graph, notebook_hours, prices)
    _say_what_has_no_price(found)
    if compare is not None:
        _, other_graph = _graph(compare, None, region or graph.region, {}, output)
        other = counted(compare, other_graph, notebook_hours, prices)
        pair = view.Comparison(name, found.cost, other.name, other.cost)
        emit(output, view.comparison_record(pair), lambda: view.comparison_text(pair))
        return
    emit(
        output,
        view.idle_record(name, found.cost),
        lambda: view.idle_text(name, found.cost, found.running, found.prices, everything),
    )


@cost_app.command("job", no_args_is_help=True)
def job(
    target: Annotated[str, typer.Argument(metavar="SPEC_OR_JOB", help="a job spec (.toml), or the name of a job")],
    environment_name: EnvironmentOption = "local",
    region: RegionOption = None,
    prices: PricesOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """The most that a job of this spec can cost; or what a job that ran did cost, and what spot saved."""
    from trainworks.application.job_costs import bill_of_named, estimate_of
    from trainworks.cli import job_cost_view as view
    from trainworks.config.environment import load_environment
    from trainworks.cost.price_files import load_prices

    environment = load_environment(environment_name)
    table = load_prices(region or environment.region, prices)
    if target.endswith(".toml"):
        estimate = estimate_of(environment, Path(target), table)
        emit(output, view.estimate_record(estimate), lambda: view.estimate_text(estimate))
        return
    bill = bill_of_named(environment, target, table)
    emit(output, view.bill_record(bill), lambda: view.bill_text(bill, environment.is_twin))


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
    from trainworks.application.price_refresh import refresh_prices
    from trainworks.cli import cost_view as view

    refreshed, path = refresh_prices(environment_name, region, aws_profile)
    if output is Output.JSON:
        print_json(view.refreshed_record(refreshed, path))
    else:
        stdout().print(view.refreshed_text(refreshed, path))


def _graph(
    environment_name: str,
    templates: list[Path] | None,
    region: str | None,
    parameters: dict[str, str],
    output: Output,
) -> tuple[str, Graph]:
    """What is counted, and how it is called: templates as they lie there, or those of an environment."""
    from trainworks.application.graphs import graph_of_environment, graph_of_templates
    from trainworks.cli.steps import steps_for

    if templates:
        return ", ".join(map(str, templates)), graph_of_templates(templates, region, parameters)
    return environment_name, graph_of_environment(environment_name, region, steps_for(output)).graph


def _say_what_has_no_price(counted: Counted) -> None:
    """On standard error, the prices that are missing and how to get them."""
    region, missing = counted.cost.region, counted.missing
    if missing.refreshable:
        fix = addressed(f"trainworks cost refresh --region {region}")
        stderr().print(f"no price in {region} of {', '.join(missing.refreshable)}\n  fix: {fix}", style="yellow")
    if missing.own:
        fix = "write it in a file of your own, and name that with --prices"
        stderr().print(f"no price in {region} of {', '.join(missing.own)}\n  fix: {fix}", style="yellow")

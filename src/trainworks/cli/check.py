"""check: what would fail after the deploy, before it.

--env: the environment's assembly | --template: anybody's --> application.checking --> check_view | sarif --> exit code
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainworks.cli.output import EnvironmentOption, print_json, stderr, stdout
from trainworks.cli.pairs import pairs
from trainworks.errors import RequestError

if TYPE_CHECKING:
    from trainworks.application.accepting import BaselineUpdate
    from trainworks.application.checking import CheckScope
    from trainworks.assembly.graph import Graph
    from trainworks.cli.steps import Steps
    from trainworks.preflight.report import Report

app = typer.Typer(help="Find what would fail after the deploy.", no_args_is_help=True)


class CheckOutput(StrEnum):
    """`sarif` is what code hosts and editors read."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


class FailOn(StrEnum):
    """The lowest severity at which a check fails."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


@app.command()
def check(  # noqa: PLR0917 - one parameter an option
    context: typer.Context,
    environment_name: EnvironmentOption = "local",
    template: Annotated[
        Path | None,
        typer.Option("--template", help="Check the folder of a cloud assembly or one template, whatever tool made it."),
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", help="NAME=VALUE for a parameter of --template.")
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="Region that --template is for.")] = None,
    production: Annotated[
        bool | None,
        typer.Option(
            "--production/--no-production", help="Check as for production: data has to survive (default: profile prod)."
        ),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="Accepted findings (default: trainworks-baseline.toml).")
    ] = None,
    update_baseline: Annotated[
        bool,
        typer.Option(
            "--update-baseline", help="Add the findings that are left to the baseline; write a reason for each."
        ),
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", help="With --update-baseline: the reason for all of them.")
    ] = None,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="Exit with 1 from this severity on.")] = FailOn.ERROR,
    quotas: Annotated[Path | None, typer.Option("--quotas", help="Quotas of your account, in TOML.")] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only findings with this code.")] = None,
    ignore: Annotated[list[str] | None, typer.Option("--ignore", help="No findings with this code.")] = None,
    scanners: Annotated[
        bool, typer.Option("--scanners/--no-scanners", help="Run cfn-lint and cdk-nag too, if installed.")
    ] = True,
    output: Annotated[
        CheckOutput, typer.Option("--output", "-o", help="text for people, json and sarif for programs")
    ] = CheckOutput.TEXT,
) -> None:
    """Check the templates for what fails after the deploy. Exit code 1 if there are errors (see --fail-on)."""
    from trainworks.application.checking import CheckOptions, checked
    from trainworks.cli.steps import Steps

    steps = Steps(is_shown=output is CheckOutput.TEXT)

    _refuse_reason(reason, update_baseline)
    if template is None:
        if parameter or region:
            raise RequestError(
                "--parameter and --region are for --template; an environment has its own", fix="--template PATH"
            )
        subject, graph, scope = _environment(environment_name, steps)
    else:
        if was_typed(context, "environment_name"):
            raise RequestError("--env and --template are two things to check", fix="leave one of them out")
        subject, graph, scope = _template(template, parameter or [], region)
    options = CheckOptions(
        production,
        quotas,
        scanners,
        tuple(only or ()),
        tuple(ignore or ()),
        baseline,
        update_baseline,
        reason or "",
    )
    with steps("checking", in_pipe=False):
        found = checked(graph, scope, options, lambda what: steps.say(f"{what} ..."))
    if found.update is not None:
        _tell_of(found.update)
    report = found.report
    _print(report, subject, graph, found.seconds, output)
    if fail_on is not FailOn.NEVER and (report.errors or (fail_on is FailOn.WARNING and report.warnings)):
        raise typer.Exit(1)


def _refuse_reason(reason: str | None, update_baseline: bool) -> None:
    if reason is not None and not update_baseline:
        raise RequestError("--reason is for --update-baseline", fix="add --update-baseline, or leave it out")
    if reason is not None and not reason.strip():
        raise RequestError("--reason is empty", fix="say in words why the findings are accepted")


def _environment(name: str, steps: Steps) -> tuple[str, Graph, CheckScope]:
    """The environment's own templates, as `up` would deploy them."""
    from trainworks.application.checking import CheckScope, settings_of
    from trainworks.application.graphs import graph_of_environment

    found = graph_of_environment(name, meanwhile=steps)
    return found.environment.stack_name, found.graph, CheckScope(settings_of(found.environment), name, found.request)


def was_typed(context: typer.Context, parameter: str) -> bool:
    """Whether the option is on the command line; a variable of the shell does not count."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def _template(path: Path, parameters: list[str], region: str | None) -> tuple[str, Graph, CheckScope]:
    from trainworks.application.checking import CheckScope
    from trainworks.application.graphs import graph_of_templates
    from trainworks.preflight.settings import CheckSettings

    graph = graph_of_templates([path], region, pairs(parameters, "--parameter"))
    return str(path), graph, CheckScope(CheckSettings())


def _tell_of(update: BaselineUpdate) -> None:
    rest = "" if update.has_reasons or not update.added else "; each needs its reason before it counts"
    rest += " (one for all: --reason TEXT)" if rest else ""
    stderr().print(f"{update.path}: {update.added} {'entry' if update.added == 1 else 'entries'} added{rest}")


def _print(report: Report, subject: str, graph: Graph, seconds: float, output: CheckOutput) -> None:
    from trainworks import __version__
    from trainworks.cli import check_view
    from trainworks.preflight.rules import OWN_RULES, RULES

    if output is CheckOutput.SARIF:
        from trainworks.preflight.sarif import sarif

        print_json(sarif(report, RULES, __version__, Path.cwd()))
    elif output is CheckOutput.JSON:
        print_json(check_view.report_record(report, subject))
    else:
        facts: dict[str, int | str] = {
            "resource": len(graph.resources),
            "rules": f"{OWN_RULES} rules in {seconds:.2f} s",
        }
        stdout().print(check_view.report_text(report, subject, facts))

"""check: what would fail after the deploy, before it.

--env: the environment's assembly | --template: anybody's --> checking --> check_view | sarif --> exit code
"""

from __future__ import annotations

import time
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainworks.cli.output import EnvironmentOption, print_json, stderr, stdout
from trainworks.cli.pairs import pairs
from trainworks.errors import RequestError

if TYPE_CHECKING:
    from trainworks.application.checking import Scope
    from trainworks.assembly.graph import Graph
    from trainworks.preflight.baseline import Baseline
    from trainworks.preflight.report import Report
    from trainworks.preflight.settings import Settings

app = typer.Typer(help="Find what would fail after the deploy.", no_args_is_help=True)


class CheckOutput(StrEnum):
    """`sarif` is what code hosts and editors read."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


class FailOn(StrEnum):
    """From which severity on a check fails."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


@app.command()
def check(  # noqa: PLR0917 - one parameter an option
    context: typer.Context,
    environment_name: EnvironmentOption = "local",
    template: Annotated[
        Path | None, typer.Option("--template", help="Check an assembly's folder or one template, anybody's.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", help="NAME=VALUE for a parameter of --template.")
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="Region that --template is for.")] = None,
    production: Annotated[
        bool | None, typer.Option("--production/--no-production", help="Data has to survive (default: profile prod).")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="Accepted findings (default: trainworks-baseline.toml).")
    ] = None,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Add what stands to the baseline, to be given reasons.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", help="With --update-baseline: why all of these stand.")
    ] = None,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="Exit with 1 from this severity on.")] = FailOn.ERROR,
    quotas: Annotated[Path | None, typer.Option("--quotas", help="Quotas of your account, in TOML.")] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only findings with this code.")] = None,
    ignore: Annotated[list[str] | None, typer.Option("--ignore", help="No findings with this code.")] = None,
    scanners: Annotated[
        bool, typer.Option("--scanners/--no-scanners", help="Run cfn-lint and cdk-nag too, where installed.")
    ] = True,
    output: Annotated[
        CheckOutput, typer.Option("--output", "-o", help="text for people, json and sarif for programs")
    ] = CheckOutput.TEXT,
) -> None:
    """Check the templates for what fails after the deploy. Exit code 1 if there are errors (see --fail-on)."""
    from trainworks.application import checking

    _refuse_reason(reason, update_baseline)
    _refuse_unknown([*(only or ()), *(ignore or ())], checking.known_codes())
    if template is None:
        if parameter or region:
            raise RequestError(
                "--parameter and --region are for --template; an environment has its own", fix="--template PATH"
            )
        subject, graph, scope = _environment(environment_name)
    else:
        if was_typed(context, "environment_name"):
            raise RequestError("--env and --template are two things to check", fix="leave one of them out")
        subject, graph, scope = _template(template, parameter or [], region)
    scope = replace(scope, scanners=scanners, settings=_settings(scope, production, quotas))
    path = checking.baseline_path(baseline)
    accepted = _accepted(path, reason) if path and (path.exists() or not update_baseline) else None
    started = time.perf_counter()
    found = checking.by_rules(graph, scope)
    seconds = time.perf_counter() - started
    report = checking.selected(checking.completed(found, graph, scope, accepted, _tell), only or [], ignore or [])
    if update_baseline:
        accepted = _updated(path, report, reason or "")
        if accepted is not None:
            report = checking.selected(
                checking.completed(found, graph, scope, accepted, _tell), only or [], ignore or []
            )
    _print(report, subject, graph, seconds, output)
    if fail_on is not FailOn.NEVER and (report.errors or (fail_on is FailOn.WARNING and report.warnings)):
        raise typer.Exit(1)


def _refuse_reason(reason: str | None, update_baseline: bool) -> None:
    if reason is not None and not update_baseline:
        raise RequestError("--reason is for --update-baseline", fix="add --update-baseline, or leave it out")
    if reason is not None and not reason.strip():
        raise RequestError("--reason is empty", fix="say in words why the findings stand")


def _environment(name: str) -> tuple[str, Graph, Scope]:
    """The environment's own templates, as `up` would deploy them."""
    from trainworks.application.checking import Scope, settings_of
    from trainworks.application.templates import assembly_of
    from trainworks.assembly import SynthRequest
    from trainworks.assembly.graph import ANY_ACCOUNT, load_graph
    from trainworks.config.environment import load_environment

    environment = load_environment(name)
    account = environment.account or ANY_ACCOUNT  # nobody is asked: a check needs no credentials
    assembly = assembly_of(environment, account)
    graph = load_graph(assembly.directory, account=account, region=environment.region)
    request = SynthRequest(environment.environment_suffix, environment.profile, account, environment.region)
    return environment.stack_name, graph, Scope(settings_of(environment), name, request)


def was_typed(context: typer.Context, parameter: str) -> bool:
    """Whether the option is on the command line; a variable of the shell does not count."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def _template(path: Path, parameters: list[str], region: str | None) -> tuple[str, Graph, Scope]:
    from trainworks.application.checking import Scope
    from trainworks.assembly.graph import build
    from trainworks.assembly.template_files import load_sources
    from trainworks.assembly.template_parameters import refuse_wrong_parameters
    from trainworks.preflight.settings import Settings

    if region is not None:
        refuse_unknown_region(region)
    values = pairs(parameters, "--parameter")
    sources = load_sources(path)
    refuse_wrong_parameters(sources, values)
    graph = build(sources, region=region, parameters=values)
    return str(path), graph, Scope(Settings())


def refuse_unknown_region(region: str) -> None:
    """Raises `RequestError` for a `--region` that is none of AWS."""
    from trainworks.config.aws_names import check_region
    from trainworks.config.constraints import NotAllowedError

    try:
        check_region(region)
    except NotAllowedError as error:
        raise RequestError(f"--region {error}", fix=error.fix) from error


def _settings(scope: Scope, production: bool | None, quotas: Path | None) -> Settings:
    from trainworks.preflight.quotas import quotas_with

    settings = scope.settings if production is None else replace(scope.settings, production=production)
    return replace(settings, quotas=quotas_with(quotas)) if quotas else settings


def _refuse_unknown(codes: list[str], known: tuple[str, ...]) -> None:
    for code in codes:
        if code not in known and not code.startswith(("cfn-lint/", "cdk-nag/", "baseline/")):
            raise RequestError(f"there is no rule {code}", fix=f"one of {', '.join(known)}, cfn-lint/..., cdk-nag/...")


def _tell(what: str) -> None:
    """A scanner takes seconds the first time; who waits hears why."""
    stderr().print(f"{what} ...")


def _accepted(path: Path, reason: str | None) -> Baseline:
    """The baseline as the file says it; entries that are about to be given their reason count as if they had it."""
    from trainworks.preflight.baseline import baseline_text, parse_baseline, with_reason

    text = baseline_text(path)
    return parse_baseline(with_reason(text, reason.strip()) if reason else text, str(path))


def _updated(path: Path | None, report: Report, reason: str) -> Baseline | None:
    """Add an entry for each finding that stands. The baseline as it is then, where its entries have their reason.

    The file is read anew, as somebody may have written it during the check, and written once, whole.
    """
    from datetime import UTC, datetime

    from trainworks.preflight.baseline import (
        FILE_NAME,
        appended,
        baseline_text,
        entries_for,
        parse_baseline,
        with_reason,
    )
    from trainworks.whole_file import write_whole

    target, reason = path or Path(FILE_NAME), reason.strip()
    entries = entries_for(report.findings, datetime.now(UTC).date(), reason)
    before = baseline_text(target) if target.exists() else ""
    text = appended(with_reason(before, reason) if reason else before, entries, str(target))
    baseline = parse_baseline(text, str(target)) if reason else None
    if text != before or not target.exists():
        write_whole(target, text)
    count = entries.count("[[accepted]]")
    rest = "" if reason or not count else "; each needs its reason before it counts (one for all: --reason TEXT)"
    stderr().print(f"{target}: {count} {'entry' if count == 1 else 'entries'} added{rest}")
    return baseline


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

"""One check, from a graph to a report: for `check`, and as the gate of `up` and the demo.

graph --> rules --+--> Report --> the platform's own baseline --> the user's baseline --> Report
scanners ---------+                                                    |
                                   update_baseline: what stands is added to it
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trainworks.application.accepting import BaselineUpdate, accept, accepted_by, baseline_path
from trainworks.assembly.graph import load_graph
from trainworks.config.variables import cache_folder
from trainworks.errors import CheckError, RequestError
from trainworks.preflight.baseline import FILE_NAME, Baseline, load_baseline, platform_baseline
from trainworks.preflight.checker import check
from trainworks.preflight.quotas import quotas_with
from trainworks.preflight.report import Report
from trainworks.preflight.rules import RULES
from trainworks.preflight.settings import CheckSettings

if TYPE_CHECKING:
    from trainworks.assembly import CloudAssembly, SynthRequest
    from trainworks.assembly.graph import Graph
    from trainworks.config.environment import Environment
    from trainworks.preflight.finding import Finding

RULE_CODES = "TW"
_MAX_FINDINGS_IN_REFUSAL = 10


@dataclass(frozen=True, slots=True)
class CheckScope:
    """What a check is told besides the templates. `environment` is empty for somebody else's templates."""

    settings: CheckSettings
    environment: str = ""
    request: SynthRequest | None = None


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """`reason` is for the entries that `update_baseline` adds, and for those without one."""

    production: bool | None = None
    quotas: Path | None = None
    scanners: bool = True
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    baseline: Path | None = None
    update_baseline: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found. `seconds` are those of our own rules."""

    report: Report
    seconds: float
    update: BaselineUpdate | None = None


def checked(
    graph: Graph, scope: CheckScope, options: CheckOptions, tell: Callable[[str], None] = lambda _: None
) -> CheckResult:
    """Check a graph as it is wished; `tell` hears what takes its time. Raises `RequestError`, `ConfigurationError`."""
    _refuse_unknown(options.only + options.ignore)
    path, reason = baseline_path(options.baseline), options.reason.strip()
    accepted = accepted_by(path, reason) if path and (path.exists() or not options.update_baseline) else None
    started = time.perf_counter()
    found = by_rules(graph, _settings(scope, options))
    seconds = time.perf_counter() - started
    prefixes: tuple[str, ...] = ()
    if options.scanners:
        found, prefixes = _with_scanners(found, graph, scope.request, tell)

    def less(baseline: Baseline | None) -> Report:
        standing = without_accepted(found, scope.environment, baseline, prefixes)
        return selected(standing, options.only, options.ignore)

    report, update = less(accepted), None
    if options.update_baseline:
        update, accepted = accept(path or Path(FILE_NAME), report, reason)
        if accepted is not None:
            report = less(accepted)
    return CheckResult(report, seconds, update)


def _settings(scope: CheckScope, options: CheckOptions) -> CheckSettings:
    production = scope.settings.production if options.production is None else options.production
    settings = replace(scope.settings, production=production)
    return replace(settings, quotas=quotas_with(options.quotas)) if options.quotas else settings


def _refuse_unknown(codes: Sequence[str]) -> None:
    known = tuple(rule.code for rule in RULES)
    for code in codes:
        if code not in known and not code.startswith(("cfn-lint/", "cdk-nag/", "baseline/")):
            raise RequestError(f"there is no rule {code}", fix=f"one of {', '.join(known)}, cfn-lint/..., cdk-nag/...")


def settings_of(environment: Environment) -> CheckSettings:
    """Production is what the profile says it is."""
    return CheckSettings(production=environment.profile.name.value == "prod")


def by_rules(graph: Graph, settings: CheckSettings) -> Report:
    """What our own rules find."""
    return check(graph, settings)


def _with_scanners(
    report: Report, graph: Graph, request: SynthRequest | None, tell: Callable[[str], None]
) -> tuple[Report, tuple[str, ...]]:
    """The report with what only the scanners find, and the prefixes of the codes that they looked for."""
    from trainworks.preflight.scanners import scan, without_repeats  # noqa: PLC0415 - not for the gate

    found = scan(graph, request, cache_folder() / "scans", tell)
    findings = [*report.findings, *without_repeats(report.findings, found.findings)]
    return replace(Report.of(findings), notes=report.notes + found.notes), found.prefixes


def without_accepted(
    report: Report, environment: str, baseline: Baseline | None, scanned: tuple[str, ...] = ()
) -> Report:
    """Less what is accepted: by the platform's own baseline in an environment, and by the user's.

    `scanned` are the beginnings of the codes that the scanners looked for.
    """
    today = datetime.now(UTC).date()
    for each in (platform_baseline() if environment else None, baseline):
        if each is not None:
            report = each.apply(report, today, environment, (RULE_CODES, *scanned))
    return report


def selected(report: Report, only: Sequence[str], ignore: Sequence[str]) -> Report:
    """The findings whose code is asked for."""

    def wanted(finding: Finding) -> bool:
        return (not only or finding.code in only) and finding.code not in ignore

    return replace(
        report,
        findings=tuple(each for each in report.findings if wanted(each)),
        accepted=tuple(each for each in report.accepted if wanted(each.finding)),
    )


def refuse_errors_of(environment: Environment, assembly: CloudAssembly, account_id: str) -> None:
    """What `up` does before it uploads anything. Raises `CheckError` if the templates have errors."""
    graph = load_graph(assembly.directory, account=account_id, region=environment.region)
    path = baseline_path(None)
    found = by_rules(graph, settings_of(environment))
    report = without_accepted(found, environment.name, load_baseline(path) if path else None)
    if report.errors:
        raise CheckError(
            _refusal(report.errors, environment),
            fix=_way_on(environment),
            findings=[asdict(each) for each in report.findings],
        )


def _refusal(errors: tuple[Finding, ...], environment: Environment) -> str:
    lines = [f"  {each.code} {each.place}: {each.message}" for each in errors[:_MAX_FINDINGS_IN_REFUSAL]]
    if len(errors) > _MAX_FINDINGS_IN_REFUSAL:
        lines.append(f"  and {len(errors) - _MAX_FINDINGS_IN_REFUSAL} more")
    count = f"{len(errors)} error{'s' if len(errors) > 1 else ''}"
    return "\n".join([f"{count} in the templates of {environment.stack_name}; nothing was deployed", *lines])


def _way_on(environment: Environment) -> str:
    return (
        f"trainworks check --env {environment.name} shows each with its fix; accept one in {FILE_NAME}, or deploy all "
        "the same with --no-check"
    )

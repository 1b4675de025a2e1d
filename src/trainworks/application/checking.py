"""One check, from the command line's words to a report: for `check`, and as the gate of `up` and the demo.

graph --> rules --+--> Report --> the platform's own baseline --> the user's baseline --> Report
scanners ---------+
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trainworks.assembly.graph import load_graph
from trainworks.config.environment import find_file
from trainworks.config.variables import cache_folder
from trainworks.errors import CheckError
from trainworks.preflight.baseline import FILE_NAME, Baseline, load_baseline, platform_baseline
from trainworks.preflight.checker import check
from trainworks.preflight.report import Report
from trainworks.preflight.rules import RULES
from trainworks.preflight.scanners import scan, without_repeats
from trainworks.preflight.settings import Settings

if TYPE_CHECKING:
    from trainworks.assembly import CloudAssembly, SynthRequest
    from trainworks.assembly.graph import Graph
    from trainworks.config.environment import Environment
    from trainworks.preflight.finding import Finding

RULE_CODES = "TW"
_MAX_FINDINGS_IN_REFUSAL = 10


@dataclass(frozen=True, slots=True)
class Scope:
    """What a check is told beside the templates. `environment` is empty for somebody else's templates."""

    settings: Settings
    environment: str = ""
    request: SynthRequest | None = None
    scanners: bool = False


def settings_of(environment: Environment) -> Settings:
    """Production is what the profile says it is."""
    return Settings(production=environment.profile.name.value == "prod")


def by_rules(graph: Graph, scope: Scope) -> Report:
    """What our own rules find."""
    return check(graph, scope.settings)


def completed(
    report: Report, graph: Graph, scope: Scope, baseline: Baseline | None, tell: Callable[[str], None] = lambda _: None
) -> Report:
    """With what the scanners find, if they are asked, and less what is accepted. `tell` hears what takes its time."""
    looked_for = [RULE_CODES]
    if scope.scanners:
        found = scan(graph, scope.request, cache_folder() / "scans", tell)
        findings = [*report.findings, *without_repeats(report.findings, found.findings)]
        report = replace(Report.of(findings), notes=report.notes + found.notes)
        looked_for += found.prefixes
    today = datetime.now(UTC).date()
    for each in (platform_baseline() if scope.environment else None, baseline):
        if each is not None:
            report = each.apply(report, today, scope.environment, looked_for)
    return report


def baseline_path(named: Path | None) -> Path | None:
    """The file that was named, or that which lies beside `trainworks.toml`."""
    configuration = find_file(Path.cwd())
    beside = configuration.parent / FILE_NAME if configuration else Path.cwd() / FILE_NAME
    return named or (beside if beside.is_file() else None)


def selected(report: Report, only: list[str], ignore: list[str]) -> Report:
    """The findings whose code is asked for."""

    def wanted(finding: Finding) -> bool:
        return (not only or finding.code in only) and finding.code not in ignore

    return replace(
        report,
        findings=tuple(each for each in report.findings if wanted(each)),
        accepted=tuple(each for each in report.accepted if wanted(each.finding)),
    )


def known_codes() -> tuple[str, ...]:
    """The codes of our own rules."""
    return tuple(rule.code for rule in RULES)


def refuse_errors_of(environment: Environment, assembly: CloudAssembly, account_id: str) -> None:
    """What `up` does before it uploads anything. Raises `CheckError` where the templates have errors."""
    graph = load_graph(assembly.directory, account=account_id, region=environment.region)
    path = baseline_path(None)
    scope = Scope(settings_of(environment), environment.name)
    report = completed(by_rules(graph, scope), graph, scope, load_baseline(path) if path else None)
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

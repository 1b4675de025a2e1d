"""How a check looks: for people grouped by rule, errors first; as records for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from trainworks.preflight.finding import Finding, Severity
from trainworks.preflight.report import Report
from trainworks.preflight.rules import RULES

_MAX_PLACES = 4
"""The places shown for one message in the text; the data has all of them."""
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}
_TITLES = {rule.code: rule.title for rule in RULES}


def report_record(report: Report, subject: str) -> dict[str, Any]:
    """The report as data."""
    return {
        "subject": subject,
        "errors": len(report.errors),
        "warnings": len(report.warnings),
        "findings": [asdict(finding) for finding in report.findings],
        "accepted": [{**asdict(each.finding), "reason": each.reason} for each in report.accepted],
        "notes": list(report.notes),
    }


def report_text(report: Report, subject: str, facts: Mapping[str, int | str]) -> RenderableType:
    """The report for people."""
    blocks: list[RenderableType] = []
    for (severity, code), findings in groupby(report.findings, key=lambda each: (each.severity, each.code)):
        blocks += [_heading(severity, code), *_findings(_alike(findings)), Text()]
    blocks += [Text(f"note: {note}", style="dim") for note in report.notes]
    blocks.append(_summary(report, subject, facts))
    return Group(*blocks)


def _heading(severity: Severity, code: str) -> Text:
    """The title names all that the rule looks for; each finding below is one of these."""
    looked_for = f"  looks for: {_TITLES[code]}" if code in _TITLES else ""
    return Text.assemble((f"{severity} {code}", _STYLES[severity]), (looked_for, "dim"))


def _alike(findings: Iterable[Finding]) -> list[list[Finding]]:
    """What is wrong in the same way at several places, together."""
    alike: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.code, finding.message, finding.fix), []).append(finding)
    return list(alike.values())


def _findings(alike: Iterable[Sequence[Finding]]) -> Iterable[Text]:
    """The first places of each message, how many more there are, and the message once below them."""
    for several in alike:
        for finding in several[:_MAX_PLACES]:
            kind = f"  {finding.resource_type}" if finding.resource_type else ""
            source = f"  {_relative(finding.source)}" if finding.source else ""
            yield Text.assemble((f"  {finding.place}", "bold"), (kind + source, "dim"))
            if finding.value:
                yield Text.assemble(("    is   ", "dim"), finding.value)
        if several[_MAX_PLACES:]:
            yield Text(f"  and {len(several) - _MAX_PLACES} more, which --output json names", style="dim")
        yield Text.assemble(("    why  ", "dim"), several[0].message)
        if several[0].fix:
            yield Text.assemble(("    fix  ", "dim"), several[0].fix)


def _relative(source: str) -> str:
    """Below the working folder as people name it there."""
    path = Path(source)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else source


def _summary(report: Report, subject: str, facts: Mapping[str, int | str]) -> Text:
    counts = [_counted(report.errors, "error"), _counted(report.warnings, "warning")]
    if report.accepted:
        counts.append(f"{len(report.accepted)} accepted")
    style = "bold red" if report.errors else "bold green"
    told = ", ".join(value if isinstance(value, str) else _count(value, name) for name, value in facts.items())
    return Text.assemble((f"{subject}: {', '.join(counts)}", style), (f"  ({told})", "dim"))


def _counted(findings: Sequence[Finding], what: str) -> str:
    """`3 warnings at 40 places`: many places of one message are one thing to think about."""
    kinds = len(_alike(findings))
    return _count(kinds, what) + (f" at {len(findings)} places" if kinds != len(findings) else "")


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"

"""How a diagnosis looks: what is wrong first, with its fix, then what it was seen by."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from trainworks.cli.addressed import addressed
from trainworks.doctor.finding import Diagnosis, Finding, Likelihood, Outcome

_SIGNS = {
    Outcome.PROBLEM: ("✗", "bold red"),
    Outcome.WARNING: ("!", "bold yellow"),
    Outcome.COULD_NOT_LOOK: ("?", "cyan"),
    Outcome.OK: ("✓", "green"),
}
_LONGEST_VALUE = 600


def diagnosis_text(diagnosis: Diagnosis) -> RenderableType:
    """Problems, warnings and what could not be looked at with fix and evidence; what is right in one line each."""
    heading = Text.assemble(f"{diagnosis.kind} ", (diagnosis.subject, "bold"), f": {diagnosis.state}")
    parts: list[RenderableType] = [heading, Text(_summary(diagnosis.findings))]
    for finding in diagnosis.findings:
        parts.append(_line(finding))
        if finding.outcome is Outcome.OK:
            continue
        if finding.fix:
            parts.append(Text.assemble(("      fix: ", "bold"), addressed(finding.fix)))
        if finding.outcome is not Outcome.COULD_NOT_LOOK:
            parts += [
                Text(_indented(f"{each.call} at {each.at.astimezone():%H:%M:%S}: {each.value}"), style="dim")
                for each in finding.evidence
            ]
    return Group(*parts)


def diagnosis_record(diagnosis: Diagnosis) -> dict[str, object]:
    """The whole diagnosis, for programs."""
    return {
        "kind": diagnosis.kind,
        "subject": diagnosis.subject,
        "state": diagnosis.state,
        "exit_code": diagnosis.exit_code,
        "findings": [
            {
                "code": finding.code,
                "outcome": finding.outcome,
                "likelihood": finding.likelihood,
                "what": finding.what,
                "fix": addressed(finding.fix),
                "evidence": [{"call": each.call, "value": each.value, "at": each.at} for each in finding.evidence],
            }
            for finding in diagnosis.findings
        ],
    }


def _line(finding: Finding) -> Text:
    sign, style = _SIGNS[finding.outcome]
    doubt = f" ({finding.likelihood})" if finding.likelihood is not Likelihood.CERTAIN else ""
    said = "could not look: " if finding.outcome is Outcome.COULD_NOT_LOOK else ""
    return Text.assemble((f"  {sign} ", style), said, finding.what, (doubt, "dim"))


def _summary(findings: Sequence[Finding]) -> str:
    counts = {outcome: sum(finding.outcome is outcome for finding in findings) for outcome in Outcome}
    parts = [
        f"{count} {_plural(outcome, count)}" for outcome, count in counts.items() if count and outcome is not Outcome.OK
    ]
    return f"  {', '.join(parts)}" if parts else "  nothing wrong found"


def _plural(outcome: Outcome, count: int) -> str:
    if outcome is Outcome.COULD_NOT_LOOK:
        return "not looked at"
    return outcome.value if count == 1 else f"{outcome.value}s"


def _indented(text: str) -> str:
    cut = text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]} ..."
    return "\n".join(f"      {'  ' if number else ''}{line}" for number, line in enumerate(cut.splitlines()))

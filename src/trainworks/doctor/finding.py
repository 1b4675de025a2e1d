"""What doctor found: findings with their evidence and fix, in the order in which they should be read.

    PROBLEM          wrong, and it has to be changed by somebody; exit code 1
    WARNING          nothing is broken, but it explains a wait or will fail later
    COULD_NOT_LOOK   a call was denied, is not offered by the endpoint or did not come through; never swallowed
    OK               looked at, and as it should be

`likelihood` orders findings of the same outcome: CERTAIN if the service itself says so or two values contradict each
other, LIKELY if this usually is the cause, POSSIBLE if it can be.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """See the module's text; in the order in which findings are shown."""

    PROBLEM = "problem"
    WARNING = "warning"
    COULD_NOT_LOOK = "could not look"
    OK = "ok"


class Likelihood(StrEnum):
    """How sure a finding is the cause; in the order in which findings are shown."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


_OUTCOME_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}
_LIKELIHOOD_RANK = {likelihood: rank for rank, likelihood in enumerate(Likelihood)}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was read: by which call (`batch:DescribeJobs`, or a file or system call), which value, when."""

    call: str
    value: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause or check. `code` is stable, for programs; `fix` a command or a change, empty if none is needed."""

    code: str
    outcome: Outcome
    what: str
    evidence: tuple[Evidence, ...] = ()
    fix: str = ""
    likelihood: Likelihood = Likelihood.CERTAIN


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings about one subject. `kind` is `batch job`, `training job`, `stack` or `installation`."""

    kind: str
    subject: str
    state: str
    findings: tuple[Finding, ...]

    @property
    def causes(self) -> tuple[Finding, ...]:
        """Problems and warnings, most likely first."""
        return tuple(f for f in self.findings if f.outcome in (Outcome.PROBLEM, Outcome.WARNING))

    @property
    def exit_code(self) -> int:
        """1 if there is a problem, else 0."""
        return int(any(finding.outcome is Outcome.PROBLEM for finding in self.findings))


def diagnosis(kind: str, subject: str, state: str, findings: Iterable[Finding]) -> Diagnosis:
    """Findings in the order of outcome and likelihood; among equals, as they were concluded."""
    ordered = sorted(findings, key=lambda f: (_OUTCOME_RANK[f.outcome], _LIKELIHOOD_RANK[f.likelihood]))
    return Diagnosis(kind, subject, state, tuple(ordered))

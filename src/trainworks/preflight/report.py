"""The outcome of a check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from trainworks.preflight.finding import Finding


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A finding that a baseline accepts, and why."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """`findings` stand; `accepted` are known and explained; `notes` say what could not be looked at."""

    findings: tuple[Finding, ...]
    accepted: tuple[Acceptance, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Report:
        """Findings in the order of reading: errors first, then by code and place; a repeated one stands once."""
        unique = dict.fromkeys(findings)
        return cls(tuple(sorted(unique, key=lambda f: (not f.is_error, f.code, f.place, f.message))))

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.is_error)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.is_error)

"""Makes the diagnosis of an installation from its facts: a pure function."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.doctor.finding import Diagnosis, Finding, Outcome, diagnosis
from trainworks.doctor.installation.account import account_findings
from trainworks.doctor.installation.facts import InstallationFacts
from trainworks.doctor.installation.machine import (
    disk_findings,
    gpu_findings,
    limit_findings,
    node_findings,
    python_findings,
    sandbox_findings,
    variable_findings,
)
from trainworks.doctor.installation.twin import home_findings
from trainworks.doctor.looking import could_not_look


def diagnose_installation(facts: InstallationFacts, *, environment: str, is_twin: bool) -> Diagnosis:
    """Every check of the machine, the twin's home and the account. The exit code is 1 if one of them is a problem."""
    findings = [*_findings(facts, is_twin), *_unseen(facts)]
    wrong = any(finding.outcome is Outcome.PROBLEM for finding in findings)
    return diagnosis("installation", f"environment {environment}", "has problems" if wrong else "usable", findings)


def _findings(facts: InstallationFacts, is_twin: bool) -> Iterator[Finding]:
    yield from variable_findings(facts.variables)
    yield from python_findings(facts.python)
    packages = facts.python.value.packages if facts.python.value else ()
    has_infra = any(each.extra == "infra" and each.installed for each in packages)
    yield from node_findings(facts.node, infra_installed=has_infra)
    yield from home_findings(facts.home, is_needed=is_twin)
    yield from sandbox_findings(facts.sandbox)
    yield from gpu_findings(facts.gpus)
    for disk in facts.disks:
        yield from disk_findings(disk)
    yield from limit_findings(facts.limits)
    if facts.account is not None:
        yield from account_findings(facts.account)


def _unseen(facts: InstallationFacts) -> Iterator[Finding]:
    for finding in could_not_look(facts):
        call = finding.evidence[0].call
        if not call.startswith("sts:GetCallerIdentity") and not call.endswith("node --version"):
            yield finding
    if facts.no_session:
        yield Finding("no-session", Outcome.COULD_NOT_LOOK, f"the account: {facts.no_session}")

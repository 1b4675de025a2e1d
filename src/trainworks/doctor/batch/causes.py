"""Makes the diagnosis of a Batch job from its facts: a pure function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from trainworks.doctor.batch.ended import failed_findings, starting_findings
from trainworks.doctor.batch.facts import BatchFacts, BatchJob
from trainworks.doctor.batch.waiting import host_findings, pending_findings, waiting_findings
from trainworks.doctor.finding import Diagnosis, Finding, Outcome, diagnosis
from trainworks.doctor.looking import could_not_look


def diagnose_batch_job(facts: BatchFacts, name: str) -> Diagnosis:
    """Why the job is in its state; `name` is how it was asked for."""
    job = facts.job.value
    if job is None:
        return diagnosis("batch job", name, "unknown", could_not_look(facts))
    subject = job.job_name if name in (job.job_name, job.job_id) else name
    findings = merged((*_findings(facts, job), *could_not_look(facts)))
    return diagnosis("batch job", f"{subject} ({job.job_id})", job.status, findings)


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings that say the same of the same cause as one, with the evidence of all; the first one's words stay."""
    kept: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = (finding.code, "" if finding.code in _SEEN_TWICE else finding.what)
        first = kept.get(key)
        kept[key] = finding if first is None else replace(first, evidence=(*first.evidence, *finding.evidence))
    return tuple(kept.values())


_SEEN_TWICE = frozenset({"job-too-large", "job-exceeds-max-vcpus", "environment-invalid"})
"""Causes that Batch names in statusReason and that the numbers show as well."""


def _findings(facts: BatchFacts, job: BatchJob) -> Iterator[Finding]:
    if facts.child is not None and facts.child.job.value is not None:
        yield from _of_child(job, facts.child, facts.child.job.value)
        return
    match job.status:
        case "SUBMITTED" | "PENDING":
            yield from pending_findings(facts, job)
        case "RUNNABLE":
            yield from waiting_findings(facts, job)
        case "STARTING":
            yield from starting_findings(facts, job)
            yield from host_findings(facts, job)
        case "FAILED":
            yield from failed_findings(facts, job)
            yield from pending_findings(facts, job)
        case _:
            yield Finding(
                "as-it-should-be", Outcome.OK, f"it is {job.status}", (facts.job.evidence(f"status={job.status}"),)
            )


def _of_child(parent: BatchJob, facts: BatchFacts, child: BatchJob) -> Iterator[Finding]:
    """What is wrong with the child that tells most stands for the array."""
    counts = ", ".join(f"{number} {status}" for status, number in parent.children if number)
    for finding in _findings(facts, child):
        yield replace(
            finding,
            what=f"child {child.job_id.rpartition(':')[2]} of the array ({counts}): {finding.what}",
        )

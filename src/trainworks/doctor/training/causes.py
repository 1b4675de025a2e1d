"""Makes the diagnosis of a training job from its facts: a pure function."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trainworks.aws.service_needs import WorkloadKind, services_of
from trainworks.doctor.denials import denial_in
from trainworks.doctor.finding import Diagnosis, Evidence, Finding, Likelihood, Outcome, diagnosis
from trainworks.doctor.images import IMAGE_BEING_MADE, being_made, image_findings
from trainworks.doctor.logs import missing_log_findings, shown_tail
from trainworks.doctor.looking import could_not_look
from trainworks.doctor.quotas import quota_findings
from trainworks.doctor.reachability import endpoint_on_way, network_findings, policy_findings
from trainworks.doctor.roles import role_findings
from trainworks.doctor.training.checkpoints import checkpoint_findings
from trainworks.doctor.training.facts import TrainingFacts, TrainingJob
from trainworks.doctor.training.reasons import meaning_of

_PATIENCE_SECONDS = 600
_ROOTS = frozenset(
    {
        "access-denied",
        "endpoint-policy-denies",
        "image-pull-failed",
        "input-missing",
        "request-wrong",
        "failed",
        "instance-lost",
        "no-capacity",
        "s3-unreachable",
    }
)
"""Failures behind which a role, an image or a subnet may stand; behind a script's own failure none does."""


def diagnose_training_job(facts: TrainingFacts, name: str) -> Diagnosis:
    """Why the job is in its state."""
    job = facts.job.value
    if job is None:
        return diagnosis("training job", name, "unknown", could_not_look(facts))
    state = job.status if job.status == job.secondary_status else f"{job.status} ({job.secondary_status})"
    return diagnosis("training job", job.name, state, [*_findings(facts, job), *could_not_look(facts)])


def _findings(facts: TrainingFacts, job: TrainingJob) -> Iterator[Finding]:
    if job.status == "Failed":
        yield from _failed(facts, job)
    elif job.status == "Stopped":
        yield from _stopped(facts, job)
    elif job.secondary_status in ("Starting", "Pending", "Downloading", "Restarting", "Interrupted"):
        yield from _waiting(facts, job)
    yield from checkpoint_findings(facts, job)
    if job.secondary_status in ("Training", "Uploading", "Completed"):
        shown = facts.job.evidence(f"SecondaryStatus={job.secondary_status}")
        yield Finding("as-it-should-be", Outcome.OK, f"it is {job.secondary_status}", (shown,))
        yield from _full_disk(facts)


def _full_disk(facts: TrainingFacts) -> Iterator[Finding]:
    """A script that catches the error of a full disk ends well, with a model that is cut off."""
    tail = shown_tail(facts.log)
    if facts.log is None or not re.search(r"No space left on device|\[Errno 28\]", tail):
        return
    yield Finding(
        "disk-full",
        Outcome.WARNING,
        "its disk was full, though it did not fail: what it wrote may be cut off",
        (facts.log.last_lines.evidence(tail),),
        "raise volume_size_in_gb of the job spec, and let the script fail when it cannot write",
        Likelihood.LIKELY,
    )


def _failed(facts: TrainingFacts, job: TrainingJob) -> Iterator[Finding]:
    denial = denial_in(job.failure_reason)
    by = "" if denial is None or facts.network is None else endpoint_on_way(facts.network, denial.action, False)
    meaning = meaning_of(job.failure_reason, by)
    evidence: list[Evidence] = [facts.job.evidence(f"FailureReason={job.failure_reason}")]
    tail = shown_tail(facts.log)
    if facts.log is not None and tail:
        evidence.append(facts.log.last_lines.evidence(tail))
    yield Finding(meaning.code, Outcome.PROBLEM, meaning.what, tuple(evidence), meaning.fix, meaning.likelihood)
    if meaning.code in _ROOTS:
        yield from _roots(facts, job)
    if meaning.code == "quota-exceeded":
        yield from quota_findings(facts.quota, job.instance_count, used_by="the job")
    yield from missing_log_findings(facts.log, used_by="the job")


def _stopped(facts: TrainingFacts, job: TrainingJob) -> Iterator[Finding]:
    evidence = (facts.job.evidence(f"SecondaryStatus={job.secondary_status}, {_limits(job)}"),)
    match job.secondary_status:
        case "MaxRuntimeExceeded":
            yield Finding(
                "max-runtime-exceeded",
                Outcome.PROBLEM,
                f"it was stopped after {job.max_runtime_seconds} s of running, its limit",
                evidence,
                "raise max_runtime_seconds of the job spec, or let it save checkpoints and start it again",
            )
        case "MaxWaitTimeExceeded":
            yield Finding(
                "max-wait-exceeded",
                Outcome.PROBLEM,
                f"it was stopped: waiting for spot instances and running took {job.max_wait_seconds} s, its limit"
                + (f"; it was interrupted {_times(job.interruptions)}" if job.interruptions else ""),
                evidence,
                "raise max_wait_seconds of the job spec, or set spot = false",
            )
        case _:
            yield Finding("stopped-by-request", Outcome.WARNING, "somebody stopped it", evidence)


def _waiting(facts: TrainingFacts, job: TrainingJob) -> Iterator[Finding]:
    present = job.transitions[-1] if job.transitions else None
    if present is not None and present.message.startswith(IMAGE_BEING_MADE):
        yield being_made(present.message, facts.job.evidence(f"StatusMessage={present.message}"))
        return
    roots = [*_roots(facts, job), *quota_findings(facts.quota, job.instance_count, used_by="the job")]
    yield from roots
    waited = 0.0 if present is None else (facts.looked_at - present.started_at).total_seconds()
    said = f": {present.message}" if present is not None and present.message else ""
    evidence = (facts.job.evidence(f"SecondaryStatus={job.secondary_status} for {waited:.0f} s{said}"),)
    left = _wait_left(facts, job)
    if waited < _PATIENCE_SECONDS and not roots and job.secondary_status not in ("Pending", "Interrupted"):
        what = f"nothing is wrong: it has been {job.secondary_status} for {waited:.0f} s"
        yield Finding("waiting", Outcome.OK, what, evidence)
        return
    instance = f"{'a spot instance' if job.is_spot else 'an instance'} {job.instance_type}"
    what = f"it has waited {waited:.0f} s for {instance}"
    if left is not None:
        what += f"; {max(0.0, left):.0f} s are left of max_wait_seconds={job.max_wait_seconds}"
    yield Finding(
        "waiting-for-capacity",
        Outcome.WARNING,
        what,
        evidence,
        "wait, or use another instance type" + (", or spot = false" if job.is_spot else ""),
        Likelihood.LIKELY if job.secondary_status == "Pending" else Likelihood.POSSIBLE,
    )


def _roots(facts: TrainingFacts, job: TrainingJob) -> Iterator[Finding]:
    """What keeps a job from its instance, its image and its data."""
    yield from image_findings(facts.image)
    if facts.role is not None:
        yield from role_findings(facts.role, used_by="the training job", service="sagemaker.amazonaws.com")
    if facts.network is not None:
        services = services_of([WorkloadKind.TRAINING_JOB])
        yield from network_findings(
            facts.network,
            services,
            used_by="the training job",
            addresses=job.instance_count,
        )
        yield from policy_findings(facts.network, facts.role, services, used_by="the training job", public_ip=False)


def _wait_left(facts: TrainingFacts, job: TrainingJob) -> float | None:
    if job.max_wait_seconds is None or job.created_at is None:
        return None
    return job.max_wait_seconds - (facts.looked_at - job.created_at).total_seconds()


def _limits(job: TrainingJob) -> str:
    wait = "" if job.max_wait_seconds is None else f", MaxWaitTimeInSeconds={job.max_wait_seconds}"
    return f"MaxRuntimeInSeconds={job.max_runtime_seconds}{wait}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"

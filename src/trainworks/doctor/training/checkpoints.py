"""Whether an interruption costs a job its work: checkpoints configured, written, and writable by its role."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.doctor.finding import Finding, Likelihood, Outcome
from trainworks.doctor.roles import judged
from trainworks.doctor.training.facts import TrainingFacts, TrainingJob


def checkpoint_findings(facts: TrainingFacts, job: TrainingJob) -> Iterator[Finding]:
    """For spot jobs, and for every job that was interrupted."""
    if job.interruptions:
        yield _interrupted(facts, job)
    if not job.is_spot:
        return
    if not job.checkpoint_s3_uri:
        yield Finding(
            "no-checkpoint-config",
            Outcome.PROBLEM if job.interruptions else Outcome.WARNING,
            "it runs on spot without CheckpointConfig: after an interruption it starts again from the beginning",
            (facts.job.evidence("EnableManagedSpotTraining=true, no CheckpointConfig"),),
            "set checkpoints in the job spec and save to /opt/ml/checkpoints, or spot = false",
        )
        return
    if facts.checkpoints is not None:
        yield from _saved(facts, job)
    if facts.role is not None and job.status != "Failed":
        yield from _unwritable(facts)


def _interrupted(facts: TrainingFacts, job: TrainingJob) -> Finding:
    lost = [each for each in job.transitions if each.status == "Interrupted"]
    times = "once" if len(lost) == 1 else f"{len(lost)} times"
    at = ", ".join(f"{each.started_at:%Y-%m-%d %H:%M:%S}" for each in lost)
    outcome = Outcome.OK if job.status == "Completed" else Outcome.WARNING
    return Finding(
        "interrupted",
        outcome,
        f"its spot instance was taken away {times}",
        (facts.job.evidence(f"Interrupted at {at}"),),
        "" if outcome is Outcome.OK else "nothing if it saves checkpoints often enough; otherwise set spot = false",
    )


def _saved(facts: TrainingFacts, job: TrainingJob) -> Iterator[Finding]:
    looked = facts.checkpoints
    if looked is None:
        return
    if looked.is_absent:
        yield Finding(
            "checkpoint-bucket-missing",
            Outcome.PROBLEM,
            f"the bucket of its checkpoints does not exist: {job.checkpoint_s3_uri}",
            (looked.evidence("NoSuchBucket"),),
            "deploy the platform again (trainworks up), or correct CheckpointConfig",
        )
    elif looked.value == 0 and job.interruptions:
        yield Finding(
            "no-checkpoints-saved",
            Outcome.PROBLEM,
            f"it was interrupted, and there is nothing below {job.checkpoint_s3_uri}: it started again from the "
            "beginning",
            (looked.evidence("KeyCount=0"),),
            "let the script save its state to /opt/ml/checkpoints, and on SIGTERM, and load what is there at its start",
            Likelihood.LIKELY,
        )


def _unwritable(facts: TrainingFacts) -> Iterator[Finding]:
    """Found out before the interruption, not after it."""
    role = facts.role
    for question in role.questions if role is not None else ():
        if role is None or "checkpoint" not in question.purpose:
            continue
        verdict, evidence = judged(role, question)
        if verdict is PartialDecision.NO:
            yield Finding(
                "checkpoints-denied",
                Outcome.PROBLEM,
                f"it cannot {question.purpose}: its role may not {question.action} on {question.resource}",
                evidence,
                f"allow {question.action} on {question.resource} in a policy of {role.role_arn}",
            )

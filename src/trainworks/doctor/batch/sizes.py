"""Whether a job fits its queue's compute environments: vCPUs, memory and GPUs of their instance types, maxvCpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from trainworks.aws.instance_types import (
    InstanceType,
    UnknownInstanceTypeError,
    expand_instance_types,
    holds,
    instance_type,
    schedulable_memory_mib,
)
from trainworks.doctor.batch.facts import FARGATE_TYPES, BatchFacts, BatchJob, ComputeEnvironment
from trainworks.doctor.finding import Evidence, Finding, Likelihood, Outcome


def size_findings(facts: BatchFacts, job: BatchJob) -> Iterator[Finding]:
    """The job is too large for every environment that could take it, or for what others leave of them."""
    usable = [each for each in facts.environments.value or () if each.is_usable]
    if not usable:
        return
    asked = asked_for(job)
    evidence = (
        facts.job.evidence(asked),
        facts.environments.evidence("; ".join(_shown(environment) for environment in usable)),
    )
    wide = [each for each in usable if each.max_vcpus >= job.vcpus]
    if not wide:
        most = max(each.max_vcpus for each in usable)
        yield Finding(
            "job-exceeds-max-vcpus",
            Outcome.PROBLEM,
            f"the job asks for {job.vcpus:g} vCPUs, and no compute environment of its queue may have more than {most}",
            evidence,
            f"ask for at most {most} vCPUs, or raise max_vcpus in trainworks.toml ([environments.NAME.batch]) "
            "and deploy: trainworks up",
        )
        return
    yield from _instance_findings(job, wide, asked, evidence)
    yield from _full(facts, job, wide)


def asked_for(job: BatchJob) -> str:
    gpus = f", {job.gpus} GPU{'s' if job.gpus > 1 else ''}" if job.gpus else ""
    return f"{job.vcpus:g} vCPUs, {job.memory_mib} MiB{gpus}"


def _instance_findings(
    job: BatchJob, wide: Sequence[ComputeEnvironment], asked: str, evidence: tuple[Evidence, ...]
) -> Iterator[Finding]:
    if any(each.kind in FARGATE_TYPES for each in wide):
        return  # Batch checks a Fargate job's size when it is submitted
    try:
        kinds = [instance_type(name) for name in expand_instance_types(chain(*(each.instance_types for each in wide)))]
    except UnknownInstanceTypeError as error:
        yield Finding(
            "instance-type-unknown",
            Outcome.COULD_NOT_LOOK,
            f"whether the job fits: {error.message}",
            evidence,
            "aws ec2 describe-instance-types says how large it is",
        )
        return
    if not any(_declares(kind, job) for kind in kinds):
        largest = max(kinds, key=lambda kind: (min(kind.gpus, job.gpus), kind.memory_mib, kind.vcpus))
        yield Finding(
            "job-too-large",
            Outcome.PROBLEM,
            f"the job asks for {asked}; no instance type of its queue has that "
            f"(the largest, {largest.name}: {largest.vcpus} vCPUs, {largest.memory_mib} MiB, {largest.gpus} GPUs)",
            evidence,
            f"ask for less, or add a larger instance type to instance_types of the batch profile{_larger(job, kinds)}",
        )
    elif not any(_holds(kind, job) for kind in kinds):
        best = max(schedulable_memory_mib(kind) for kind in kinds if _declares(kind, job))
        yield Finding(
            "job-leaves-no-memory-for-host",
            Outcome.PROBLEM,
            f"the job asks for {job.memory_mib} MiB, all that its instances have: the system and the ECS agent need "
            "a part of it",
            evidence,
            f"ask for at most {best} MiB",
            Likelihood.LIKELY,
        )


def _full(facts: BatchFacts, job: BatchJob, wide: Sequence[ComputeEnvironment]) -> Iterator[Finding]:
    """Others use the vCPUs that the job waits for: nothing is wrong, it takes its turn."""
    in_use = facts.vcpus_in_use
    if in_use is None or in_use.value is None:
        return
    most = sum(each.max_vcpus for each in wide)
    if in_use.value > 0 and most - in_use.value < job.vcpus:
        yield Finding(
            "environment-full",
            Outcome.WARNING,
            f"other jobs of the queue use {in_use.value:g} of {most} vCPUs: the job waits until {job.vcpus:g} are free",
            (
                in_use.evidence(f"{in_use.value:g} vCPUs of STARTING and RUNNING jobs"),
                facts.environments.evidence("; ".join(f"{e.name}: maxvCpus={e.max_vcpus}" for e in wide)),
            ),
            "wait, stop jobs that nobody needs (trainworks jobs lists them), or raise max_vcpus of the batch profile",
            Likelihood.LIKELY,
        )


def _holds(kind: InstanceType, job: BatchJob) -> bool:
    return holds(kind, job.vcpus, job.memory_mib, job.gpus)


def _declares(kind: InstanceType, job: BatchJob) -> bool:
    return kind.vcpus >= job.vcpus and kind.memory_mib >= job.memory_mib and kind.gpus >= job.gpus


def _larger(job: BatchJob, kinds: Sequence[InstanceType]) -> str:
    """The smallest type of the families in use, or of GPU families, that would do."""
    families = {kind.family for kind in kinds} | ({"g4dn", "g5", "p3", "p4d"} if job.gpus else {"m5", "r5"})
    candidates = [
        kind
        for family in sorted(families)
        for kind in map(instance_type, expand_instance_types([family]))
        if _holds(kind, job)
    ]
    return f", such as {min(candidates, key=lambda kind: kind.size).name}" if candidates else ""


def _shown(environment: ComputeEnvironment) -> str:
    types = ",".join(environment.instance_types) or environment.kind
    return f"{environment.name}: instanceTypes={types}, maxvCpus={environment.max_vcpus}"

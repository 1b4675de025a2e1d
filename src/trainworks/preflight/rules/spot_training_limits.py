"""TW08: managed spot training whose time limits are absent, misplaced or contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Unknown
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import TrainingJob, workloads_of

_DEFAULT_MAX_RUNTIME_SECONDS = 86_400.0


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """For requests of `CreateTrainingJob` and parts of them."""
    for job in workloads_of(graph).training_jobs:
        if job.misplaced:
            names = " and ".join(job.misplaced)
            yield Fault(
                job.at,
                f"{names} of the {job.title} are next to StoppingCondition, where CreateTrainingJob does not accept "
                "them",
                dict(job.misplaced),
                "put them into StoppingCondition",
            )
        elif job.enable_managed_spot_training is True:
            yield from _limits(job)


def _limits(job: TrainingJob) -> Iterator[Fault]:
    runtime, wait = job.max_runtime_seconds, job.max_wait_time_seconds
    stopping = job.request.get("StoppingCondition")
    if isinstance(runtime, Unknown) or isinstance(wait, Unknown) or isinstance(stopping, Unknown):
        return
    if wait is None:
        # Where a part of a request says nothing of stopping, who submits it may still.
        may_follow = not job.is_complete and stopping is None
        yield Fault(
            job.at,
            f"spot training without MaxWaitTimeInSeconds is rejected ({job.title})",
            stopping,
            "set StoppingCondition.MaxWaitTimeInSeconds to MaxRuntimeInSeconds and the time to wait for capacity",
            Severity.WARNING if may_follow else None,
        )
    elif wait < (runtime or _DEFAULT_MAX_RUNTIME_SECONDS):
        default = "" if runtime else " by default"
        yield Fault(
            job.at,
            f"MaxWaitTimeInSeconds {wait:g} is below MaxRuntimeInSeconds, {runtime or _DEFAULT_MAX_RUNTIME_SECONDS:g}"
            f"{default}: the spot {job.title} is rejected",
            stopping,
            "the wait includes the run: set it to at least MaxRuntimeInSeconds",
        )


RULE = Rule(
    code="TW08",
    severity=Severity.ERROR,
    title="spot training without valid time limits",
    origin="Spot settings next to StoppingCondition do not make a valid request, so spot exists on paper only.",
    find=find,
)

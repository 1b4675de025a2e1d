"""TW33: Batch jobs that only run on spot, and are tried once."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import workloads_of


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """Where every compute environment of the templates is spot; which queue a job goes to is not in a template."""
    del settings
    workloads = workloads_of(graph)
    for fargate in (False, True):
        environments = [each for each in workloads.batch_environments if each.is_fargate is fargate]
        if not environments or not all(each.is_spot for each in environments):
            continue
        names = ", ".join(each.place for each in environments)
        for definition in workloads.job_definitions:
            attempts = definition.resource.get("RetryStrategy", "Attempts", default=1)
            if definition.is_fargate is fargate and attempts in (1, "1"):
                yield Fault(
                    definition.resource,
                    f"is tried once, and every compute environment is spot ({names}): an interruption fails the job",
                    f"RetryStrategy.Attempts: {attempts}",
                    "set RetryStrategy.Attempts to 2 or more, with EvaluateOnExit for `Host EC2*`, so that only what "
                    "AWS took back is tried again",
                )


RULE = Rule(
    code="TW33",
    severity=Severity.WARNING,
    title="a Batch job that runs on spot alone and is tried once",
    origin="Spot saves most of the money until the first interruption, which a job of one attempt does not survive.",
    find=find,
)

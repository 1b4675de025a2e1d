"""TW07: spot hosts by BEST_FIT without the role that Batch asks Spot Fleet with."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import workloads_of


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """BEST_FIT is also what an environment has that says nothing."""
    for environment in workloads_of(graph).batch_environments:
        is_spot = environment.is_spot and not environment.is_fargate
        if is_spot and environment.allocation_strategy in ("", "BEST_FIT") and not environment.spot_iam_fleet_role:
            said = "with" if environment.allocation_strategy else "without AllocationStrategy, which is"
            yield Fault(
                environment.at,
                f"a SPOT compute environment {said} BEST_FIT needs SpotIamFleetRole: without it, it becomes INVALID",
                environment.allocation_strategy,
                "set AllocationStrategy to SPOT_PRICE_CAPACITY_OPTIMIZED, or give SpotIamFleetRole",
            )


RULE = Rule(
    code="TW07",
    severity=Severity.ERROR,
    title="spot hosts by BEST_FIT without a fleet role",
    origin="Batch accepts the environment and then turns it INVALID.",
    find=find,
)

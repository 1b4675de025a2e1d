"""TW05: a Batch job with more vCPUs than its compute environments may ever have."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import workloads_of


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """A job is too much only if it is for every environment of its platform."""
    workloads = workloads_of(graph)
    for definition in workloads.job_definitions:
        limits = [each.max_vcpus for each in workloads.batch_environments if each.is_fargate == definition.is_fargate]
        known = [limit for limit in limits if isinstance(limit, float)]
        vcpus, nodes = definition.vcpus, definition.num_nodes
        if not limits or len(known) < len(limits) or not isinstance(vcpus, float) or not isinstance(nodes, float):
            continue
        if vcpus * nodes > max(known):
            whole = f"{vcpus:g} vCPU" if nodes == 1 else f"{nodes:g} nodes of {vcpus:g} vCPU"
            yield Fault(
                definition.resource,
                f"the job asks for {whole}, and no compute environment may have more than {max(known):g}: "
                "it stays RUNNABLE for ever",
                whole,
                f"raise MaxvCpus to at least {vcpus * nodes:g}, or ask for less",
            )


RULE = Rule(
    code="TW05",
    severity=Severity.ERROR,
    title="a Batch job above the maximum of its compute environments",
    origin="RUNNABLE for ever is the most common complaint about Batch.",
    find=find,
)

"""TW04: instance types by name next to `optimal`, which makes them meaningless."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Unknown
from trainworks.aws.instance_types import DEFAULT_FAMILIES
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import workloads_of


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """Per compute environment."""
    for environment in workloads_of(graph).batch_environments:
        types = [each for each in environment.instance_types if not isinstance(each, Unknown)]
        open_ended = [each for each in types if each in DEFAULT_FAMILIES]
        named = [each for each in types if each not in DEFAULT_FAMILIES]
        if open_ended and named:
            families = ", ".join(DEFAULT_FAMILIES[open_ended[0]])
            yield Fault(
                environment.at,
                f"{', '.join(named)} does not limit the hosts: {open_ended[0]} adds every type of {families}",
                list(types),
                f"remove {open_ended[0]}, or the named types",
            )


RULE = Rule(
    code="TW04",
    severity=Severity.WARNING,
    title="instance types by name next to `optimal`",
    origin="The CDK adds optimal by itself, and jobs land on types that nobody asked for.",
    find=find,
)

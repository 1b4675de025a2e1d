"""TW00: what CloudFormation itself refuses."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import Settings


def find(graph: Graph, settings: Settings) -> Iterator[Fault]:
    del settings
    for problem in graph.problems:
        yield Fault(problem.place, problem.message, None, problem.fix)


RULE = Rule(
    code="TW00",
    severity=Severity.ERROR,
    title="a reference to nothing, a cycle, an unknown resource type",
    origin="CloudFormation refuses the template, or the change set fails when everything is uploaded already.",
    find=find,
)

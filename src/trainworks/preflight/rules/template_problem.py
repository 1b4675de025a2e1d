"""TW00: what CloudFormation itself refuses."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource
from trainworks.assembly.schemas import is_aws_type
from trainworks.assembly.template_check import close_type
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings

REFUSED = "TW00"
"""Counted with no rules: it says what CloudFormation says too, only earlier."""


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    places = {resource.place: resource for resource in graph.resources} if graph.problems else {}
    for problem in graph.problems:
        yield Fault(places.get(problem.place, problem.place), problem.message, None, problem.fix)
    for resource in graph.resources:
        if resource.type.startswith("AWS::") and not is_aws_type(resource.type):
            yield _unknown_type(resource)


def _unknown_type(resource: Resource) -> Fault:
    """Almost a known type is a slip; one that is like none may be newer than the list."""
    close = close_type(resource.type)
    if close:
        return Fault(resource, "its type does not exist", resource.type, f"write {close}")
    return Fault(
        resource,
        "its type is in no list of AWS's resource types",
        resource.type,
        "correct the type; if it is a new one, accept this finding",
        Severity.WARNING,
    )


RULE = Rule(
    code=REFUSED,
    severity=Severity.ERROR,
    title="a wrong form, a reference to nothing, a cycle, an unknown resource type, property or value",
    origin="CloudFormation refuses the template, or the change set fails after everything is uploaded.",
    find=find,
)

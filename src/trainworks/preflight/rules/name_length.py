"""TW18: a name that its service refuses for its length."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.preflight.finding import Severity
from trainworks.preflight.registry import named_types
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings

STRICTER: Mapping[str, int] = {
    # Where the registry schema has a looser figure than the service's API model, or none.
    "AWS::SageMaker::NotebookInstance": 63,
    "AWS::SageMaker::Endpoint": 63,
    "AWS::Lambda::Function": 64,
    "AWS::EC2::SecurityGroup": 255,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": 32,
    "AWS::ElasticLoadBalancingV2::TargetGroup": 32,
}
"""Characters at most, by resource type."""

IN_DOCUMENTS: Mapping[str, int] = {
    "TrainingJobName": 63,
    "ProcessingJobName": 63,
    "TransformJobName": 63,
    "ModelName": 63,
    "EndpointName": 63,
    "EndpointConfigName": 63,
    "PipelineName": 256,
}
"""Characters at most, by the key of a SageMaker request in a state machine or another JSON document."""


_ROOM_FOR_A_STACK_NAME = 24
"""Characters that a template should leave for the name of its stack; less is told."""


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for resource in graph.resources:
        yield from _physical_name(graph, resource)
    for document in graph.documents():
        for key, name in _names(document.value):
            if _is_too_long(graph, name, IN_DOCUMENTS[key]):
                yield _fault(document.resource or document.place, key, name, IN_DOCUMENTS[key])


def _physical_name(graph: Graph, resource: Resource) -> Iterator[Fault]:
    known = named_types().get(resource.type)
    limit = STRICTER.get(resource.type, known.max_length if known else None)
    if known is None or limit is None:
        return
    name = resource.get(known.name)
    if isinstance(name, str) and _holds_a_stack_name_to_come(graph, resource, known.name, name):
        yield from _with_stack_name(resource, known.name, name, limit)
    elif _is_too_long(graph, name, limit, resource):
        yield _fault(resource, known.name, name, limit)


def _holds_a_stack_name_to_come(graph: Graph, resource: Resource, property_: str, name: str) -> bool:
    """Whether the name has the name of a stack in it that nobody has given yet: a template's file says none."""
    if graph.termination_protection(resource.stack) is not None or isinstance(name, Unknown):
        return False
    written = json.dumps(resource.raw.get("Properties", {}).get(property_))
    return resource.stack in name and ("AWS::StackName" in written or bool(resource.stack_path))


def _with_stack_name(resource: Resource, property_: str, name: str, limit: int) -> Iterator[Fault]:
    """The length of the stack's name from which on the name is refused."""
    times = name.count(resource.stack)
    rest = len(name) - times * len(resource.stack)
    longest = max(0, (limit - rest) // times)
    if longest < _ROOM_FOR_A_STACK_NAME:
        yield Fault(
            resource,
            f"{property_} has {rest} characters beside the stack's name, and {limit} are allowed: a stack name of "
            f"{longest + 1} or more characters fails",
            name,
            f"shorten it, or leave {property_} to CloudFormation",
            Severity.WARNING if longest else Severity.ERROR,
        )


def _is_too_long(graph: Graph, name: object, limit: int, owner: Resource | None = None) -> bool:
    """A name made from another resource's id is as long as that id, which is not known."""
    if not isinstance(name, str) or isinstance(name, Unknown) or len(name) <= limit:
        return False
    return all(mentioned is owner for mentioned in graph.mentioned(name))


def _names(value: Any) -> Iterator[tuple[str, str]]:
    """Every name of `IN_DOCUMENTS` in a JSON value. A reference path (`$.name`) is decided when it runs."""
    if isinstance(value, list):
        for each in value:
            yield from _names(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key in IN_DOCUMENTS and isinstance(each, str) and not each.startswith("$"):
                yield key, each
            yield from _names(each)


def _fault(at: Resource | str, property_: str, name: str, limit: int) -> Fault:
    return Fault(
        at,
        f"{property_} has {len(name)} characters, and {limit} are allowed: the creation is refused",
        name,
        f"shorten it by {len(name) - limit}, or leave the name to CloudFormation",
    )


RULE = Rule(
    code="TW18",
    severity=Severity.ERROR,
    title="a name longer than its service allows",
    origin="A long environment suffix passes synthesis and the change set, and fails one resource it does not fit.",
    find=find,
)

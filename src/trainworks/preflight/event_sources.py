"""What a function's role needs of the queue or stream that Lambda reads for it.

Source: Lambda Developer Guide, "Required permissions" of event source mappings for SQS, Kinesis and DynamoDB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.arn import parts_of_arn
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.workloads.values import table, text

_STREAM = ("DescribeStream", "GetRecords", "GetShardIterator")
_ACTIONS = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "kinesis": tuple(f"kinesis:{action}" for action in _STREAM),
    "dynamodb": tuple(f"dynamodb:{action}" for action in _STREAM),
}
_FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
_NAMES_OF_FUNCTIONS = ("AWS::Lambda::Version", "AWS::Lambda::Alias")


_SERVERLESS = {"SQS": "Queue", "Kinesis": "Stream", "DynamoDB": "Stream"}
"""Events of a serverless function that become mappings, and the property that names their source."""


@dataclass(frozen=True, slots=True)
class EventSource:
    """A mapping, at `place`, by which Lambda reads `source`, an ARN, for `function`."""

    place: str
    source: str
    function: Resource


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A mapping whose function's `role` lacks `actions` on its source."""

    mapping: EventSource
    role: Resource
    actions: tuple[str, ...]


def event_sources_of(graph: Graph) -> Iterator[EventSource]:
    """Every mapping of a function of the templates: a resource, or an event of a serverless function."""
    for mapping in graph.of_type("AWS::Lambda::EventSourceMapping"):
        function = function_of(graph, mapping.get("FunctionName"))
        if function is not None:
            yield EventSource(mapping.place, text(mapping.get("EventSourceArn")), function)
    for function in graph.of_type("AWS::Serverless::Function"):
        for name, event in table(function.get("Events")).items():
            named = _SERVERLESS.get(text(table(event).get("Type")))
            if named:
                source = text(table(table(event).get("Properties")).get(named))
                yield EventSource(f"{function.place} (event {name})", source, function)


def unreadable_sources(graph: Graph) -> Iterator[Unreadable]:
    """Every event source mapping that Lambda refuses to create."""
    for mapping in event_sources_of(graph):
        source, role = mapping.source, permissions_of(graph).role(mapping.function.get("Role"))
        if role is None or not source or isinstance(source, Unknown) or "/consumer/" in source:
            continue
        owner = next(iter(graph.mentioned(source)), None)
        if owner is not None and _lets_in(graph, owner):
            continue
        # A policy may name a table's stream by the pattern of all its streams.
        ways = (source, f"{owner.arn}/stream/any") if owner is not None else (source,)
        permissions = permissions_of(graph).of(role)
        missing = tuple(
            action
            for action in _ACTIONS.get(parts_of_arn(source).service, ())
            if all(permissions.allows(action, way) is PartialDecision.NO for way in ways)
        )
        if missing:
            yield Unreadable(mapping, role, missing)


def function_of(graph: Graph, named: object) -> Resource | None:
    """The function that a mapping names: by itself, a version or an alias, or with the name of one (`NAME:live`)."""
    found = graph.owner(named)
    if found is None and isinstance(named, str) and not isinstance(named, Unknown):
        found = graph.owner(named.rpartition(":")[0])
    if found is not None and found.type in _NAMES_OF_FUNCTIONS:
        found = graph.owner(found.get("FunctionName"))
    return found if found is not None and found.type in _FUNCTIONS else None


def _lets_in(graph: Graph, queue: Resource) -> bool:
    """Whether its own policy may allow the role, which is enough within an account."""
    policies = ("AWS::SQS::QueuePolicy", "AWS::SQS::QueueInlinePolicy", "AWS::Kinesis::ResourcePolicy")
    return queue.get("ResourcePolicy") is not None or any(
        each.source is not None and each.source.type in policies for each in graph.users_of(queue)
    )

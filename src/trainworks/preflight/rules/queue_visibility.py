"""TW36: a queue whose messages come back while the function still works on them."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph
from trainworks.preflight.event_sources import event_sources_of
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads.values import number

_DEFAULT_VISIBILITY_SECONDS, _DEFAULT_TIMEOUT_SECONDS = 30.0, 3.0
_RECOMMENDED_FACTOR = 6


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """Lambda compares both when it creates the mapping, and refuses a shorter visibility."""
    del settings
    for mapping in event_sources_of(graph):
        queue, function = graph.owner(mapping.source), mapping.function
        if queue is None or queue.type != "AWS::SQS::Queue":
            continue
        visible = number(queue.get("VisibilityTimeout", default=_DEFAULT_VISIBILITY_SECONDS))
        timeout = number(function.get("Timeout", default=_DEFAULT_TIMEOUT_SECONDS))
        if isinstance(visible, float) and isinstance(timeout, float) and visible < timeout:
            yield Fault(
                queue,
                f"its visibility timeout of {visible:g} s is less than the timeout of {function.place}, {timeout:g} s: "
                f"Lambda refuses the event source mapping {mapping.place}",
                f"VisibilityTimeout: {visible:g}",
                f"set VisibilityTimeout to {_RECOMMENDED_FACTOR * timeout:g}, six times the function's timeout, as "
                "Lambda advises; at least to that timeout",
            )


RULE = Rule(
    code="TW36",
    severity=Severity.ERROR,
    title="a queue whose visibility timeout is below the timeout of the function that reads it",
    origin="Thirty seconds are a queue's default, and a function that loads a model needs longer.",
    find=find,
)

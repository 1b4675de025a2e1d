"""Topics, queues, buses, schedules, functions, state machines: what costs when it is used and not before."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource
from trainworks.cost.metering import Assumptions, Reading, Unmetered, meter


def topic(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield meter("messages", "sns.requests")
    yield meter("e-mail deliveries", "sns.email")


def queue(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del graph, assumptions
    yield meter("requests", "sqs.fifo" if resource.get("FifoQueue") is True else "sqs.standard")


def event_bus(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield meter("custom events", "events.custom")


def schedule(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield meter("invocations", "events.scheduler")


def state_machine(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del graph, assumptions
    if resource.get("StateMachineType", default="STANDARD") == "EXPRESS":
        yield meter("executions", "states.express_requests", note="their duration and memory come on top")
    else:
        yield meter("state transitions", "states.transitions")


def function(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield meter("calls", "lambda.requests")
    yield meter("run time", "lambda.duration")


def function_version(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """An alias or version is free unless it keeps environments warm."""
    del graph, assumptions
    if resource.get("ProvisionedConcurrencyConfig") is not None:
        yield Unmetered("provisioned concurrency is in no price table")

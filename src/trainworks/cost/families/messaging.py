"""Topics, queues, buses, schedules, functions, state machines: what costs when it is used and not before."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource
from trainworks.cost.metering import Assumptions, Reading, Unmetered, meter, whole_number
from trainworks.cost.money import HOURS_PER_MONTH


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


def stream(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Shards that are provisioned cost by the hour, a stream on demand as a whole."""
    del graph, assumptions
    if resource.get("StreamModeDetails", "StreamMode", default="PROVISIONED") == "ON_DEMAND":
        yield meter("stream on demand", "kinesis.on_demand_stream", HOURS_PER_MONTH)
        return
    shards = whole_number(resource.get("ShardCount", default=1))
    if shards is None:
        yield Unmetered("its number of shards is not known before the deploy")
    else:
        yield meter(f"{shards} shard{'' if shards == 1 else 's'}", "kinesis.shard", HOURS_PER_MONTH * shards)


def pipeline(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """V1 costs by the month in which it runs, V2 by the minutes of its actions."""
    del graph, assumptions
    if resource.get("PipelineType", default="V1") == "V2":
        yield meter("run time of actions", "codepipeline.action")
    else:
        yield meter("active pipeline", "codepipeline.pipeline", 1, "none in a month without a change")


def parameter(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Standard parameters are free."""
    del graph, assumptions
    if resource.get("Tier", default="Standard") != "Standard":
        yield Unmetered("advanced parameters cost by the month, and are in no price table")

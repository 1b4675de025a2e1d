"""APIs of API Gateway: requests by use, and a cache that costs by the hour."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource
from trainworks.cost.metering import BY_USE, Assumptions, Meter, Reading, Unmetered


def api(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield Meter("requests", (), BY_USE)


def stage(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """A stage is free without a cache of its own. The template may write the truth value as text."""
    del graph, assumptions
    if str(resource.get("CacheClusterEnabled", default=False)).lower() != "false":
        yield Unmetered("its cache costs by the hour, and is in no price table")

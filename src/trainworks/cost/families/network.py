"""Endpoints, NAT gateways, addresses, load balancers, flow logs."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource
from trainworks.cost.metering import BY_USE, Assumptions, Meter, Reading, Unmetered, meter
from trainworks.cost.money import HOURS_PER_MONTH


def vpc_endpoint(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """An interface endpoint costs by the hour in each subnet, that is zone; gateway endpoints are free."""
    del graph, assumptions
    kind = resource.get("VpcEndpointType", default="Gateway")
    if kind == "Gateway":
        return
    if kind != "Interface":
        yield Unmetered(f"endpoints of type {kind} are in no price table")
        return
    subnets = resource.get("SubnetIds")
    if not isinstance(subnets, list):
        yield Unmetered("its subnets, and so its zones, are not known before the deploy")
        return
    zones = f"{len(subnets)} zone{'' if len(subnets) == 1 else 's'}"
    yield meter(f"interface endpoint in {zones}", "vpc.interface_endpoint", HOURS_PER_MONTH * len(subnets))
    yield meter("data through it", "vpc.interface_endpoint.data")


def nat_gateway(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield meter("NAT gateway", "vpc.nat_gateway", HOURS_PER_MONTH)
    yield meter("data through it", "vpc.nat_gateway.data")


def elastic_ip(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """In use or not: a public IPv4 address costs the same."""
    del resource, graph, assumptions
    yield meter("public IPv4 address", "vpc.public_ipv4", HOURS_PER_MONTH)


def flow_log(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del graph, assumptions
    if resource.get("LogDestinationType", default="cloud-watch-logs") == "cloud-watch-logs":
        yield meter("records delivered to Logs", "logs.vended_ingestion")
    else:
        yield Meter("records delivered", (), BY_USE)


def load_balancer(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del graph, assumptions
    kind = resource.get("Type", default="application")
    if kind != "application":
        yield Unmetered(f"load balancers of type {kind} are in no price table")
        return
    yield meter("application load balancer", "elb.application", HOURS_PER_MONTH)
    yield meter("capacity units", "elb.application.capacity")

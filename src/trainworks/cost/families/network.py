"""Endpoints, NAT gateways, addresses, load balancers, firewalls, attachments, flow logs, zones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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
    yield from _endpoints(resource.get("SubnetIds"), "interface endpoint", "vpc.interface_endpoint")
    yield meter("data through it", "vpc.interface_endpoint.data")


def _endpoints(subnets: Any, what: str, price: str) -> Iterator[Reading]:
    """An endpoint in each of these subnets, all hours of the month."""
    if not isinstance(subnets, list):
        yield Unmetered("its subnets, and so its endpoints, are not known before the deploy")
        return
    zones = f"{len(subnets)} zone{'' if len(subnets) == 1 else 's'}"
    yield meter(f"{what} in {zones}", price, HOURS_PER_MONTH * len(subnets))


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
    """By the hour and by capacity units; one that faces the internet has a public address in each of its zones."""
    del graph, assumptions
    kind = str(resource.get("Type", default="application"))
    if kind not in {"application", "gateway", "network"}:
        yield Unmetered(f"load balancers of type {kind} are in no price table")
        return
    yield meter(f"{kind} load balancer", f"elb.{kind}", HOURS_PER_MONTH)
    yield meter("capacity units", f"elb.{kind}.capacity")
    if resource.get("MinimumLoadBalancerCapacity") is not None:
        yield Unmetered("reserved capacity units are not counted")
    without = resource.get("IpAddressType") == "dualstack-without-public-ipv4"
    if kind == "gateway" or without or resource.get("Scheme", default="internet-facing") != "internet-facing":
        return
    yield from _addresses(resource)


def _addresses(resource: Resource) -> Iterator[Reading]:
    """One a zone; an elastic address that it is given is a resource of its own."""
    mappings = resource.get("SubnetMappings")
    zones = mappings if isinstance(mappings, list) else resource.get("Subnets")
    if not isinstance(zones, list):
        yield Unmetered("its zones, and so its public addresses, are not known before the deploy")
        return
    count = sum(not (isinstance(zone, Mapping) and zone.get("AllocationId")) for zone in zones)
    if count:
        yield meter(f"public IPv4 addresses in {count} zones", "vpc.public_ipv4", HOURS_PER_MONTH * count)


def classic_load_balancer(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del graph, assumptions
    yield meter("classic load balancer", "elb.classic", HOURS_PER_MONTH)
    yield meter("data through it", "elb.classic.data")
    zones = resource.get("Subnets", default=resource.get("AvailabilityZones"))
    if resource.get("Scheme", default="internet-facing") != "internet-facing":
        return
    if isinstance(zones, list):
        count = len(zones)
        yield meter(f"public IPv4 addresses in {count} zones", "vpc.public_ipv4", HOURS_PER_MONTH * count)
    else:
        yield Unmetered("its zones, and so its public addresses, are not known before the deploy")


def firewall(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """One endpoint in each subnet."""
    del graph, assumptions
    subnets = resource.get("SubnetMappings", default=resource.get("AvailabilityZoneMappings"))
    yield from _endpoints(subnets, "firewall endpoint", "networkfirewall.endpoint")
    yield meter("data through it", "networkfirewall.data")


def firewall_endpoint(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield Unmetered("secondary firewall endpoints are in no price table")


def client_vpn_association(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield meter("associated subnet", "vpc.client_vpn_association", HOURS_PER_MONTH)


def client_vpn(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Its associations are resources of their own; connections cost by the hour."""
    del resource, graph, assumptions
    yield Meter("connections of clients", (), BY_USE)


def transit_gateway_attachment(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield meter("attachment", "vpc.transit_gateway_attachment", HOURS_PER_MONTH)
    yield meter("data through it", "vpc.transit_gateway.data")


def resolver_endpoint(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """By the hour for each of its addresses."""
    del graph, assumptions
    addresses = resource.get("IpAddresses")
    if not isinstance(addresses, list):
        yield Unmetered("its addresses are not known before the deploy")
        return
    count = len(addresses)
    yield meter(f"{count} addresses of a resolver", "route53.resolver_address", HOURS_PER_MONTH * count)
    yield Meter("queries", (), BY_USE)


def hosted_zone(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield meter("hosted zone", "route53.hosted_zone", 1)
    yield Meter("queries", (), BY_USE)

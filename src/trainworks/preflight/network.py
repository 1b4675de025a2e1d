"""How the subnets of a graph reach AWS's services.

    subnet --> its route table (associated, or the VPC's main one, which has local routes only)
               --> gateway endpoint | NAT gateway | internet gateway, for an interface with a public address
           --> interface endpoints of its VPC, found by private DNS

What leads out of the graph (transit gateways, peerings, network appliances, subnets and VPCs of other stacks) is
`Reach.UNKNOWN`, which no rule reports. Answers only grow: another route or endpoint never makes `reach` less.
Security groups are read in `security_groups`, endpoint policies in `image_layers`; network ACLs are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import Any

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.service_needs import INTERNET
from trainworks.preflight.workloads.values import flag, table, text, texts

_ANYWHERE = "0.0.0.0/0"
_SERVICE_NAME = re.compile(r"(?:[a-z]+\.)?com\.amazonaws\.[a-z0-9-]+\.(.+)")


class Reach(IntEnum):
    """Whether a connection finds a way; the greater of two answers holds."""

    NO = 0
    UNKNOWN = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """`endpoint` is the VPC endpoint it goes by, None where it goes by a gateway to the internet; `reason` of a NO."""

    reach: Reach
    endpoint: Resource | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class RouteTable:
    """`is_whole` is False where routes may come from elsewhere, by propagation or another template."""

    resource: Resource | None
    routes: tuple[Mapping[str, Any], ...]
    is_whole: bool


@dataclass(frozen=True, slots=True, eq=False)
class Subnet:
    """`vpc` is None where the graph has it not."""

    resource: Resource
    vpc: Resource | None
    cidr_block: str
    map_public_ip_on_launch: bool | Unknown
    table: RouteTable


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """A VPC endpoint of `service`; `route_tables` of a gateway, the rest of an interface endpoint."""

    resource: Resource
    service: str
    is_gateway: bool
    route_tables: tuple[Resource | None, ...]
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]


_NO_ROUTE = Answer(Reach.NO, reason="no route leads out of the VPC")


class Network:
    """The VPCs of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._owner = graph.owner
        self._endpoints: dict[tuple[Resource | None, str], list[Endpoint]] = {}
        self._unnamed: set[Resource | None] = set()
        self._read_endpoints(graph)
        self._attached = {
            (graph.owner(each.get("VpcId")), graph.owner(each.get("InternetGatewayId")))
            for each in graph.of_type("AWS::EC2::VPCGatewayAttachment")
        }
        self._zones = {
            graph.owner(vpc.get("VPCId"))
            for zone in graph.of_type("AWS::Route53::HostedZone")
            for vpc in zone.get("VPCs", default=())
            if isinstance(vpc, Mapping)
        }
        self._answers: dict[tuple[Subnet, str, bool | Unknown], Answer] = {}
        tables = _route_tables(graph)
        self._subnets = {each: _subnet(each, graph, tables.get(each)) for each in graph.of_type("AWS::EC2::Subnet")}

    def subnet(self, value: object) -> Subnet | None:
        """The subnet of an id; None where the graph has it not."""
        resource = None if isinstance(value, Unknown) else self._owner(value)
        return self._subnets.get(resource) if resource is not None else None

    def endpoints(self, vpc: Resource | None, service: str) -> tuple[Endpoint, ...]:
        """The endpoints of a service in a VPC."""
        return tuple(self._endpoints.get((vpc, service), ()))

    def reach(self, subnet: Subnet, service: str, has_public_ip: bool | Unknown) -> Answer:
        """Whether, and by what, an interface in `subnet` reaches `service`; `INTERNET` is any address outside AWS."""
        asked = (subnet, service, has_public_ip)
        if asked not in self._answers:
            self._answers[asked] = self._answer(*asked)
        return self._answers[asked]

    def _answer(self, subnet: Subnet, service: str, has_public_ip: bool | Unknown) -> Answer:
        answers = [*self._by_endpoints(subnet, service), self._by_routes(subnet.table, subnet.vpc, has_public_ip)]
        if subnet.vpc is None or (service != INTERNET and subnet.vpc in self._unnamed):
            answers.append(Answer(Reach.UNKNOWN))
        best = max(answers, key=lambda answer: answer.reach)
        if best.reach is not Reach.NO:
            return best
        return Answer(Reach.NO, reason="; ".join(dict.fromkeys(each.reason for each in answers)))

    def _by_endpoints(self, subnet: Subnet, service: str) -> Iterator[Answer]:
        """Interface endpoints first: their private names win over what routes would do."""
        endpoints = self.endpoints(subnet.vpc, service)
        for endpoint in endpoints:
            if not endpoint.is_gateway:
                yield self._by_interface(endpoint, subnet.vpc)
        for endpoint in endpoints:
            if endpoint.is_gateway:
                yield _by_gateway(endpoint, subnet.table)

    def _by_interface(self, endpoint: Endpoint, vpc: Resource | None) -> Answer:
        resource = endpoint.resource
        private_dns = flag(resource.get("PrivateDnsEnabled"))
        options = table(resource.get("DnsOptions")).get("PrivateDnsOnlyForInboundResolverEndpoint")
        reason = ""
        if not endpoint.subnets:
            reason = f"{resource.place} has no subnets"
        elif options == "OnlyInboundResolver":
            reason = f"{resource.place} answers names from outside the VPC only"
        elif private_dns is False and vpc not in self._zones:
            reason = f"private DNS of {resource.place} is off, so the service's name leads past it"
        elif private_dns is True and vpc is not None and not _has_private_names(vpc):
            reason = f"private DNS needs EnableDnsHostnames and EnableDnsSupport of {vpc.place}"
        if reason:
            return Answer(Reach.NO, reason=reason)
        return Answer(Reach.YES if private_dns is True else Reach.UNKNOWN, resource)

    def _by_routes(self, routes: RouteTable, vpc: Resource | None, has_public_ip: bool | Unknown) -> Answer:
        answers = [self._by_route(route, vpc, has_public_ip) for route in routes.routes]
        if not routes.is_whole:
            answers.append(Answer(Reach.UNKNOWN))
        return max(answers, key=lambda answer: answer.reach, default=_NO_ROUTE)

    def _by_route(self, route: Mapping[str, Any], vpc: Resource | None, has_public_ip: bool | Unknown) -> Answer:
        """What is no internet or NAT gateway of the graph may lead anywhere."""
        target = route.get("GatewayId", route.get("NatGatewayId"))
        if target == "local":
            return _NO_ROUTE
        gateway = None if isinstance(target, Unknown) else self._owner(target)
        is_default = text(route.get("DestinationCidrBlock")) == _ANYWHERE
        if gateway is not None and gateway.type == "AWS::EC2::NatGateway" and is_default:
            return self._by_nat(gateway)
        if gateway is not None and gateway.type == "AWS::EC2::InternetGateway" and is_default:
            return self._by_internet_gateway(gateway, vpc, has_public_ip)
        return Answer(Reach.UNKNOWN)

    def _by_internet_gateway(self, gateway: Resource, vpc: Resource | None, has_public_ip: bool | Unknown) -> Answer:
        if vpc is not None and (vpc, gateway) not in self._attached:
            return Answer(Reach.NO, reason=f"{gateway.place} is not attached to the VPC")
        if has_public_ip is False:
            return Answer(Reach.NO, reason="the route to the internet gateway is of no use without a public address")
        return Answer(Reach.YES if has_public_ip is True else Reach.UNKNOWN)

    def _by_nat(self, gateway: Resource) -> Answer:
        """A public one has an address of its own and needs a route to an internet gateway; others lead elsewhere."""
        subnet = self.subnet(gateway.get("SubnetId"))
        if subnet is None or gateway.get("ConnectivityType", default="public") != "public":
            return Answer(Reach.UNKNOWN)
        onward = tuple(route for route in subnet.table.routes if "NatGatewayId" not in route)
        answer = self._by_routes(replace(subnet.table, routes=onward), subnet.vpc, True)
        if answer.reach is Reach.NO:
            return Answer(Reach.NO, reason=f"{gateway.place} is in a subnet without a way to an internet gateway")
        return answer

    def _read_endpoints(self, graph: Graph) -> None:
        for resource in graph.of_type("AWS::EC2::VPCEndpoint"):
            vpc = graph.owner(resource.get("VpcId"))
            name = resource.get("ServiceName", default="")
            if isinstance(name, Unknown):
                self._unnamed.add(vpc)
                continue
            match = _SERVICE_NAME.fullmatch(text(name))
            endpoint = Endpoint(
                resource,
                match[1] if match else text(name),
                resource.get("VpcEndpointType", default="Gateway") == "Gateway",
                tuple(graph.owner(each) for each in texts(resource.get("RouteTableIds"))),
                texts(resource.get("SubnetIds")),
                texts(resource.get("SecurityGroupIds")),
            )
            self._endpoints.setdefault((vpc, endpoint.service), []).append(endpoint)


def _has_private_names(vpc: Resource) -> bool:
    hostnames = flag(vpc.get("EnableDnsHostnames", default=False))
    support = flag(vpc.get("EnableDnsSupport", default=True))
    return hostnames is not False and support is not False


def _by_gateway(endpoint: Endpoint, routes: RouteTable) -> Answer:
    if routes.resource is not None and routes.resource in endpoint.route_tables:
        return Answer(Reach.YES, endpoint.resource)
    if None in endpoint.route_tables:
        return Answer(Reach.UNKNOWN, endpoint.resource)
    return Answer(Reach.NO, reason=f"{endpoint.resource.place} does not serve its route table")


def _subnet(resource: Resource, graph: Graph, routes: RouteTable | None) -> Subnet:
    vpc = graph.owner(resource.get("VpcId"))
    mapped = flag(resource.get("MapPublicIpOnLaunch", default=False))
    main = RouteTable(None, (), is_whole=vpc is not None)
    cidr_block = resource.get("CidrBlock", default="")
    return Subnet(
        resource,
        vpc if vpc is not None and vpc.type == "AWS::EC2::VPC" else None,
        "" if isinstance(cidr_block, Unknown) else text(cidr_block),
        False if mapped is None else mapped,
        routes or main,
    )


def _route_tables(graph: Graph) -> dict[Resource, RouteTable]:
    """By subnet; a subnet without an association is left out."""
    routes: dict[Resource, list[Mapping[str, Any]]] = {}
    for route in graph.of_type("AWS::EC2::Route"):
        owner = graph.owner(route.get("RouteTableId"))
        if owner is not None:
            routes.setdefault(owner, []).append(route.properties)
    propagated = {
        graph.owner(each)
        for propagation in graph.of_type("AWS::EC2::VPNGatewayRoutePropagation")
        for each in texts(propagation.get("RouteTableIds"))
    }
    found = {}
    for association in graph.of_type("AWS::EC2::SubnetRouteTableAssociation"):
        subnet, owner = graph.owner(association.get("SubnetId")), graph.owner(association.get("RouteTableId"))
        if subnet is not None:
            known = owner is not None and owner not in propagated
            found[subnet] = RouteTable(owner, tuple(routes.get(owner, ())) if owner else (), is_whole=known)
    return found


@lru_cache(maxsize=4)
def network_of(graph: Graph) -> Network:
    """The network, read once per graph."""
    return Network(graph)

"""The VPCs of a graph as facts for `aws.reach`, which says what their subnets reach.

What the graph does not have (subnets and VPCs of other stacks, gateways that are parameters) is unknown there. An id
there is the place of the resource in the templates, so that a reason reads well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws import reach as model
from trainworks.aws.acl_stops import acl_stop
from trainworks.aws.iam.partial.statements import statements_of
from trainworks.aws.network_acls import AclStop
from trainworks.aws.reach import ANYWHERE, Reach, Target, service_of
from trainworks.preflight.network_acls import network_acls_of
from trainworks.preflight.workloads.values import flag, table, text, texts

_GATEWAYS = {
    "AWS::EC2::NatGateway": Target.NAT_GATEWAY,
    "AWS::EC2::InternetGateway": Target.INTERNET_GATEWAY,
}
_OTHER_TARGETS = (
    "EgressOnlyInternetGatewayId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "VpcEndpointId",
    "NetworkInterfaceId",
    "InstanceId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "CoreNetworkArn",
)


@dataclass(frozen=True, slots=True)
class ResourceReachability:
    """As `aws.reach.Answer`, with the resource of the endpoint; `by` is the endpoint as `aws.reach` has it, `stop`
    where a network ACL is in the way."""

    reach: Reach
    endpoint: Resource | None = None
    reason: str = ""
    by: model.VpcEndpoint | None = None
    stop: AclStop | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Subnet:
    """`vpc` is None if the graph does not have it. `facts` are what `aws.reach` is asked about."""

    resource: Resource
    vpc: Resource | None
    cidr_block: str
    map_public_ip_on_launch: bool | Unknown
    facts: model.Subnet


class Network:
    """The VPCs of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._owner = graph.owner
        self._endpoints = {each.place: each for each in graph.of_type("AWS::EC2::VPCEndpoint")}
        tables = _route_tables(graph)
        self._subnets = {each: _subnet(each, graph, tables.get(each)) for each in graph.of_type("AWS::EC2::Subnet")}
        self.facts = model.Network(
            {each.vpc_id: each for each in _vpcs(graph)},
            tuple(_endpoint(each, graph) for each in self._endpoints.values()),
            {each.place: self._nat_gateway(each) for each in graph.of_type("AWS::EC2::NatGateway")},
        )
        self._answers: dict[tuple[Subnet, str, bool | Unknown], ResourceReachability] = {}

    def subnet(self, value: object) -> Subnet | None:
        """The subnet of an id; None if the graph does not have it."""
        resource = None if isinstance(value, Unknown) else self._owner(value)
        return self._subnets.get(resource) if resource is not None else None

    def cidr_block(self, subnet_id: str) -> str:
        """The block of a subnet; "" if it is unknown."""
        subnet = self.subnet(subnet_id)
        return "" if subnet is None else subnet.cidr_block

    def gateway_endpoints(self, vpc: Resource | None, service: str) -> Mapping[Resource, model.VpcEndpoint]:
        """The gateway endpoints of a service in a VPC."""
        place = "" if vpc is None else vpc.place
        return {
            self._endpoints[each.endpoint_id]: each
            for each in self.facts.endpoints
            if each.is_gateway and (each.vpc_id, each.service) == (place, service)
        }

    def reach(self, subnet: Subnet, service: str, has_public_ip: bool | Unknown) -> ResourceReachability:
        """Whether, and by what, an interface in `subnet` reaches `service`; `INTERNET` is any address outside AWS."""
        asked = (subnet, service, has_public_ip)
        if asked not in self._answers:
            found = self.facts.reach(subnet.facts, service, _known(has_public_ip))
            endpoint = None if found.endpoint is None else self._endpoints[found.endpoint.endpoint_id]
            stop = acl_stop(subnet.facts, found, self._facts_of) if found.reach is Reach.YES else None
            self._answers[asked] = ResourceReachability(found.reach, endpoint, found.reason, found.endpoint, stop)
        return self._answers[asked]

    def _facts_of(self, subnet_id: str) -> model.Subnet | None:
        subnet = self.subnet(subnet_id)
        return None if subnet is None else subnet.facts

    def _nat_gateway(self, resource: Resource) -> model.NatGateway:
        subnet = self.subnet(resource.get("SubnetId"))
        is_public = resource.get("ConnectivityType", default="public") == "public"
        return model.NatGateway(resource.place, None if subnet is None else subnet.facts, is_public)


def _known(value: bool | Unknown | None) -> bool | None:
    return None if isinstance(value, Unknown) else value


def _place(resource: Resource | None) -> str:
    return "" if resource is None else resource.place


def _vpcs(graph: Graph) -> Iterator[model.Vpc]:
    attached: dict[Resource | None, set[str]] = {}
    for each in graph.of_type("AWS::EC2::VPCGatewayAttachment"):
        gateway = graph.owner(each.get("InternetGatewayId"))
        if gateway is not None:
            attached.setdefault(graph.owner(each.get("VpcId")), set()).add(gateway.place)
    with_options = {graph.owner(each.get("VpcId")) for each in graph.of_type("AWS::EC2::VPCDHCPOptionsAssociation")}
    with_zones = {
        graph.owner(vpc.get("VPCId"))
        for zone in graph.of_type("AWS::Route53::HostedZone")
        for vpc in zone.get("VPCs", default=())
        if isinstance(vpc, Mapping)
    }
    for vpc in graph.of_type("AWS::EC2::VPC"):
        yield model.Vpc(
            vpc.place,
            frozenset(attached.get(vpc, ())),
            _has_private_names(vpc),
            has_zones=vpc in with_zones,
            # DHCP options may name other servers, which resolve what they like.
            has_resolver=None if vpc in with_options else _known(flag(vpc.get("EnableDnsSupport", default=True))),
        )


def _has_private_names(vpc: Resource) -> bool | None:
    """Whether DNS hostnames and DNS support are on; None if that is not known."""
    hostnames = _known(flag(vpc.get("EnableDnsHostnames", default=False)))
    support = _known(flag(vpc.get("EnableDnsSupport", default=True)))
    if False in (hostnames, support):
        return False
    return None if None in (hostnames, support) else True


def _endpoint(resource: Resource, graph: Graph) -> model.VpcEndpoint:
    name = resource.get("ServiceName", default="")
    options = table(resource.get("DnsOptions")).get("PrivateDnsOnlyForInboundResolverEndpoint")
    tables = (graph.owner(each) for each in texts(resource.get("RouteTableIds")))
    return model.VpcEndpoint(
        resource.place,
        _place(graph.owner(resource.get("VpcId"))),
        "" if isinstance(name, Unknown) else service_of(text(name)),
        resource.get("VpcEndpointType", default="Gateway") == "Gateway",
        frozenset(None if each is None else each.place for each in tables),
        texts(resource.get("SubnetIds")),
        _groups(resource, graph),
        _known(flag(resource.get("PrivateDnsEnabled"))),
        options == "OnlyInboundResolver",
        policy=None if resource.get("PolicyDocument") is None else tuple(statements_of(resource.get("PolicyDocument"))),
    )


def _groups(endpoint: Resource, graph: Graph) -> tuple[str, ...]:
    """Those that the endpoint names, or its VPC's default group."""
    vpc = graph.owner(endpoint.get("VpcId"))
    return texts(endpoint.get("SecurityGroupIds")) or (
        (vpc.attribute("DefaultSecurityGroup"),) if vpc is not None else ("",)
    )


def _subnet(resource: Resource, graph: Graph, routes: model.RouteTable | None) -> Subnet:
    owner = graph.owner(resource.get("VpcId"))
    vpc = owner if owner is not None and owner.type == "AWS::EC2::VPC" else None
    mapped = flag(resource.get("MapPublicIpOnLaunch", default=False))
    cidr_block = resource.get("CidrBlock", default="")
    # The VPC's main table has local routes only; that of a VPC of another stack may have any.
    main = model.RouteTable("", is_whole=owner is not None)
    block = "" if isinstance(cidr_block, Unknown) else text(cidr_block)
    acl, has_ipv4 = network_acls_of(graph).of(resource), flag(resource.get("Ipv6Native", default=False)) is False
    return Subnet(
        resource,
        vpc,
        block,
        False if mapped is None else mapped,
        model.Subnet(resource.place, _place(vpc), routes or main, block, acl, has_ipv4),
    )


def _route_tables(graph: Graph) -> dict[Resource, model.RouteTable]:
    """By subnet; a subnet without an association is left out."""
    routes: dict[Resource, list[model.Route]] = {}
    for route in graph.of_type("AWS::EC2::Route"):
        owner = graph.owner(route.get("RouteTableId"))
        if owner is not None:
            routes.setdefault(owner, []).append(_route(route.properties, graph))
    propagated = set(_propagated(graph))
    found = {}
    for association in graph.of_type("AWS::EC2::SubnetRouteTableAssociation"):
        subnet, owner = graph.owner(association.get("SubnetId")), graph.owner(association.get("RouteTableId"))
        if subnet is not None:
            known = owner is not None and owner not in propagated
            found[subnet] = model.RouteTable(_place(owner), tuple(routes.get(owner, ())) if owner else (), known)
    return found


def _propagated(graph: Graph) -> Iterator[Resource | None]:
    """Route tables that get routes from a virtual private gateway."""
    for propagation in graph.of_type("AWS::EC2::VPNGatewayRoutePropagation"):
        yield from (graph.owner(each) for each in texts(propagation.get("RouteTableIds")))


def _route(route: Mapping[str, Any], graph: Graph) -> model.Route:
    given = route.get("GatewayId", route.get("NatGatewayId"))
    gateway = None if given is None or isinstance(given, Unknown) else graph.owner(given)
    target = Target.LOCAL if given == "local" else _GATEWAYS.get(gateway.type if gateway else "", Target.OTHER)
    others = (str(route[name]) for name in _OTHER_TARGETS if route.get(name))
    led = _place(gateway) or text(given) or next(others, "")
    return model.Route(target, text(route.get("DestinationCidrBlock")) == ANYWHERE, led)


@lru_cache(maxsize=4)
def network_of(graph: Graph) -> Network:
    """The network, read once per graph."""
    return Network(graph)

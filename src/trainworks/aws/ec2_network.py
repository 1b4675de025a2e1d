"""Facts for `reach` in EC2's own shapes: what its `Describe...` operations answer, and what the twin's state holds.

`DescribedNetwork` is what was asked about; what nobody asked, or may know, is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from trainworks.aws.reach import (
    ANYWHERE,
    NatGateway,
    Network,
    Route,
    RouteTable,
    Subnet,
    Target,
    Vpc,
    VpcEndpoint,
    service_of,
)


@dataclass(frozen=True, slots=True)
class DescribedTable:
    """A route table (shape `RouteTable`), with the subnets that are associated with it."""

    table: RouteTable
    vpc_id: str
    subnet_ids: tuple[str, ...] = ()
    is_main: bool = False


@dataclass(frozen=True, slots=True)
class DescribedNat:
    """A NAT gateway (shape `NatGateway`)."""

    gateway_id: str
    vpc_id: str
    subnet_id: str
    is_public: bool = True
    is_available: bool = True


@dataclass(frozen=True)
class DescribedNetwork:
    """`attached` are the internet gateways of each VPC; `private_names` whether DNS support and hostnames are on in it,
    `zones` whether private hosted zones are associated with it."""

    tables: Sequence[DescribedTable]
    endpoints: Sequence[VpcEndpoint]
    nat_gateways: Sequence[DescribedNat] | None = None
    attached: Mapping[str, frozenset[str]] | None = None
    private_names: Mapping[str, bool] = field(default_factory=dict)
    zones: Mapping[str, bool] = field(default_factory=dict)

    def subnet(self, subnet_id: str, vpc_id: str) -> Subnet | None:
        """A subnet with the table that it is associated with, or its VPC's main one; None if neither was described."""
        tables = [each for each in self.tables if each.vpc_id == vpc_id]
        own = next((each for each in tables if subnet_id in each.subnet_ids), None)
        found = own or next((each for each in tables if each.is_main), None)
        return None if found is None else Subnet(subnet_id, vpc_id, found.table)

    @cached_property
    def facts(self) -> Network:
        """What `aws.reach` is asked about."""
        vpc_ids = {each.vpc_id for each in self.tables}
        return Network(
            {vpc_id: self._vpc(vpc_id) for vpc_id in vpc_ids},
            self.endpoints,
            {
                each.gateway_id: NatGateway(
                    each.gateway_id, self.subnet(each.subnet_id, each.vpc_id), each.is_public, each.is_available
                )
                for each in self.nat_gateways or ()
            },
        )

    def _vpc(self, vpc_id: str) -> Vpc:
        attached = None if self.attached is None else self.attached.get(vpc_id, frozenset())
        return Vpc(vpc_id, attached, self.private_names.get(vpc_id), self.zones.get(vpc_id))


def described_table(body: Mapping[str, Any]) -> DescribedTable:
    """Reads the shape `RouteTable`. Routes to gateway endpoints are those of the endpoints, which name the table."""
    associations = body.get("Associations", [])
    routes = tuple(_route(each) for each in body.get("Routes", []) if not _to_endpoint(each))
    return DescribedTable(
        RouteTable(str(body["RouteTableId"]), routes),
        str(body["VpcId"]),
        tuple(str(each["SubnetId"]) for each in associations if each.get("SubnetId")),
        any(each.get("Main") for each in associations),
    )


def described_endpoint(body: Mapping[str, Any], groups: Sequence[str]) -> VpcEndpoint:
    """Reads the shape `VpcEndpoint`, with the ids of its security groups."""
    options = body.get("DnsOptions") or {}
    return VpcEndpoint(
        str(body["VpcEndpointId"]),
        str(body["VpcId"]),
        service_of(str(body["ServiceName"])),
        body.get("VpcEndpointType", "Gateway") == "Gateway",
        frozenset(map(str, body.get("RouteTableIds", []))),
        tuple(map(str, body.get("SubnetIds", []))),
        tuple(groups),
        body.get("PrivateDnsEnabled"),
        # `PrivateDnsOnlyForInboundResolverEndpoint` leaves the VPC itself to a gateway endpoint.
        options.get("PrivateDnsOnlyForInboundResolverEndpoint") in (True, "OnlyInboundResolver"),
        str(body.get("State", "available")).lower() == "available",
    )


def described_nat(body: Mapping[str, Any]) -> DescribedNat:
    """Reads the shape `NatGateway`."""
    is_public = body.get("ConnectivityType", "public") == "public"
    is_available = body.get("State", "available") in ("pending", "available")
    return DescribedNat(str(body["NatGatewayId"]), str(body["VpcId"]), str(body["SubnetId"]), is_public, is_available)


def attached_gateways(bodies: Sequence[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """The internet gateways of each VPC, from shapes `InternetGateway`."""
    found: dict[str, set[str]] = {}
    for body in bodies:
        for attachment in body.get("Attachments", []):
            found.setdefault(str(attachment["VpcId"]), set()).add(str(body["InternetGatewayId"]))
    return {vpc_id: frozenset(gateways) for vpc_id, gateways in found.items()}


def _to_endpoint(route: Mapping[str, Any]) -> bool:
    return bool(route.get("DestinationPrefixListId")) and str(route.get("GatewayId", "")).startswith("vpce-")


def _route(body: Mapping[str, Any]) -> Route:
    nat_gateway, gateway = str(body.get("NatGatewayId") or ""), str(body.get("GatewayId") or "")
    target = Target.OTHER
    if body.get("State", "active") != "active":
        target = Target.GONE
    elif nat_gateway:
        target = Target.NAT_GATEWAY
    elif gateway.startswith("igw-"):
        target = Target.INTERNET_GATEWAY
    elif gateway == "local":
        target = Target.LOCAL
    return Route(target, body.get("DestinationCidrBlock") == ANYWHERE, nat_gateway or gateway)

"""Facts for `reach` in EC2's own shapes: what its `Describe...` operations answer, and what the twin's state holds.

`DescribedNetwork` is what was asked about; what nobody asked, or may know, is None.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from trainworks.aws.iam.partial.statements import Statement, anything, statements_of
from trainworks.aws.network_acls import Entry, NetworkAcl
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
class DescribedSubnet:
    """A subnet (shape `Subnet`); `cidr_block` is "" for one of IPv6 alone."""

    subnet_id: str
    cidr_block: str = ""
    is_ipv6_native: bool = False


@dataclass(frozen=True, slots=True)
class DescribedAcl:
    """A network ACL (shape `NetworkAcl`), with the subnets that are associated with it."""

    acl: NetworkAcl
    vpc_id: str
    subnet_ids: tuple[str, ...] = ()
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class DescribedNat:
    """A NAT gateway (shape `NatGateway`); `subnet_id` is "" for a regional one, which is in no subnet."""

    gateway_id: str
    vpc_id: str
    subnet_id: str
    is_public: bool = True
    is_available: bool = True


@dataclass(frozen=True)
class DescribedNetwork:
    """`attached` are the internet gateways of each VPC; `private_names` whether DNS support and hostnames are on in it,
    `zones` whether private hosted zones are associated with it, `resolvers` whether names are resolved in it. `acls`
    are all of the VPCs, None if nobody looked; `subnets` those that were described, by id."""

    tables: Sequence[DescribedTable]
    endpoints: Sequence[VpcEndpoint]
    nat_gateways: Sequence[DescribedNat] | None = None
    attached: Mapping[str, frozenset[str]] | None = None
    private_names: Mapping[str, bool] = field(default_factory=dict)
    zones: Mapping[str, bool] = field(default_factory=dict)
    resolvers: Mapping[str, bool] = field(default_factory=dict)
    acls: Sequence[DescribedAcl] | None = None
    subnets: Mapping[str, DescribedSubnet] = field(default_factory=dict)

    def subnet(self, subnet_id: str, vpc_id: str) -> Subnet | None:
        """A subnet with the table that it is associated with, or its VPC's main one; None if neither was described."""
        tables = [each for each in self.tables if each.vpc_id == vpc_id]
        own = next((each for each in tables if subnet_id in each.subnet_ids), None)
        found = own or next((each for each in tables if each.is_main), None)
        if found is None:
            return None
        described = self.subnets.get(subnet_id, DescribedSubnet(subnet_id))
        acl = self._acl(subnet_id, vpc_id)
        return Subnet(subnet_id, vpc_id, found.table, described.cidr_block, acl, not described.is_ipv6_native)

    def _acl(self, subnet_id: str, vpc_id: str) -> NetworkAcl | None:
        """That of its association, else its VPC's default one; None if nobody looked."""
        acls = [each for each in self.acls or () if each.vpc_id == vpc_id]
        own = next((each for each in acls if subnet_id in each.subnet_ids), None)
        found = own or next((each for each in acls if each.is_default), None)
        return None if found is None else found.acl

    @cached_property
    def facts(self) -> Network:
        """What `aws.reach` is asked about."""
        vpc_ids = {each.vpc_id for each in self.tables}
        return Network(
            {vpc_id: self._vpc(vpc_id) for vpc_id in vpc_ids},
            self.endpoints,
            {
                each.gateway_id: NatGateway(
                    each.gateway_id,
                    self.subnet(each.subnet_id, each.vpc_id) if each.subnet_id else None,
                    each.is_public,
                    each.is_available,
                )
                for each in self.nat_gateways or ()
            },
        )

    def _vpc(self, vpc_id: str) -> Vpc:
        attached = None if self.attached is None else self.attached.get(vpc_id, frozenset())
        names, zones, resolver = (each.get(vpc_id) for each in (self.private_names, self.zones, self.resolvers))
        return Vpc(vpc_id, attached, names, zones, resolver)


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
        _policy(body.get("PolicyDocument")),
    )


def _policy(document: Any) -> tuple[Statement, ...] | None:
    """The statements of an endpoint's policy, which comes as a text; None without one."""
    if not document:
        return None
    try:
        return tuple(statements_of(json.loads(document) if isinstance(document, str) else document))
    except ValueError:
        return (anything(),)


def described_subnet(body: Mapping[str, Any]) -> DescribedSubnet:
    """Of shape `Subnet`."""
    return DescribedSubnet(str(body["SubnetId"]), str(body.get("CidrBlock") or ""), bool(body.get("Ipv6Native")))


def described_acl(body: Mapping[str, Any]) -> DescribedAcl:
    """Of shape `NetworkAcl`."""
    entries = tuple(_entry(each) for each in body.get("Entries", []))
    return DescribedAcl(
        NetworkAcl(str(body["NetworkAclId"]), entries),
        str(body["VpcId"]),
        tuple(str(each["SubnetId"]) for each in body.get("Associations", []) if each.get("SubnetId")),
        bool(body.get("IsDefault")),
    )


def _entry(body: Mapping[str, Any]) -> Entry:
    ports = body.get("PortRange")
    return Entry(
        int(body["RuleNumber"]),
        body.get("RuleAction") == "allow",
        bool(body.get("Egress")),
        str(body.get("Protocol", "-1")),
        str(body.get("CidrBlock") or body.get("Ipv6CidrBlock") or ""),
        (int(ports["From"]), int(ports["To"])) if ports else None,
    )


def described_nat(body: Mapping[str, Any]) -> DescribedNat:
    """Reads the shape `NatGateway`."""
    is_public = body.get("ConnectivityType", "public") == "public"
    is_available = body.get("State", "available") in ("pending", "available")
    return DescribedNat(
        str(body["NatGatewayId"]), str(body["VpcId"]), str(body.get("SubnetId") or ""), is_public, is_available
    )


def attached_gateways(bodies: Sequence[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """The internet gateways of each VPC, from shapes `InternetGateway`."""
    found: dict[str, set[str]] = {}
    for body in bodies:
        for attachment in body.get("Attachments", []):
            found.setdefault(str(attachment["VpcId"]), set()).add(str(body["InternetGatewayId"]))
    return {vpc_id: frozenset(gateways) for vpc_id, gateways in found.items()}


_OTHER_TARGETS = (
    "EgressOnlyInternetGatewayId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "NetworkInterfaceId",
    "InstanceId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "CoreNetworkArn",
)
"""Members of a route whose targets lead nobody knows where."""


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
    others = (str(body[name]) for name in _OTHER_TARGETS if body.get(name))
    return Route(target, body.get("DestinationCidrBlock") == ANYWHERE, nat_gateway or gateway or next(others, ""))

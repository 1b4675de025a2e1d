"""The network that a workload runs in, as EC2 describes it: subnets, routes, gateways, endpoints, security groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from trainworks.aws.ec2_network import (
    DescribedAcl,
    DescribedNat,
    DescribedNetwork,
    DescribedSubnet,
    DescribedTable,
    attached_gateways,
    described_acl,
    described_endpoint,
    described_nat,
    described_subnet,
    described_table,
)
from trainworks.aws.network_acls import ALL_PORTS, Peer
from trainworks.aws.reach import Target, VpcEndpoint
from trainworks.aws.security_groups import Group, Permission
from trainworks.doctor.looking import Look, Looker, not_asked

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Subnet:
    """`ec2:DescribeSubnets`. `gives_public_ip`: what is launched there gets a public address."""

    subnet_id: str
    vpc_id: str
    available_ips: int
    gives_public_ip: bool = False
    cidr_block: str = ""
    is_ipv6_native: bool = False


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """`ec2:DescribeSecurityGroups`."""

    group_id: str
    rules: Group


@dataclass(frozen=True)
class Network:
    """What was asked for (`subnet_ids`, `group_ids`) and what is there.

    Gateways, and the names and zones of VPCs (by VPC), are asked about where a route or an endpoint depends on them;
    all subnets of the VPCs (`around`) where a network ACL is not as open as a new one. `resolvers`: whether names are
    resolved in a VPC.
    """

    subnet_ids: tuple[str, ...]
    group_ids: tuple[str, ...]
    subnets: Look[tuple[Subnet, ...]]
    route_tables: Look[tuple[DescribedTable, ...]]
    endpoints: Look[tuple[VpcEndpoint, ...]]
    groups: Look[tuple[SecurityGroup, ...]]
    nat_gateways: Look[tuple[DescribedNat, ...]] | None = None
    attached: Look[Mapping[str, frozenset[str]]] | None = None
    private_names: Look[Mapping[str, bool]] | None = None
    zones: Look[Mapping[str, bool]] | None = None
    resolvers: Look[Mapping[str, bool]] | None = None
    acls: Look[tuple[DescribedAcl, ...]] | None = None
    around: Look[tuple[DescribedSubnet, ...]] | None = None

    @cached_property
    def described(self) -> DescribedNetwork:
        """For `aws.reach`: what was seen."""
        return DescribedNetwork(
            self.route_tables.value or (),
            self.endpoints.value or (),
            None if self.nat_gateways is None else self.nat_gateways.value,
            None if self.attached is None else self.attached.value,
            (self.private_names and self.private_names.value) or {},
            (self.zones and self.zones.value) or {},
            (self.resolvers and self.resolvers.value) or {},
            None if self.acls is None else self.acls.value,
            {each.subnet_id: each for each in self._all_subnets()},
        )

    def _all_subnets(self) -> tuple[DescribedSubnet, ...]:
        own = tuple(
            DescribedSubnet(each.subnet_id, each.cidr_block, each.is_ipv6_native) for each in self.subnets.value or ()
        )
        return (*((self.around and self.around.value) or ()), *own)


def look_at_network(looker: Looker, subnet_ids: Sequence[str], group_ids: Sequence[str]) -> Network:
    """Describe the subnets and groups of a workload, and the routes, gateways and endpoints of their VPCs."""
    subnets = looker.ask(
        "ec2:DescribeSubnets",
        lambda ec2: tuple(_subnet(each) for each in ec2.describe_subnets(SubnetIds=list(subnet_ids))["Subnets"]),
        absent=("InvalidSubnetID.NotFound",),
        subject=" ".join(subnet_ids),
    )
    vpc_ids = sorted({subnet.vpc_id for subnet in subnets.value or ()})
    tables: Look[tuple[DescribedTable, ...]] = not_asked("ec2:DescribeRouteTables", looker.now())
    endpoints: Look[tuple[VpcEndpoint, ...]] = not_asked("ec2:DescribeVpcEndpoints", looker.now())
    if vpc_ids:
        tables = _of_vpcs(looker, vpc_ids, "describe_route_tables", "RouteTables", _each(described_table))
        endpoints = _of_vpcs(looker, vpc_ids, "describe_vpc_endpoints", "VpcEndpoints", _each(_endpoint))
    wanted = {*group_ids, *(group for endpoint in endpoints.value or () for group in endpoint.security_groups)}
    groups: Look[tuple[SecurityGroup, ...]] = not_asked("ec2:DescribeSecurityGroups", looker.now())
    if wanted:
        groups = looker.ask(
            "ec2:DescribeSecurityGroups",
            lambda ec2: tuple(map(_group, ec2.describe_security_groups(GroupIds=sorted(wanted))["SecurityGroups"])),
            absent=("InvalidGroup.NotFound",),
            subject=" ".join(sorted(wanted)),
        )
    acls: Look[tuple[DescribedAcl, ...]] | None = None
    if vpc_ids:
        acls = _of_vpcs(looker, vpc_ids, "describe_network_acls", "NetworkAcls", _each(described_acl))
    targets = {route.target for each in tables.value or () for route in each.table.routes}
    named = [each for each in endpoints.value or () if not each.is_gateway]
    return Network(
        tuple(subnet_ids),
        tuple(group_ids),
        subnets,
        tables,
        endpoints,
        groups,
        _of_vpcs(looker, vpc_ids, "describe_nat_gateways", "NatGateways", _each(described_nat), filters="Filter")
        if Target.NAT_GATEWAY in targets
        else None,
        _of_vpcs(
            looker, vpc_ids, "describe_internet_gateways", "InternetGateways", attached_gateways, by="attachment.vpc-id"
        )
        if Target.INTERNET_GATEWAY in targets
        else None,
        _private_names(looker, vpc_ids) if any(each.private_dns for each in named) else None,
        _zones(looker, vpc_ids) if any(each.private_dns is False for each in named) else None,
        _resolvers(looker, vpc_ids) if vpc_ids else None,
        acls,
        _of_vpcs(looker, vpc_ids, "describe_subnets", "Subnets", _each(described_subnet))
        if acls is not None and not all(map(_is_open, acls.value or ()))
        else None,
    )


def _is_open(acl: DescribedAcl) -> bool:
    """Whether it lets everything through: then nobody has to know whose addresses are where."""
    return all(acl.acl.lets(Peer(), ALL_PORTS, outward=each) for each in (True, False))


def _of_vpcs(
    looker: Looker,
    vpc_ids: Sequence[str],
    operation: str,
    member: str,
    read: Callable[[Sequence[Mapping[str, Any]]], T],
    *,
    by: str = "vpc-id",
    filters: str = "Filters",
) -> Look[T]:
    """All that an operation of EC2 describes of the VPCs, page by page."""

    def all_pages(ec2: Any) -> T:
        pages = ec2.get_paginator(operation).paginate(**{filters: [{"Name": by, "Values": list(vpc_ids)}]})
        return read([each for page in pages for each in page[member]])

    name = "".join(part.title() for part in operation.split("_"))
    return looker.ask(f"ec2:{name}", all_pages)


def _each(read: Callable[[Mapping[str, Any]], T]) -> Callable[[Sequence[Mapping[str, Any]]], tuple[T, ...]]:
    return lambda bodies: tuple(map(read, bodies))


def _private_names(looker: Looker, vpc_ids: Sequence[str]) -> Look[Mapping[str, bool]]:
    def is_on(ec2: Any, vpc_id: str, attribute: str) -> bool:
        answer = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute)
        return bool(answer[f"{attribute[0].upper()}{attribute[1:]}"]["Value"])

    attributes = ("enableDnsSupport", "enableDnsHostnames")
    return looker.ask(
        "ec2:DescribeVpcAttribute",
        lambda ec2: {vpc_id: all(is_on(ec2, vpc_id, each) for each in attributes) for vpc_id in vpc_ids},
        subject=" ".join(vpc_ids),
    )


def _resolvers(looker: Looker, vpc_ids: Sequence[str]) -> Look[Mapping[str, bool]]:
    """Whether names are resolved: by the VPC's own server, or by others that its DHCP options name."""

    def resolves(ec2: Any, vpc_id: str) -> bool:
        if ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsSupport")["EnableDnsSupport"]["Value"]:
            return True
        options_id = ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0].get("DhcpOptionsId", "default")
        if options_id == "default":  # none at all
            return False
        found = ec2.describe_dhcp_options(DhcpOptionsIds=[options_id])["DhcpOptions"]
        servers = [
            str(value.get("Value"))
            for each in found
            for configuration in each.get("DhcpConfigurations", [])
            if configuration.get("Key") == "domain-name-servers"
            for value in configuration.get("Values", [])
        ]
        return any(each != "AmazonProvidedDNS" for each in servers)

    return looker.ask(
        "ec2:DescribeVpcAttribute",
        lambda ec2: {vpc_id: resolves(ec2, vpc_id) for vpc_id in vpc_ids},
        subject=" ".join(vpc_ids),
    )


def _zones(looker: Looker, vpc_ids: Sequence[str]) -> Look[Mapping[str, bool]]:
    def has_zones(route53: Any, vpc_id: str) -> bool:
        region = looker.client("ec2").meta.region_name
        return bool(route53.list_hosted_zones_by_vpc(VPCId=vpc_id, VPCRegion=region)["HostedZoneSummaries"])

    return looker.ask(
        "route53:ListHostedZonesByVPC",
        lambda route53: {vpc_id: has_zones(route53, vpc_id) for vpc_id in vpc_ids},
        subject=" ".join(vpc_ids),
    )


def _subnet(body: Mapping[str, Any]) -> Subnet:
    public = bool(body.get("MapPublicIpOnLaunch", False))
    ips = int(body.get("AvailableIpAddressCount", 0))
    described = described_subnet(body)
    return Subnet(body["SubnetId"], body["VpcId"], ips, public, described.cidr_block, described.is_ipv6_native)


def _endpoint(body: Mapping[str, Any]) -> VpcEndpoint:
    return described_endpoint(body, [str(group["GroupId"]) for group in body.get("Groups", [])])


def _group(body: Mapping[str, Any]) -> SecurityGroup:
    ingress = tuple(rule for each in body.get("IpPermissions", []) for rule in permissions_of(each))
    egress = tuple(rule for each in body.get("IpPermissionsEgress", []) for rule in permissions_of(each))
    return SecurityGroup(body["GroupId"], Group(ingress, egress))


def permissions_of(body: Mapping[str, Any]) -> list[Permission]:
    """One for each peer of shape `IpPermission`."""
    protocol, first, last = str(body["IpProtocol"]).lower(), body.get("FromPort"), body.get("ToPort")
    peers = [
        *({"cidr_block": each["CidrIp"]} for each in body.get("IpRanges", [])),
        *({"cidr_block": each["CidrIpv6"]} for each in body.get("Ipv6Ranges", [])),
        *({"prefix_list": each["PrefixListId"]} for each in body.get("PrefixListIds", [])),
        *({"group": each["GroupId"]} for each in body.get("UserIdGroupPairs", [])),
    ]
    return [Permission(protocol, first, last, **peer) for peer in peers]

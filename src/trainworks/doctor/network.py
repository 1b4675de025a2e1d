"""The network that a workload runs in, as EC2 describes it: subnets, routes, endpoints, security groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trainworks.doctor.looking import Look, Looker, not_asked

ANY_ADDRESS = "0.0.0.0/0"


@dataclass(frozen=True, slots=True)
class Subnet:
    """`ec2:DescribeSubnets`. `gives_public_ip`: what is launched there gets a public address."""

    subnet_id: str
    vpc_id: str
    available_ips: int
    gives_public_ip: bool = False


@dataclass(frozen=True, slots=True)
class RouteTable:
    """`ec2:DescribeRouteTables`. `default_target` is where 0.0.0.0/0 goes (`nat-...`, `igw-...`), empty without one."""

    route_table_id: str
    vpc_id: str
    subnet_ids: tuple[str, ...] = ()
    is_main: bool = False
    default_target: str = ""
    gateway_endpoint_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VpcEndpoint:
    """`ec2:DescribeVpcEndpoints`. `service` is the last part of the service's name: `ecr.api`, `s3`."""

    endpoint_id: str
    service: str
    kind: str
    state: str = "available"
    route_table_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a security group. `peers` are CIDRs, prefix lists (`pl-...`) and groups (`sg-...`)."""

    protocol: str
    from_port: int
    to_port: int
    peers: tuple[str, ...]

    def admits(self, port: int) -> bool:
        """Whether TCP on `port` is meant by the rule."""
        return self.protocol == "-1" or (self.protocol in ("tcp", "6") and self.from_port <= port <= self.to_port)


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """`ec2:DescribeSecurityGroups`."""

    group_id: str
    egress: tuple[Rule, ...] = ()
    ingress: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """What was asked for (`subnet_ids`, `group_ids`) and what is there."""

    subnet_ids: tuple[str, ...]
    group_ids: tuple[str, ...]
    subnets: Look[tuple[Subnet, ...]]
    route_tables: Look[tuple[RouteTable, ...]]
    endpoints: Look[tuple[VpcEndpoint, ...]]
    groups: Look[tuple[SecurityGroup, ...]]

    def route_table_of(self, subnet: Subnet) -> RouteTable | None:
        """The table that a subnet is associated with, else its VPC's main one."""
        tables = [table for table in self.route_tables.value or () if table.vpc_id == subnet.vpc_id]
        own = next((table for table in tables if subnet.subnet_id in table.subnet_ids), None)
        return own or next((table for table in tables if table.is_main), None)


def look_at_network(looker: Looker, subnet_ids: Sequence[str], group_ids: Sequence[str]) -> Network:
    """Describe the subnets and groups of a workload, and the routes and endpoints of their VPCs."""
    subnets = looker.ask(
        "ec2:DescribeSubnets",
        lambda ec2: tuple(_subnet(each) for each in ec2.describe_subnets(SubnetIds=list(subnet_ids))["Subnets"]),
        absent=("InvalidSubnetID.NotFound",),
        subject=" ".join(subnet_ids),
    )
    vpc_ids = sorted({subnet.vpc_id for subnet in subnets.value or ()})
    filters = [{"Name": "vpc-id", "Values": vpc_ids}]
    tables: Look[tuple[RouteTable, ...]] = not_asked("ec2:DescribeRouteTables", looker.now())
    endpoints: Look[tuple[VpcEndpoint, ...]] = not_asked("ec2:DescribeVpcEndpoints", looker.now())
    if vpc_ids:
        tables = looker.ask("ec2:DescribeRouteTables", lambda ec2: tuple(map(_table, _all_tables(ec2, filters))))
        endpoints = looker.ask("ec2:DescribeVpcEndpoints", lambda ec2: tuple(map(_endpoint, _all(ec2, filters))))
    wanted = {*group_ids, *(group for endpoint in endpoints.value or () for group in endpoint.group_ids)}
    groups: Look[tuple[SecurityGroup, ...]] = not_asked("ec2:DescribeSecurityGroups", looker.now())
    if wanted:
        groups = looker.ask(
            "ec2:DescribeSecurityGroups",
            lambda ec2: tuple(map(_group, ec2.describe_security_groups(GroupIds=sorted(wanted))["SecurityGroups"])),
            absent=("InvalidGroup.NotFound",),
            subject=" ".join(sorted(wanted)),
        )
    return Network(tuple(subnet_ids), tuple(group_ids), subnets, tables, endpoints, groups)


def _all_tables(ec2: Any, filters: list[Any]) -> list[Any]:
    pages = ec2.get_paginator("describe_route_tables").paginate(Filters=filters)
    return [each for page in pages for each in page["RouteTables"]]


def _all(ec2: Any, filters: list[Any]) -> list[Any]:
    pages = ec2.get_paginator("describe_vpc_endpoints").paginate(Filters=filters)
    return [each for page in pages for each in page["VpcEndpoints"]]


def _subnet(body: Any) -> Subnet:
    public = bool(body.get("MapPublicIpOnLaunch", False))
    return Subnet(body["SubnetId"], body["VpcId"], int(body.get("AvailableIpAddressCount", 0)), public)


def _table(body: Any) -> RouteTable:
    associations = body.get("Associations", [])
    routes = body.get("Routes", [])
    default: dict[str, Any] = next(
        (r for r in routes if r.get("DestinationCidrBlock") == ANY_ADDRESS and r.get("State") == "active"), {}
    )
    targets = (default.get(key) for key in ("NatGatewayId", "GatewayId", "NetworkInterfaceId", "InstanceId"))
    return RouteTable(
        body["RouteTableId"],
        body["VpcId"],
        tuple(each["SubnetId"] for each in associations if "SubnetId" in each),
        any(each.get("Main") for each in associations),
        next((str(target) for target in targets if target), ""),
        tuple(str(r["GatewayId"]) for r in routes if str(r.get("GatewayId", "")).startswith("vpce-")),
    )


def _endpoint(body: Any) -> VpcEndpoint:
    return VpcEndpoint(
        body["VpcEndpointId"],
        service_of(body["ServiceName"]),
        body.get("VpcEndpointType", "Interface"),
        str(body.get("State", "available")).lower(),
        tuple(body.get("RouteTableIds", [])),
        tuple(group["GroupId"] for group in body.get("Groups", [])),
    )


def service_of(service_name: str) -> str:
    """`ecr.api` of `com.amazonaws.us-east-1.ecr.api`."""
    return ".".join(service_name.split(".")[3:]) or service_name


def _group(body: Any) -> SecurityGroup:
    return SecurityGroup(
        body["GroupId"],
        tuple(map(_rule, body.get("IpPermissionsEgress", []))),
        tuple(map(_rule, body.get("IpPermissions", []))),
    )


def _rule(body: Any) -> Rule:
    peers = [
        *(each["CidrIp"] for each in body.get("IpRanges", [])),
        *(each["CidrIpv6"] for each in body.get("Ipv6Ranges", [])),
        *(each["PrefixListId"] for each in body.get("PrefixListIds", [])),
        *(each["GroupId"] for each in body.get("UserIdGroupPairs", [])),
    ]
    return Rule(str(body["IpProtocol"]), int(body.get("FromPort", 0)), int(body.get("ToPort", 65535)), tuple(peers))

"""The VPCs of the emulator's state as facts for `aws.reach`, which says what their subnets reach.

Rows are read in the caller's thread, without noting them as touched; they have the members of EC2's own shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainworks.aws.acl_stops import acl_stop
from trainworks.aws.ec2_network import (
    DescribedNetwork,
    attached_gateways,
    described_acl,
    described_endpoint,
    described_nat,
    described_subnet,
    described_table,
)
from trainworks.aws.reach import Reach, Reachability
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.ec2 import network_acls
from trainworks.twin.emulator.ec2.vpc_endpoints import has_private_dns, security_groups

Row = Mapping[str, Any]
_DEFAULT_OPTIONS = "dopt-00000001"


def reach(subnet_id: str, service: str, public_ip: bool | None) -> Reachability:
    """What an interface in a subnet reaches, and network ACLs let through. `public_ip` None leaves that to the subnet.

    Nothing is known of a deleted subnet.
    """
    ec2 = engine.service("ec2")
    subnet = _subnet(ec2, subnet_id)
    if subnet is None:
        return Reachability(Reach.UNKNOWN)
    network = network_of(ec2, str(subnet["VpcId"]))
    found = _from(network, subnet, service, public_ip)
    facts = network.subnet(subnet_id, str(subnet["VpcId"]))
    if facts is None or found.reach is not Reach.YES:
        return found
    stop = acl_stop(facts, found, lambda each: network.subnet(each, facts.vpc_id))
    return found if stop is None else Reachability(Reach.NO, reason=str(stop), stop=stop)


def ways(subnet_ids: Sequence[str], service: str, public_ip: bool | None) -> list[Reachability]:
    """By which ways the subnets reach a service, whatever network ACLs say: the twin answers all the same."""
    ec2 = engine.service("ec2")
    networks: dict[str, DescribedNetwork] = {}
    found = []
    for subnet in filter(None, (_subnet(ec2, each) for each in subnet_ids)):
        vpc_id = str(subnet["VpcId"])
        if vpc_id not in networks:
            networks[vpc_id] = network_of(ec2, vpc_id, with_acls=False)
        found.append(_from(networks[vpc_id], subnet, service, public_ip))
    return found


def _subnet(ec2: Any, subnet_id: str) -> Row | None:
    return next((row for row in _rows(ec2._subnets) if row["SubnetId"] == subnet_id), None)


def _from(network: DescribedNetwork, subnet: Row, service: str, public_ip: bool | None) -> Reachability:
    facts = network.subnet(str(subnet["SubnetId"]), str(subnet["VpcId"]))
    if facts is None:
        return Reachability(Reach.UNKNOWN)
    has_public_ip = subnet.get("MapPublicIpOnLaunch") is True if public_ip is None else public_ip
    return network.facts.reach(facts, service, has_public_ip)


def network_of(ec2: Any, vpc_id: str, *, with_acls: bool = True) -> DescribedNetwork:
    """What EC2 would describe of a VPC. The twin knows no private hosted zones: it has no Route 53."""
    endpoints = [
        described_endpoint({**row, "PrivateDnsEnabled": has_private_dns(row)}, security_groups(ec2, row))
        for row in _rows(ec2._vpc_endpoints)
        if row["VpcId"] == vpc_id
    ]
    gateways = [row for row in _rows(ec2._nat_gateways) if row["VpcId"] == vpc_id]
    vpc = next((row for row in _rows(ec2._vpcs) if row["VpcId"] == vpc_id), {})
    return DescribedNetwork(
        [described_table(row) for row in _rows(ec2._route_tables) if row["VpcId"] == vpc_id],
        endpoints,
        [described_nat(row) for row in gateways],
        attached_gateways(_rows(ec2._internet_gateways)),
        # What stock's DescribeVpcAttribute says about a VPC that was given neither.
        {vpc_id: bool(vpc.get("EnableDnsSupport", True)) and bool(vpc.get("EnableDnsHostnames", False))},
        resolvers={vpc_id: True} if vpc.get("EnableDnsSupport", True) else _resolvers(vpc),
        acls=[described_acl(row) for row in network_acls.rows(ec2, vpc_id)] if with_acls else None,
        subnets={row["SubnetId"]: described_subnet(row) for row in _rows(ec2._subnets) if row["VpcId"] == vpc_id},
    )


def _resolvers(vpc: Row) -> dict[str, bool]:
    """Without DNS support: the default DHCP options name no server but the VPC's own; others may."""
    return {str(vpc["VpcId"]): False} if vpc.get("DhcpOptionsId") == _DEFAULT_OPTIONS else {}


def _rows(store: Any) -> list[Row]:
    return list(dict.values(store._data))

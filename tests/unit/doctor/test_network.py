"""Findings about networks, one fault at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.doctor.facts import absent, network, refused, route_table, seen
from trainworks.aws.reach import VpcEndpoint
from trainworks.aws.security_groups import Group, Permission
from trainworks.aws.service_needs import INTERNET
from trainworks.doctor.network import Network, SecurityGroup, Subnet
from trainworks.doctor.reachability import network_findings

GATEWAY = VpcEndpoint("vpce-1", "vpc-1", "s3", True, frozenset({"rtb-1"}))
INTERFACE = VpcEndpoint("vpce-2", "vpc-1", "logs", False, subnets=("subnet-1",), security_groups=("sg-2",))
HIDDEN = replace(INTERFACE, private_dns=False)
HTTPS = Permission("tcp", 443, 443, group="sg-1")
ELSEWHERE = Permission("tcp", 443, 443, cidr_block="10.9.0.0/16")
INSIDE = Permission("tcp", 443, 443, cidr_block="10.0.0.0/16")
CLOSED, OPEN = SecurityGroup("sg-2", Group((), ())), SecurityGroup("sg-2", Group((HTTPS,), ()))


def codes(found: Network, *services: str, **more: object) -> list[str]:
    return [f.code for f in network_findings(found, services, used_by="the job", **more)]  # type: ignore[arg-type]


def test_a_way_out_reaches_everything() -> None:
    assert codes(network(), "s3", "logs", INTERNET) == []


@pytest.mark.parametrize(
    ("found", "services", "expected"),
    [
        (network(route=""), ("s3",), ["s3-unreachable"]),
        (network(route="igw-1"), ("s3",), ["s3-unreachable"]),
        (network(route="", endpoints=(GATEWAY,)), ("s3",), []),
        (network(route="", endpoints=(GATEWAY,)), ("s3", "logs"), ["service-unreachable"]),
        (network(route="", endpoints=(GATEWAY,)), (INTERNET,), ["service-unreachable"]),
        (network(route="", endpoints=(replace(GATEWAY, route_tables=frozenset()),)), ("s3",), ["s3-unreachable"]),
        (network(ips=0), (), ["subnets-full"]),
        (network(subnets=absent()), ("s3",), ["subnet-missing"]),
        (network(egress=()), ("s3",), ["egress-closed"]),
        (network(egress=(Permission("tcp", 80, 80, cidr_block="0.0.0.0/0"),)), ("s3",), ["egress-closed"]),
        (network(egress=(Permission("udp", 0, 65535, cidr_block="0.0.0.0/0"),)), ("s3",), ["egress-closed"]),
        (network(egress=(INSIDE,)), ("s3",), ["egress-closed"]),
        (network(egress=(INSIDE,), endpoints=(INTERFACE,), groups=(OPEN,)), ("logs",), []),
        (network(endpoints=(INTERFACE,), groups=(CLOSED,)), ("logs",), ["endpoint-closed"]),
        (network(endpoints=(INTERFACE,), groups=(OPEN,)), ("logs",), []),
        (network(endpoints=(INTERFACE,), groups=(SecurityGroup("sg-2", Group((INSIDE,), ())),)), ("logs",), []),
        (
            network(endpoints=(INTERFACE,), groups=(SecurityGroup("sg-2", Group((ELSEWHERE,), ())),)),
            ("logs",),
            ["endpoint-closed"],
        ),
        (network(route="", endpoints=(HIDDEN,), groups=(OPEN,)), ("logs",), ["service-unreachable"]),
        (network(route="", endpoints=(HIDDEN,), groups=(OPEN,), zones=refused()), ("logs",), []),
        (
            network(route="", endpoints=(INTERFACE,), groups=(OPEN,), private_names=seen({"vpc-1": False})),
            ("logs",),
            ["service-unreachable"],
        ),
        (
            network(tables=(route_table("rtb-1", "subnet-1", route="nat-1"), route_table("rtb-2", "subnet-2"))),
            ("s3",),
            ["s3-unreachable"],
        ),
        (network(attached=seen({})), ("s3",), ["s3-unreachable"]),
        (network(nat_gateways=refused()), ("s3",), []),
    ],
)
def test_one_fault_one_finding(found: Network, services: tuple[str, ...], expected: list[str]) -> None:
    assert codes(found, *services) == expected


def test_what_is_out_of_reach_of_the_same_subnets_is_one_finding_with_one_fix() -> None:
    found = list(network_findings(network(route=""), ("s3", "logs", "ecs", INTERNET), used_by="a host"))
    assert len(found) == 1
    assert "cannot reach ecs, the internet, logs, s3 from subnet-1" in found[0].what
    assert "interface endpoints for ecs, logs" in found[0].fix
    assert "NAT gateway" in found[0].fix


def test_an_internet_gateway_is_a_way_out_only_with_a_public_address() -> None:
    inside = network(route="igw-1")
    assert codes(inside, "s3", public_ip=True) == []
    assert codes(inside, "s3", public_ip=None) == ["s3-unreachable"]
    public = network(route="igw-1", subnets=seen((Subnet("subnet-1", "vpc-1", 9, True),)))
    assert codes(public, "s3", public_ip=None) == []


def test_full_is_when_no_subnet_has_room_for_all_instances() -> None:
    both = (Subnet("subnet-1", "vpc-1", 1), Subnet("subnet-2", "vpc-1", 3))
    assert codes(network(subnets=seen(both)), addresses=3) == []
    assert codes(network(subnets=seen(both)), addresses=4) == ["subnets-full"]

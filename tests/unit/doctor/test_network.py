"""Findings about networks, one fault at a time."""

from __future__ import annotations

import pytest

from tests.unit.doctor.facts import absent, network, seen
from trainworks.aws.service_needs import INTERNET
from trainworks.doctor.network import Network, Rule, SecurityGroup, Subnet, VpcEndpoint, service_of
from trainworks.doctor.reachability import network_findings

GATEWAY = VpcEndpoint("vpce-1", "s3", "Gateway", route_table_ids=("rtb-1",))
INTERFACE = VpcEndpoint("vpce-2", "logs", "Interface", group_ids=("sg-2",))
HTTPS = Rule("tcp", 443, 443, ("sg-1",))


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
        (network(route="", endpoints=(VpcEndpoint("vpce-1", "s3", "Gateway"),)), ("s3",), ["s3-unreachable"]),
        (network(ips=0), (), ["subnets-full"]),
        (network(subnets=absent()), ("s3",), ["subnet-missing"]),
        (network(egress=()), ("s3",), ["egress-closed"]),
        (network(egress=(Rule("tcp", 80, 80, ("0.0.0.0/0",)),)), ("s3",), ["egress-closed"]),
        (network(egress=(Rule("udp", 0, 65535, ("0.0.0.0/0",)),)), ("s3",), ["egress-closed"]),
        (network(endpoints=(INTERFACE,), groups=(SecurityGroup("sg-2"),)), ("logs",), ["endpoint-closed"]),
        (network(endpoints=(INTERFACE,), groups=(SecurityGroup("sg-2", (), (HTTPS,)),)), ("logs",), []),
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
    public = network(route="igw-1", subnets=seen((Subnet("subnet-1", "vpc-1", 9, gives_public_ip=True),)))
    assert codes(public, "s3", public_ip=None) == []


def test_full_is_when_no_subnet_has_room_for_all_instances() -> None:
    both = (Subnet("subnet-1", "vpc-1", 1), Subnet("subnet-2", "vpc-1", 3))
    assert codes(network(subnets=seen(both)), addresses=3) == []
    assert codes(network(subnets=seen(both)), addresses=4) == ["subnets-full"]


def test_services_are_called_by_the_last_part_of_their_name() -> None:
    assert service_of("com.amazonaws.us-east-1.ecr.api") == "ecr.api"

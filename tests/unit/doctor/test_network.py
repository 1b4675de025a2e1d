"""Findings about networks, one fault at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.doctor.facts import absent, network, refused, route_table, seen
from trainworks.aws.ec2_network import DescribedAcl, described_acl
from trainworks.aws.iam.partial.statements import statements_of
from trainworks.aws.reach import VpcEndpoint
from trainworks.aws.security_groups import Group, Permission
from trainworks.aws.service_needs import INTERNET
from trainworks.doctor.finding import Outcome
from trainworks.doctor.network import Network, SecurityGroup, Subnet
from trainworks.doctor.reachability import layer_findings, network_findings, policy_findings
from trainworks.doctor.roles import PermissionQuestion, RoleFacts

GATEWAY = VpcEndpoint("vpce-1", "vpc-1", "s3", True, frozenset({"rtb-1"}))
INTERFACE = VpcEndpoint("vpce-2", "vpc-1", "logs", False, subnets=("subnet-1",), security_groups=("sg-2",))
HIDDEN = replace(INTERFACE, private_dns=False)
HTTPS = Permission("tcp", 443, 443, group="sg-1")
ELSEWHERE = Permission("tcp", 443, 443, cidr_block="10.9.0.0/16")
INSIDE = Permission("tcp", 443, 443, cidr_block="10.0.0.0/16")
CLOSED, OPEN = SecurityGroup("sg-2", Group((), ())), SecurityGroup("sg-2", Group((HTTPS,), ()))


OUT = {"Egress": True, "Protocol": "6", "PortRange": {"From": 443, "To": 443}}
BACK = {"Egress": False, "Protocol": "6", "PortRange": {"From": 1024, "To": 65535}}


def acl(*entries: dict[str, Any], subnet: str = "subnet-1") -> DescribedAcl:
    """The ACL of a subnet; each entry allows, in their order."""
    shown = [
        {"RuleNumber": number, "RuleAction": "allow", "CidrBlock": "0.0.0.0/0", **each}
        for number, each in enumerate(entries, start=1)
    ]
    associations = [{"SubnetId": subnet}]
    return described_acl(
        {"NetworkAclId": f"acl-of-{subnet}", "VpcId": "vpc-1", "Entries": shown, "Associations": associations}
    )


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
        (network(route="", endpoints=(HIDDEN,), groups=(OPEN,), zones=refused()), ("logs",), ["reach-unknown"]),
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
        (network(nat_gateways=refused()), ("s3",), ["reach-unknown"]),
        (network(resolvers=seen({"vpc-1": False})), ("s3",), ["s3-unreachable"]),
        (network(acls=seen((acl(OUT, BACK),))), ("s3",), []),
        (network(acls=seen((acl(OUT, BACK), acl(subnet="subnet-2")))), ("s3",), ["acl-closed"]),
        (network(acls=seen((acl(OUT),))), ("s3", "logs"), ["acl-closed"]),
        (network(acls=refused()), ("s3",), []),
        (network(endpoints=(INTERFACE,), groups=(OPEN,), acls=seen((acl(),))), ("logs",), []),
        (network(route="tgw-1"), ("s3", "logs"), ["reach-unknown"]),
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


def test_what_nobody_can_see_is_said_and_blames_nobody() -> None:
    (found,) = network_findings(network(route="tgw-1"), ("s3", "logs"), used_by="the job")
    assert found.outcome is Outcome.COULD_NOT_LOOK
    assert found.what.startswith("whether the job reaches logs, s3 cannot be told from here")
    assert "tgw-1" in found.what


def test_an_acl_is_named_with_what_it_lacks() -> None:
    (found,) = network_findings(network(acls=seen((acl(OUT),))), ("s3",), used_by="the job")
    assert "acl-of-subnet-1 of subnet-1 does not let all of TCP 32768 to 60999" in found.what
    assert found.fix.startswith("allow inbound TCP 32768 to 60999 from 0.0.0.0/0 in acl-of-subnet-1")


ROLE = "arn:aws:iam::111111111111:role/train"


@pytest.mark.parametrize(
    ("action", "on", "principal", "is_refused"),
    [
        ("s3:*", "*", "*", False),
        ("s3:*", "arn:aws:s3:::data/in/*", "*", False),
        ("s3:*", "arn:aws:s3:::data/input/*", "*", False),  # the prefix "in" begins so, too
        ("s3:*", "arn:aws:s3:::other/*", "*", True),
        ("s3:PutObject", "*", "*", True),
        ("s3:*", "*", {"AWS": "111111111111"}, True),
        ("s3:*", "*", {"AWS": ROLE}, False),
    ],
)
def test_the_policy_of_the_endpoint_on_the_way(action: str, on: str, principal: Any, is_refused: bool) -> None:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": on}
    policy = tuple(statements_of({"Version": "2012-10-17", "Statement": [statement]}))
    guarded = network(endpoints=(replace(GATEWAY, policy=policy),))
    questions = (PermissionQuestion("s3:GetObject", "arn:aws:s3:::data/in", "read its input"),)
    role = RoleFacts(ROLE, absent(), absent(), absent(), questions, "us-east-1")
    given: dict[str, Any] = {"used_by": "the job", "public_ip": False}
    found = list(policy_findings(guarded, role, {"s3"}, **given))
    assert bool(found) is is_refused
    assert all(each.code == "endpoint-policy-denies" and "vpce-1" in each.fix for each in found)
    assert list(policy_findings(network(), role, {"s3"}, **given)) == [], "past the endpoint"
    layers = list(layer_findings(guarded, "us-east-1", "aws", **given))
    assert bool(layers) is ((action, on) != ("s3:*", "*")), "ECR signs these itself: nobody knows as whom"

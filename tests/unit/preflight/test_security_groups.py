"""Which connections security groups let through."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.preflight.small_vpc import group, group_id, ref, resource, vpc
from trainworks.assembly.graph import graph_of_template
from trainworks.aws.security_groups import ALL_TCP, HTTPS, PUBLIC, Peer, SecurityGroups
from trainworks.preflight.security_groups import security_groups_of

INSIDE = Peer(cidr_blocks=("10.0.1.0/24",))


def _groups(**resources: Any) -> tuple[SecurityGroups, str]:
    """All groups, and the id of the one called `G`."""
    template = {"Parameters": {"Anything": {"Type": "String"}}, "Resources": {**vpc(), **resources}}
    graph = graph_of_template(template)
    return security_groups_of(graph), graph.resource("G").attribute("GroupId")


def _rule(**rule: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **rule}


def test_a_group_without_rules_lets_everything_out_and_nothing_in() -> None:
    groups, id_ = _groups(**group("G"))
    assert groups.lets_out([id_], PUBLIC)
    assert groups.lets_out([id_], INSIDE, ALL_TCP)
    assert not groups.lets_in([id_], INSIDE)


@pytest.mark.parametrize(
    ("rule", "out", "inside"),
    [
        (_rule(CidrIp="0.0.0.0/0"), True, True),
        (_rule(CidrIp="10.0.0.0/16"), False, True),
        (_rule(CidrIp="10.9.0.0/16"), False, False),
        (_rule(CidrIp="52.216.0.0/15"), True, False),
        (_rule(CidrIpv6="::/0"), False, False),
        (_rule(DestinationPrefixListId="pl-1"), True, True),
        (_rule(CidrIp="0.0.0.0/0", FromPort=80, ToPort=80), False, False),
        (_rule(CidrIp="0.0.0.0/0", IpProtocol="udp"), False, False),
        ({"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}, True, True),
        ({"IpProtocol": -1, "CidrIp": "0.0.0.0/0"}, True, True),
        ({"IpProtocol": "icmp", "FromPort": 252, "ToPort": 86, "CidrIp": "255.255.255.255/32"}, False, False),
        (_rule(CidrIp=ref("Anything")), True, True),
        (_rule(CidrIp="0.0.0.0/0", FromPort=ref("Anything")), True, True),
    ],
)
def test_outbound_rules(rule: dict[str, Any], out: bool, inside: bool) -> None:
    groups, id_ = _groups(**group("G", SecurityGroupEgress=[rule]))
    assert groups.lets_out([id_], PUBLIC) is out
    assert groups.lets_out([id_], INSIDE) is inside


def test_a_rule_of_its_own_takes_the_default_away() -> None:
    rule = resource(
        "EC2::SecurityGroupEgress", GroupId=group_id("G"), DestinationSecurityGroupId=group_id("H"), IpProtocol="-1"
    )
    groups, id_ = _groups(**group("G"), **group("H"), Rule=rule)
    assert not groups.lets_out([id_], PUBLIC)


def test_rules_that_name_groups() -> None:
    rule = resource("EC2::SecurityGroupIngress", GroupId=ref("G"), SourceSecurityGroupId=group_id("G"), IpProtocol="-1")
    groups, id_ = _groups(**group("G"), Rule=rule)
    assert groups.lets_in([id_], Peer(frozenset([id_])), ALL_TCP)
    assert not groups.lets_in([id_], Peer(frozenset(["sg-other"]), ("10.0.1.0/24",)), (HTTPS, HTTPS))


def test_any_of_several_groups_may_let_it_through() -> None:
    groups, id_ = _groups(**group("G", SecurityGroupEgress=[_rule(CidrIp="10.9.0.0/16")]), **group("H"))
    assert not groups.lets_out([id_], PUBLIC)
    assert groups.lets_out([id_, "sg-of-another-stack"], PUBLIC)
    assert not groups.knows_all([id_, "sg-of-another-stack"])


def test_all_of_tcp() -> None:
    peer = Peer(cidr_blocks=("10.0.1.0/24",))
    for first, last, whole in ((0, 65535, True), (1, 65535, True), (1024, 65535, False), (443, 443, False)):
        rule = {"IpProtocol": "tcp", "FromPort": first, "ToPort": last, "CidrIp": "10.0.0.0/16"}
        groups, id_ = _groups(**group("G", SecurityGroupIngress=[rule]))
        assert groups.lets_in([id_], peer, ALL_TCP) is whole


def test_the_default_group_lets_its_members_in_and_everything_out() -> None:
    graph = graph_of_template({"Resources": vpc()})
    id_ = graph.resource("Vpc").attribute("DefaultSecurityGroup")
    groups = security_groups_of(graph)
    assert groups.lets_in([id_], Peer(frozenset([id_])))
    assert not groups.lets_in([id_], INSIDE)
    assert groups.lets_out([id_], PUBLIC)

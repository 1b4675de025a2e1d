"""`reach` and `acl_stops` against an evaluator that only the tests have, over random VPCs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.aws.naive_network import BLOCKS, AclRule, World, outcomes
from trainworks.aws.acl_stops import passing
from trainworks.aws.ec2_network import (
    DescribedNetwork,
    DescribedSubnet,
    attached_gateways,
    described_acl,
    described_endpoint,
    described_nat,
    described_table,
)
from trainworks.aws.reach import Reach

SURE = ("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.1.0/24", "192.168.0.0/16", "::/0")
UNSURE = ("52.216.0.0/15", "10.0.0.0/25", "10.0.1.128/25", "0.0.0.0/1")
PORTS = (
    (443, 443),
    (0, 65535),
    (1024, 65535),
    (32768, 65535),
    (32768, 60999),
    (49152, 65535),
    (40000, 40001),
    (1024, 32767),
    (50001, 65535),
)


def acl_rules(blocks: tuple[str, ...]) -> st.SearchStrategy[list[AclRule]]:
    rule = st.builds(
        lambda number, allow, egress, protocol, cidr, ports: AclRule(number, allow, egress, protocol, cidr, *ports),
        st.integers(1, 32766),
        st.booleans(),
        st.booleans(),
        st.sampled_from(("-1", "6", "6", "6", "17")),
        st.sampled_from(blocks),
        st.sampled_from(PORTS),
    )
    some = st.lists(rule, max_size=8, unique_by=lambda each: (each.number, each.egress))
    few = st.lists(rule, max_size=2, unique_by=lambda each: (each.number, each.egress))
    open_at_last = [AclRule(32766, True, egress, "-1", "0.0.0.0/0") for egress in (True, False)]
    nearly_open = few.filter(lambda rules: all(each.number < 32766 for each in rules))
    return some | nearly_open.map(lambda rules: [*rules, *(replace(each) for each in open_at_last)])


def worlds(blocks: tuple[str, ...]) -> st.SearchStrategy[World]:
    acls = st.none() | acl_rules(blocks)
    mostly = st.sampled_from((True, True, True, True, False))
    guarded = st.fixed_dictionaries({"a": acls, "b": acls})
    whole = (
        st.builds(World, route_of_a=st.just("nat in b"), acls=guarded),
        st.builds(World, interface_subnets=st.sampled_from((("b",), ("a", "b"))), acls=guarded),
        st.builds(World, gateway_endpoint=st.just(True), acls=guarded),
    )
    any_world = st.builds(
        World,
        route_of_a=st.sampled_from(("none", "internet", "nat in a", "nat in b", "nat in b")),
        b_leads_out=mostly,
        attached=mostly,
        public_address=st.booleans(),
        gateway_endpoint=st.booleans(),
        interface_subnets=st.sampled_from(((), (), ("a",), ("b",), ("a", "b"))),
        private_dns=mostly,
        host_names=mostly,
        dns_support=mostly,
        acls=guarded,
    )
    return st.one_of(any_world, *whole)


def described(world: World) -> DescribedNetwork:
    """As EC2 describes it."""
    local = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
    anywhere = {"DestinationCidrBlock": "0.0.0.0/0", "State": "active"}
    target = {
        "none": {},
        "internet": {"GatewayId": "igw-1"},
        "nat in a": {"NatGatewayId": "nat-a"},
        "nat in b": {"NatGatewayId": "nat-b"},
    }[world.route_of_a]
    routes = {
        "a": [local, *([{**anywhere, **target}] if target else [])],
        "b": [local, *([{**anywhere, "GatewayId": "igw-1"}] if world.b_leads_out else [])],
    }
    common = {"VpcId": "vpc-1", "ServiceName": "com.amazonaws.us-east-1.s3"}
    endpoints: list[dict[str, Any]] = []
    if world.gateway_endpoint:
        endpoints.append({**common, "VpcEndpointId": "vpce-g", "RouteTableIds": ["rtb-a"]})
    if world.interface_subnets:
        endpoints.append(
            {
                **common,
                "VpcEndpointId": "vpce-i",
                "VpcEndpointType": "Interface",
                "SubnetIds": list(world.interface_subnets),
                "PrivateDnsEnabled": world.private_dns,
            }
        )
    gateway = {"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1"}] if world.attached else []}
    return DescribedNetwork(
        [
            described_table(
                {
                    "RouteTableId": f"rtb-{name}",
                    "VpcId": "vpc-1",
                    "Routes": each,
                    "Associations": [{"SubnetId": name, "Main": False}],
                }
            )
            for name, each in routes.items()
        ],
        [described_endpoint(each, ["sg-1"]) for each in endpoints],
        [described_nat({"NatGatewayId": f"nat-{each}", "VpcId": "vpc-1", "SubnetId": each}) for each in BLOCKS],
        attached_gateways([gateway]),
        {"vpc-1": world.host_names and world.dns_support},
        {"vpc-1": False},
        {"vpc-1": world.dns_support},
        [described_acl(_acl(name, rules)) for name, rules in world.acls.items()],
        {name: DescribedSubnet(name, block) for name, block in BLOCKS.items()},
    )


def _acl(subnet: str, rules: list[AclRule] | None) -> dict[str, Any]:
    given_rules = rules
    if given_rules is None:
        given_rules = [AclRule(100, True, egress, "-1", "0.0.0.0/0") for egress in (True, False)]
    entries = [
        {
            "RuleNumber": each.number,
            "RuleAction": "allow" if each.allow else "deny",
            "Egress": each.egress,
            "Protocol": each.protocol,
            "Ipv6CidrBlock" if ":" in each.cidr else "CidrBlock": each.cidr,
            **({} if each.protocol == "-1" else {"PortRange": {"From": each.first, "To": each.last}}),
        }
        for each in given_rules
    ]
    associations = [{"SubnetId": subnet, "NetworkAclId": f"acl-{subnet}"}]
    return {"NetworkAclId": f"acl-{subnet}", "VpcId": "vpc-1", "Entries": entries, "Associations": associations}


def said(world: World) -> bool | None:
    network = described(world)
    subnet = network.subnet("a", "vpc-1")
    assert subnet is not None
    found = network.facts.reach(subnet, "s3", world.public_address)
    if found.reach is not Reach.YES:
        return None if found.reach is Reach.UNKNOWN else False
    return passing(subnet, found, lambda each: network.subnet(each, "vpc-1"))[0]


def closed_at(first: int, last: int) -> list[AclRule]:
    """Open, but for answers to these ports."""
    opened = [AclRule(9, True, egress, "-1", "0.0.0.0/0") for egress in (True, False)]
    return [AclRule(1, False, False, "6", "0.0.0.0/0", first, last), *opened]


@settings(max_examples=200, deadline=None)
@example(world=World(gateway_endpoint=True, acls={"a": closed_at(60999, 60999), "b": None}))
@example(world=World(gateway_endpoint=True, acls={"a": closed_at(32768, 32768), "b": None}))
@example(world=World(gateway_endpoint=True, acls={"a": closed_at(61000, 65535), "b": None}))
@example(world=World(route_of_a="nat in b", acls={"a": None, "b": closed_at(1024, 1024)}))
@example(world=World(route_of_a="nat in b", acls={"a": None, "b": closed_at(65535, 65535)}))
@given(world=worlds(SURE))
def test_where_all_is_known_the_answer_is_what_becomes_of_the_connection(world: World) -> None:
    happens = outcomes(world)
    answer = said(world)
    if len(happens) == 1:
        assert {answer} == happens, world
    else:  # an endpoint in two subnets, of which one is reached
        assert answer is None, world


@settings(max_examples=200, deadline=None)
@given(world=worlds((*SURE, *UNSURE)))
def test_a_certain_answer_is_right_whatever_the_addresses_are(world: World) -> None:
    answer = said(world)
    assert answer is None or outcomes(world) == {answer}, world


@settings(max_examples=100, deadline=None)
@given(world=worlds((*SURE, *UNSURE)))
def test_an_entry_that_allows_all_before_the_others_never_takes_away(world: World) -> None:
    before = said(world)
    for rules in world.acls.values():
        if rules is not None:
            rules[:] = [replace(each, number=each.number + 2) for each in rules]
            rules += [AclRule(1, True, egress, "-1", "0.0.0.0/0") for egress in (True, False)]
    assert said(world) in ((True,) if before else (True, False, None))

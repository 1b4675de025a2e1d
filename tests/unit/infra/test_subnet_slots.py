"""Subnets keep their addresses and names when a platform gets other subnets beside them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.aws.cidr import CidrBlock
from trainworks.config.profile import PROFILES, SUBNET_KINDS, Egress, NetworkProfile, ProfileName
from trainworks.infra.node import use_bundled_node

use_bundled_node()  # before anything of the CDK is imported

import aws_cdk as cdk  # noqa: E402

from trainworks.infra import Network  # noqa: E402

PROFILE = replace(PROFILES[ProfileName.STAGING], notebook=None)
BLOCK = CidrBlock.parse("10.20.0.0/16")
ZONES = st.one_of(
    st.integers(2, 3),
    st.lists(st.sampled_from("abcdef"), min_size=2, max_size=6, unique=True).map(tuple),
)
NETWORKS = st.builds(NetworkProfile, egress=st.sampled_from(Egress), availability_zones=ZONES)


def addresses(network: NetworkProfile) -> dict[tuple[str, str], str]:
    return {
        (kind, letter): str(network.subnet_cidr_block(BLOCK, kind, letter))
        for kind in network.subnet_kinds
        for letter in network.zone_letters("us-east-1")
    }


@given(NETWORKS, NETWORKS)
def test_addresses_that_two_networks_share_are_of_one_kind_and_zone(one: NetworkProfile, two: NetworkProfile) -> None:
    subnets, others = addresses(one), addresses(two)
    for place, block in subnets.items():
        for other_place, other in others.items():
            assert (block == other) == (place == other_place)
            assert block == other or not IPv4Network(block).overlaps(IPv4Network(other))


@given(NETWORKS, st.integers(17, 28))
def test_what_the_checks_let_through_fits_into_the_block(network: NetworkProfile, mask: int) -> None:
    try:
        narrow = replace(network, subnet_cidr_mask=mask)
    except ValueError:
        return
    blocks = [
        IPv4Network(str(narrow.subnet_cidr_block(BLOCK, kind, letter)))
        for kind in SUBNET_KINDS
        for letter in narrow.zone_letters("us-east-1")
    ]
    assert all(block.subnet_of(IPv4Network(str(BLOCK))) for block in blocks)
    assert not any(one.overlaps(two) for one, two in combinations(blocks, 2))


def resources(egress: Egress, zones: int | tuple[str, ...], region: str = "us-east-1") -> dict[str, dict[str, Any]]:
    app = cdk.App(builtin_cloud_formation_validation=False, analytics_reporting=False)
    stack = cdk.Stack(app, "theirs", env=cdk.Environment(account="111111111111", region=region))
    settings = replace(PROFILE.network, egress=egress, availability_zones=zones)
    Network(stack, "Net", profile=replace(PROFILE, network=settings), environment_suffix="mine")
    found: dict[str, dict[str, Any]] = app.synth().get_stack_by_name("theirs").template["Resources"]
    return found


@pytest.fixture(scope="module")
def variants() -> list[dict[str, dict[str, Any]]]:
    return [
        resources(egress, zones)
        for egress in Egress
        for zones in (2, 3, ("a", "c"), ("b", "c"), ("e", "d", "a"))
    ]  # fmt: skip


def test_a_subnet_that_two_templates_have_is_one_resource(variants: list[dict[str, dict[str, Any]]]) -> None:
    """Whatever is changed, CloudFormation is not asked to make a subnet where another one still is."""
    seen: dict[str, tuple[str, str, str]] = {}
    for template in variants:
        for logical_id, each in template.items():
            if each["Type"] == "AWS::EC2::Subnet":
                properties = each["Properties"]
                (kind,) = [
                    tag["Value"] for tag in properties["Tags"] if tag["Key"] == "aws-cdk:subnet-name"
                ]  # fmt: skip
                subnet = (logical_id, kind, properties["AvailabilityZone"])
                assert seen.setdefault(properties["CidrBlock"], subnet) == subnet
    assert len(seen) == 3 * 5  # three kinds in a, b, c, d and e


def test_a_subnet_keeps_its_route_table(variants: list[dict[str, dict[str, Any]]]) -> None:
    """A subnet can be associated with one table at a time, and the new association would come first."""
    seen: dict[str, tuple[str, str]] = {}
    for template in variants:
        for logical_id, each in template.items():
            if each["Type"] == "AWS::EC2::SubnetRouteTableAssociation":
                properties = each["Properties"]
                association = (logical_id, properties["RouteTableId"]["Ref"])
                assert seen.setdefault(properties["SubnetId"]["Ref"], association) == association
                assert association[1] in template
    assert len(seen) == 3 * 5


def test_zones_are_those_that_the_region_has() -> None:
    for region, letters in (("ca-central-1", "abd"), ("ap-northeast-1", "acd")):
        template = resources(Egress.INTERFACE_ENDPOINTS, 3, region)
        zones = {e["Properties"]["AvailabilityZone"] for e in template.values() if e["Type"] == "AWS::EC2::Subnet"}
        assert zones == {f"{region}{letter}" for letter in letters}

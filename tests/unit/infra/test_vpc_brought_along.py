"""A platform in a VPC of somebody else, in nested stacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainworks.assembly.graph import Graph, load_graph
from trainworks.config.profile import PROFILES, Egress, InterfaceEndpoint, ProfileName
from trainworks.errors import ConfigurationError
from trainworks.infra.node import use_bundled_node

use_bundled_node()  # before anything of the CDK is imported

import aws_cdk as cdk  # noqa: E402
from aws_cdk import aws_ec2 as ec2  # noqa: E402

from trainworks.infra import TrainingPlatform  # noqa: E402

HERE = cdk.Environment(account="111111111111", region="eu-west-1")
DEV, STAGING, PROD = (PROFILES[name] for name in (ProfileName.DEV, ProfileName.STAGING, ProfileName.PROD))
KINDS = {
    ProfileName.DEV: [ec2.SubnetType.PUBLIC, ec2.SubnetType.PRIVATE_ISOLATED],
    ProfileName.STAGING: [ec2.SubnetType.PUBLIC, ec2.SubnetType.PRIVATE_WITH_EGRESS],
    ProfileName.PROD: [ec2.SubnetType.PRIVATE_ISOLATED],
}


def vpc_of(scope: cdk.Stack, profile: ProfileName) -> ec2.Vpc:
    """A VPC as the CDK makes it, with the kinds of subnets that the profile needs."""
    kinds = [ec2.SubnetConfiguration(name=f"Kind{n}", subnet_type=kind) for n, kind in enumerate(KINDS[profile])]
    return ec2.Vpc(scope, "Vpc", max_azs=2, subnet_configuration=kinds, restrict_default_security_group=False)


def app_in(folder: Path) -> cdk.App:
    return cdk.App(outdir=str(folder), builtin_cloud_formation_validation=False, analytics_reporting=False)


def checked_graph(app: cdk.App, folder: Path) -> Graph:
    """The graph of what was synthesized, in which everything resolves and no template is without a resource."""
    app.synth()
    graph = load_graph(folder)
    assert graph.problems == ()
    stacks = {each.stack for each in graph.resources}
    assert stacks
    for stack in stacks:
        for stack_path in graph.stack_paths(stack):
            assert graph.template(stack, stack_path).get("Resources"), (stack, stack_path)
    return graph


def nested(graph: Graph) -> set[str]:
    return {
        each.logical_id.removeprefix("Ml").partition("NestedStack")[0]
        for each in graph.of_type("AWS::CloudFormation::Stack")
    }


@pytest.mark.parametrize("name", ProfileName)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["same stack", "other stack"])
def test_no_nested_stack_is_empty(name: ProfileName, elsewhere: bool, tmp_path: Path) -> None:
    app = app_in(tmp_path)
    stack = cdk.Stack(app, "theirs", env=HERE)
    vpc = vpc_of(cdk.Stack(app, "network", env=HERE) if elsewhere else stack, name)
    TrainingPlatform(stack, "Ml", profile=name, vpc=vpc)
    graph = checked_graph(app, tmp_path)
    assert nested(graph) == {"Storage", "Training", "Batch", "Monitoring", "Cost"}
    assert len(graph.of_type("AWS::EC2::VPC")) == 1


def test_a_platform_with_a_vpc_of_its_own_has_a_stack_for_it(tmp_path: Path) -> None:
    app = app_in(tmp_path)
    TrainingPlatform(cdk.Stack(app, "theirs", env=HERE), "Ml", profile=DEV)
    assert "Network" in nested(checked_graph(app, tmp_path))


def test_the_profile_for_a_vpc_as_the_cdk_makes_it(tmp_path: Path) -> None:
    """What docs/how-to/own-cdk-app.md shows."""
    app = app_in(tmp_path)
    stack = cdk.Stack(app, "theirs", env=HERE)
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=1, restrict_default_security_group=False)
    platform = TrainingPlatform(stack, "Ml", profile="staging", vpc=vpc)
    checked_graph(app, tmp_path)
    private = [each.subnet_id for each in vpc.private_subnets]
    for subnets in (platform.network.isolated_subnets, platform.network.batch_subnets):
        assert [each.subnet_id for each in subnets] == private


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cidr_block", "10.1.0.0/16"),
        ("subnet_cidr_mask", 22),
        ("availability_zones", 3),
        ("interface_endpoints", (InterfaceEndpoint.STS,)),
        ("readable_buckets", ("open-data",)),
        ("gateway_prefix_list_ids", ("pl-12345678",)),
        ("flow_logs", False),
    ],
)
def test_a_setting_that_nothing_would_come_of_is_refused(key: str, value: Any, tmp_path: Path) -> None:
    stack = cdk.Stack(app_in(tmp_path), "theirs", env=HERE)
    profile = replace(STAGING, network=replace(STAGING.network, **{key: value}))
    with pytest.raises(ConfigurationError, match=rf"network\.{key} is .* cannot be used with a VPC brought along"):
        TrainingPlatform(stack, "Ml", profile=profile, vpc=vpc_of(stack, ProfileName.STAGING))


def test_the_way_out_is_a_setting_of_any_vpc(tmp_path: Path) -> None:
    stack = cdk.Stack(app_in(tmp_path), "theirs", env=HERE)
    profile = replace(PROD, network=replace(PROD.network, egress=Egress.NAT_GATEWAY))
    platform = TrainingPlatform(stack, "Ml", profile=profile, vpc=vpc_of(stack, ProfileName.STAGING))
    assert platform.network.batch_subnets

"""The platform and its parts in apps that are not ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainworks.aws.cidr import derived_cidr_block
from trainworks.config.profile import PROFILES, Egress, EnvironmentProfile, ProfileName
from trainworks.errors import ConfigurationError
from trainworks.infra.node import use_bundled_node

use_bundled_node()  # before anything of the CDK is imported

import aws_cdk as cdk  # noqa: E402
from aws_cdk import aws_ec2 as ec2  # noqa: E402
from aws_cdk import aws_iam as iam  # noqa: E402

from trainworks import infra  # noqa: E402
from trainworks.infra import BatchInference, Network, Storage, Training, TrainingPlatform  # noqa: E402
from trainworks.infra.constructs.compute_environment import image_types  # noqa: E402

DEV = PROFILES[ProfileName.DEV]
HERE = cdk.Environment(account="111111111111", region="eu-west-1")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[cdk.App]:
    yield cdk.App(outdir=str(tmp_path), builtin_cloud_formation_validation=False, analytics_reporting=False)


@pytest.fixture
def stack(app: cdk.App) -> cdk.Stack:
    return cdk.Stack(app, "theirs", env=HERE)


def resources(stack: cdk.Stack, type_: str = "") -> dict[str, Any]:
    template = cdk.App.of(stack).synth().get_stack_by_name(stack.stack_name).template  # type: ignore[union-attr]
    return {key: each for key, each in template["Resources"].items() if type_ in ("", each["Type"])}


def test_the_package_tells_its_names_without_loading_the_cdk() -> None:
    code = "import sys, trainworks.infra as i; dir(i); assert i.__all__; assert 'aws_cdk' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_that_is_offered_is_there() -> None:
    for name in infra.__all__:
        assert isinstance(getattr(infra, name), type)
    with pytest.raises(AttributeError, match="has no attribute 'Platform'"):
        _ = infra.Platform


def test_whoever_imports_the_cdk_first_keeps_their_node() -> None:
    """The variable is read when the CDK is first imported; afterwards it would change nothing."""
    code = (
        "import os, sys, types; sys.modules['aws_cdk'] = types.ModuleType('aws_cdk')\n"
        "import trainworks.infra as i\n"
        "try: i.TrainingPlatform\n"
        "except ImportError: pass\n"
        "assert 'JSII_NODE' not in os.environ"
    )
    environment = {"PATH": "", "PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_parts_come_in_nested_stacks(stack: cdk.Stack) -> None:
    TrainingPlatform(stack, "Ml", profile="dev")
    nested = resources(stack, "AWS::CloudFormation::Stack")
    assert {key.removeprefix("Ml").partition("NestedStack")[0] for key in nested} == {
        "Network", "Storage", "Training", "Batch", "Monitoring", "Cost",
    }  # fmt: skip


def test_or_all_in_the_stack_that_is_there(stack: cdk.Stack) -> None:
    TrainingPlatform(stack, "Ml", nested=False)
    found = resources(stack)
    assert not [each for each in found.values() if each["Type"] == "AWS::CloudFormation::Stack"]
    assert {each["Type"] for each in found.values()} >= {"AWS::EC2::VPC", "AWS::S3::Bucket", "AWS::Batch::JobQueue"}
    assert all(key.startswith("Ml") for key, each in found.items() if each["Type"] != "AWS::CDK::Metadata")


def test_two_platforms_fit_into_one_app(app: cdk.App) -> None:
    stack = cdk.Stack(app, "both", env=HERE)
    for suffix in ("one", "two"):
        TrainingPlatform(stack, suffix.title(), environment_suffix=suffix)
    assert len(resources(stack, "AWS::CloudFormation::Stack")) == 12


def test_tags_end_at_the_platform(stack: cdk.Stack) -> None:
    ec2.Vpc(stack, "Own", max_azs=1)
    TrainingPlatform(stack, "Ml", environment_suffix="fraud", nested=False)
    vpcs = resources(stack, "AWS::EC2::VPC")
    tags = {
        key.startswith("Ml"): {tag["Key"]: tag["Value"] for tag in each["Properties"]["Tags"]}
        for key, each in vpcs.items()
    }
    assert tags[True]["Environment"] == "fraud"
    assert "Environment" not in tags[False]


def test_a_vpc_that_is_brought_along_stays_as_it_is(stack: cdk.Stack) -> None:
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=1, restrict_default_security_group=False)
    before = set(resources(stack))
    profile = replace(DEV, network=replace(DEV.network, egress=Egress.NAT_GATEWAY))
    app = cdk.App(builtin_cloud_formation_validation=False, analytics_reporting=False)
    again = cdk.Stack(app, "theirs", env=HERE)
    vpc = ec2.Vpc(again, "Vpc", max_azs=2, nat_gateways=1, restrict_default_security_group=False)
    platform = TrainingPlatform(again, "Ml", profile=profile, vpc=vpc, nested=False)
    after = resources(again)
    assert before <= set(after)
    ours = {key: each["Type"] for key, each in after.items() if key not in before}
    assert not {"AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::VPCEndpoint", "AWS::EC2::FlowLog"} & set(ours.values())
    assert platform.network.vpc.node.path == vpc.node.path
    assert platform.training.subnet_ids == [subnet.subnet_id for subnet in vpc.private_subnets]


def test_a_vpc_without_the_subnets_that_are_needed_is_refused(stack: cdk.Stack) -> None:
    public = ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC)
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1, subnet_configuration=[public], restrict_default_security_group=False)
    with pytest.raises(ConfigurationError, match="theirs/Vpc has no isolated or private subnets for jobs"):
        TrainingPlatform(stack, "Ml", vpc=vpc)


def test_a_part_works_alone(stack: cdk.Stack) -> None:
    Storage(stack, "Data", profile="staging")
    assert {each["Type"] for each in resources(stack).values()} <= {
        "AWS::KMS::Key", "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::ECR::Repository", "AWS::CDK::Metadata",
    }  # fmt: skip


def test_parts_combine_without_the_platform(stack: cdk.Stack) -> None:
    network = Network(stack, "Net", profile=DEV, environment_suffix="mine")
    storage = Storage(stack, "Data", profile=DEV)
    Training(stack, "Train", profile=DEV, network=network, storage=storage, environment_suffix="mine")
    BatchInference(stack, "Infer", profile=DEV, network=network, storage=storage)
    assert resources(stack, "AWS::Batch::JobQueue")
    (vpc,) = resources(stack, "AWS::EC2::VPC").values()
    assert vpc["Properties"]["CidrBlock"] == derived_cidr_block("mine")


def test_grants_name_exact_actions(stack: cdk.Stack) -> None:
    role = iam.Role(stack, "Theirs", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    platform = TrainingPlatform(stack, "Ml")
    for grant in (
        platform.grant_submit_training(role),
        platform.grant_submit_batch(role),
        platform.grant_read_datasets(role),
        platform.grant_write_datasets(role, "datasets/mine/"),
        platform.grant_read_models(role),
    ):
        assert grant.success
    (policy,) = resources(stack, "AWS::IAM::Policy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    actions = [
        action
        for each in statements
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    ]
    assert not [action for action in actions if "*" in action]
    assert {each["Effect"] for each in statements} == {"Allow"}
    (passed,) = [each for each in statements if each["Action"] == "iam:PassRole"]
    assert passed["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    assert passed["Resource"] != "*"


def test_a_grant_that_cannot_be_given_is_no_silence(stack: cdk.Stack) -> None:
    platform = TrainingPlatform(stack, "Ml")
    for grantee in (iam.ServicePrincipal("lambda.amazonaws.com"), iam.AccountPrincipal("222222222222")):
        with pytest.raises(ConfigurationError, match="cannot be granted"):
            platform.grant_read_models(grantee)


def test_what_a_profile_leaves_out_cannot_be_granted(stack: cdk.Stack) -> None:
    role = iam.Role(stack, "Theirs", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    platform = TrainingPlatform(stack, "Ml", profile=replace(DEV, batch=None))
    with pytest.raises(ConfigurationError, match="theirs/Ml has no batch inference"):
        platform.grant_submit_batch(role)
    with pytest.raises(ConfigurationError, match="theirs/Ml has no batch inference"):
        platform.metric_failed_batch_jobs()


def test_metrics_are_those_of_the_rules_that_count(stack: cdk.Stack) -> None:
    platform = TrainingPlatform(stack, "Ml", nested=False)
    rules = set(resources(stack, "AWS::Events::Rule"))
    metrics = (
        platform.metric_failed_training_jobs(),
        platform.metric_interrupted_training_jobs(),
        platform.metric_failed_batch_jobs(),
        platform.metric_lost_batch_hosts(),
        platform.metric_blocked_job_queue(period=cdk.Duration.hours(1)),
    )
    counted = set()
    for metric in metrics:
        assert (metric.namespace, metric.metric_name, metric.statistic) == ("AWS/Events", "MatchedEvents", "Sum")
        counted.add(stack.resolve((metric.dimensions or {})["RuleName"])["Ref"])
    assert len(counted) == len(metrics)
    assert counted <= rules
    assert metrics[-1].period.to_seconds() == 3600


@pytest.mark.parametrize("profile", ["production", ""])
def test_an_unknown_profile_is_refused(stack: cdk.Stack, profile: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed: dev, staging, prod"):
        TrainingPlatform(stack, "Ml", profile=profile)


def test_a_stack_without_a_region_is_refused(app: cdk.App) -> None:
    with pytest.raises(ConfigurationError, match="the stack theirs has no region"):
        TrainingPlatform(cdk.Stack(app, "theirs"), "Ml")


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_the_flags_of_the_app_around_do_not_matter(tmp_path: Path, profile: EnvironmentProfile) -> None:
    def synthesized(folder: str, context: dict[str, bool]) -> dict[str, Any]:
        app = cdk.App(
            outdir=str(tmp_path / folder),
            context=context,
            builtin_cloud_formation_validation=False,
            analytics_reporting=False,
        )
        stack = cdk.Stack(app, "theirs", env=HERE)
        TrainingPlatform(stack, "Ml", profile=profile, nested=False)
        return resources(stack)

    everything_else = {
        "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": False,
        "@aws-cdk/aws-ec2:restrictDefaultSecurityGroup": True,
    }
    assert synthesized("plain", {}) == synthesized("flags", everything_else)


def test_a_region_without_budgets(app: cdk.App) -> None:
    there = cdk.Environment(account="111111111111", region="eu-north-1")
    with pytest.raises(ConfigurationError, match="no AWS::Budgets::Budget in eu-north-1") as caught:
        TrainingPlatform(cdk.Stack(app, "north", env=there), "Ml")
    assert "cost = false" in caught.value.fix
    without = replace(DEV, cost=None)
    platform = TrainingPlatform(cdk.Stack(app, "other", env=there), "Ml", profile=without, environment_suffix="other")
    assert platform.cost is None


def test_alerts_wait_for_the_policy_of_a_topic_beside_them(stack: cdk.Stack) -> None:
    TrainingPlatform(stack, "Ml", nested=False)
    (policy,) = resources(stack, "AWS::SNS::TopicPolicy")
    for type_ in ("AWS::Budgets::Budget", "AWS::CE::AnomalySubscription"):
        (alert,) = resources(stack, type_).values()
        assert alert["DependsOn"] == [policy]


@pytest.mark.parametrize(
    ("instance_types", "images"),
    [
        (["m5.large", "c7g.large"], ["ECS_AL2023"]),
        (["g5.xlarge", "p4d.24xlarge"], ["ECS_AL2023_NVIDIA"]),
        (["m5.large", "g4dn.xlarge"], ["ECS_AL2023", "ECS_AL2023_NVIDIA"]),
        (["g99.large"], ["ECS_AL2023_NVIDIA"]),
        (["m99.large", "g4ad.xlarge", "inf2.xlarge"], ["ECS_AL2023"]),
    ],
)
def test_hosts_with_gpus_have_an_image_of_their_own(instance_types: list[str], images: list[str]) -> None:
    assert image_types(instance_types) == images


def test_types_that_no_image_supports_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"names p3\.2xlarge"):
        image_types(["m5.large", "p3.2xlarge"])

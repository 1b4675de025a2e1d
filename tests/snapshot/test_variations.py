"""Profiles that nobody ships but that `trainworks.toml` allows, synthesized by one process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ACCOUNT, REGION
from tests.snapshot.platform import Platform, Resource
from trainworks.assembly import SynthRequest, synthesize
from trainworks.assembly.synthesizer import Synthesizer
from trainworks.config.profile import (
    PROFILES,
    CostProfile,
    EnvironmentProfile,
    InterfaceEndpoint,
    NotebookProfile,
    ProfileName,
)
from trainworks.errors import SynthesisError

DEV, STAGING = PROFILES[ProfileName.DEV], PROFILES[ProfileName.STAGING]


@pytest.fixture(scope="module")
def synthesizer() -> Iterator[Synthesizer]:
    with Synthesizer() as shared:
        yield shared


def platform_of(profile: EnvironmentProfile, cache: Path, synthesizer: Synthesizer) -> Platform:
    request = SynthRequest("vary", profile, ACCOUNT, REGION)
    return Platform(synthesize(request, cache, synthesizer.synthesize), profile)


def test_a_dev_notebook_with_endpoints_for_its_apis(assembly_cache: Path, synthesizer: Synthesizer) -> None:
    endpoints = (InterfaceEndpoint.SAGEMAKER_API, InterfaceEndpoint.STS)
    profile = replace(DEV, network=replace(DEV.network, interface_endpoints=endpoints))
    platform = platform_of(profile, assembly_cache, synthesizer)
    interfaces = [
        e for e in platform.resources("AWS::EC2::VPCEndpoint") if e.properties["VpcEndpointType"] == "Interface"
    ]
    assert len(interfaces) == 2
    isolated = set(platform.training_job_config()["VpcConfig"]["Subnets"])
    for endpoint in interfaces:
        assert set(platform.properties(endpoint)["SubnetIds"]) == isolated


def test_without_notebook_nothing_of_it_is_left(assembly_cache: Path, synthesizer: Synthesizer) -> None:
    platform = platform_of(replace(STAGING, notebook=None), assembly_cache, synthesizer)
    assert not any("Notebook" in each.logical_id for each in platform.resources())
    assert "NotificationConfiguration" not in platform.resource("AWS::S3::Bucket", "DatasetBucket").properties


def test_a_shared_log_group_can_be_left_alone(assembly_cache: Path, synthesizer: Synthesizer) -> None:
    profile = replace(DEV, notebook=None, monitoring=replace(DEV.monitoring, training_log_retention_days=None))
    platform = platform_of(profile, assembly_cache, synthesizer)
    machines = [each.logical_id for each in platform.resources("AWS::StepFunctions::StateMachine")]
    assert not any("Retention" in each for each in machines)


def test_on_demand_training_has_no_wait_time(assembly_cache: Path, synthesizer: Synthesizer) -> None:
    profile = replace(DEV, training=replace(DEV.training, enable_managed_spot_training=False))
    config = platform_of(profile, assembly_cache, synthesizer).training_job_config()
    assert config["EnableManagedSpotTraining"] is False
    assert config["StoppingCondition"] == {"MaxRuntimeInSeconds": 86_400}


def test_what_the_cdk_refuses_comes_as_its_own_words(tmp_path: Path, synthesizer: Synthesizer) -> None:
    request = SynthRequest("vary", DEV, "no account", REGION)
    with pytest.raises(SynthesisError) as raised:
        synthesize(request, tmp_path, synthesizer.synthesize)
    assert raised.value.message.startswith("synthesis of trainworks-vary failed: ")
    assert "no account" in raised.value.message
    assert ".js:" not in raised.value.message
    assert "Traceback" not in raised.value.message


def test_prod_alone_keeps_on_demand_hosts_behind_spot(platform: Platform) -> None:
    queue = platform.properties(platform.resource("AWS::Batch::JobQueue"))
    order = [each["ComputeEnvironment"] for each in queue["ComputeEnvironmentOrder"]]
    types = [
        environment.properties["ComputeResources"]["Type"]
        for reference in order
        for environment in platform.resources("AWS::Batch::ComputeEnvironment")
        if environment.arn("ComputeEnvironmentArn") == reference
    ]
    assert types == (["SPOT", "EC2"] if platform.profile.name is ProfileName.PROD else ["SPOT"])


def test_prod_uses_a_key_per_domain(platform: Platform) -> None:
    assert len(platform.resources("AWS::KMS::Key")) == (2 if platform.profile.storage.key_per_domain else 1)


PROD = PROFILES[ProfileName.PROD]
HOSTS = {"ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "logs"}
NOTEBOOK = {"sagemaker.api", "sagemaker.runtime", "sts", "logs"}


def endpoints(platform: Platform) -> dict[str, Resource]:
    """Interface endpoints by the last part of their service's name."""
    return {
        platform.properties(each)["ServiceName"].removeprefix(f"com.amazonaws.{REGION}."): each
        for each in platform.resources("AWS::EC2::VPCEndpoint")
        if each.properties["VpcEndpointType"] == "Interface"
    }


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (PROD, HOSTS),
        (replace(PROD, batch=None), set()),
        (replace(PROD, batch=None, notebook=NotebookProfile()), NOTEBOOK),
        (replace(PROD, notebook=NotebookProfile()), HOSTS | NOTEBOOK),
        (
            replace(PROD, network=replace(PROD.network, interface_endpoints=(InterfaceEndpoint.MONITORING,))),
            HOSTS | {"monitoring"},
        ),
        (DEV, set()),
        (STAGING, set()),
    ],
    ids=["hosts", "training", "notebook", "both", "extra", "addresses", "nat"],
)
def test_endpoints_follow_the_workloads(
    profile: EnvironmentProfile, expected: set[str], assembly_cache: Path, synthesizer: Synthesizer
) -> None:
    platform = platform_of(profile, assembly_cache, synthesizer)
    assert set(endpoints(platform)) == expected == set(profile.endpoint_services)


def test_without_batch_nothing_of_it_is_left(assembly_cache: Path, synthesizer: Synthesizer) -> None:
    platform = platform_of(replace(DEV, batch=None), assembly_cache, synthesizer)
    assert not [each for each in platform.resources() if each.type.startswith("AWS::Batch")]
    assert "JobQueueArn" not in platform.outputs


def test_through_endpoints_passes_what_is_of_this_account(platform: Platform) -> None:
    for endpoint in platform.resources("AWS::EC2::VPCEndpoint"):
        properties = platform.properties(endpoint)
        service = properties["ServiceName"].rpartition(f"{REGION}.")[2]
        if service in ("ecs-agent", "ecs-telemetry"):  # services that take no policy
            assert "PolicyDocument" not in properties
            continue
        for statement in properties["PolicyDocument"]["Statement"]:
            if statement["Sid"] == "ImageLayers":
                layers = f"arn:${{AWS::Partition}}:s3:::prod-{REGION}-starport-layer-bucket/*"
                assert (statement["Action"], statement["Resource"]) == ("s3:GetObject", layers)
                continue
            assert statement["Condition"]["StringEquals"]["aws:PrincipalAccount"] == ACCOUNT
            if properties["VpcEndpointType"] == "Gateway":
                assert statement["Condition"]["StringEquals"]["aws:ResourceAccount"] == ACCOUNT


def test_buckets_of_others_are_named_to_be_read(assembly_cache: Path, synthesizer: Synthesizer) -> None:
    network = replace(DEV.network, readable_buckets=("open-data",))
    platform = platform_of(replace(DEV, network=network), assembly_cache, synthesizer)
    (gateway,) = [each for each in platform.resources("AWS::EC2::VPCEndpoint") if "S3" in each.logical_id]
    (statement,) = [
        each for each in platform.properties(gateway)["PolicyDocument"]["Statement"] if each["Sid"] == "ReadableBuckets"
    ]
    assert statement["Action"] == ["s3:GetObject", "s3:ListBucket"]
    assert [each.partition(":::")[2] for each in statement["Resource"]] == ["open-data", "open-data/*"]


def test_with_prefix_lists_isolated_workloads_speak_to_endpoints_alone(
    assembly_cache: Path, synthesizer: Synthesizer
) -> None:
    lists = ("pl-12345678", "pl-0123456789abcdef0")
    network = replace(PROD.network, gateway_prefix_list_ids=lists)
    platform = platform_of(replace(PROD, network=network), assembly_cache, synthesizer)
    group = platform.resource("AWS::EC2::SecurityGroup", "EndpointSecurityGroup").arn("GroupId")
    for workload in ("TrainingSecurityGroup", "SecurityGroupDD"):
        rules = platform.properties(platform.resource("AWS::EC2::SecurityGroup", workload))["SecurityGroupEgress"]
        assert [rule.get("DestinationPrefixListId") for rule in rules[:2]] == list(lists)
        assert [rule.get("DestinationSecurityGroupId") for rule in rules[2:]] == [group]
        assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(443, 443)}


def test_people_are_subscribed_and_money_need_not_be_watched(assembly_cache: Path, synthesizer: Synthesizer) -> None:
    emails = ("a@example.org", "b@example.org")
    profile = replace(DEV, cost=None, batch=None, monitoring=replace(DEV.monitoring, notification_emails=emails))
    platform = platform_of(profile, assembly_cache, synthesizer)
    subscriptions = [platform.properties(each) for each in platform.resources("AWS::SNS::Subscription")]
    assert {(each["Protocol"], each["Endpoint"]) for each in subscriptions} == {("email", each) for each in emails}
    assert not any(each.type.startswith(("AWS::Budgets", "AWS::CE")) for each in platform.resources())
    services = str(platform.properties(platform.resource("AWS::SNS::TopicPolicy"))["PolicyDocument"])
    assert "budgets.amazonaws.com" not in services
    assert not any("BatchJob" in each.logical_id for each in platform.resources())


def test_spending_can_be_watched_by_budget_alone(assembly_cache: Path, synthesizer: Synthesizer) -> None:
    cost = CostProfile(monthly_budget_usd=10, anomaly_impact_usd=None)
    platform = platform_of(replace(DEV, cost=cost), assembly_cache, synthesizer)
    assert len(platform.resources("AWS::Budgets::Budget")) == 1
    assert platform.resources("AWS::CE::AnomalyMonitor") == []

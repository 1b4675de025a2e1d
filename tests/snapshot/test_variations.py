"""Profiles that nobody ships but that `trainworks.toml` allows, synthesized by one process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ACCOUNT, REGION
from tests.snapshot.platform import Platform
from trainworks.assembly import SynthRequest, synthesize
from trainworks.assembly.synthesizer import Synthesizer
from trainworks.errors import SynthesisError
from trainworks.spec.profile import PROFILES, EnvironmentProfile, InterfaceEndpoint, ProfileName

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
    assert platform.resources("AWS::StepFunctions::StateMachine") == []


def test_on_demand_training_has_no_wait_time(assembly_cache: Path, synthesizer: Synthesizer) -> None:
    profile = replace(DEV, training=replace(DEV.training, enable_managed_spot_training=False))
    config = platform_of(profile, assembly_cache, synthesizer).training_job_config()
    assert config["EnableManagedSpotTraining"] is False
    assert config["StoppingCondition"] == {"MaxRuntimeInSeconds": 86_400}


def test_what_the_cdk_refuses_comes_as_its_own_words(tmp_path: Path, synthesizer: Synthesizer) -> None:
    profile = replace(DEV, network=replace(DEV.network, cidr_block="10.0.0.0/22", subnet_cidr_mask=22))
    with pytest.raises(SynthesisError) as raised:
        platform_of(profile, tmp_path, synthesizer)
    assert raised.value.message.startswith("synthesis of trainworks-vary failed: ")
    assert "10.0.0.0/22" in raised.value.message
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

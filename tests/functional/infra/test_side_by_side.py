"""Platforms beside one another: two in one account and region, a third in another region."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.deploy.platforms import ALLOWED, Recorder
from trainworks.assembly import SynthRequest, synthesize
from trainworks.assembly.synthesizer import Synthesizer
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.deploy import teardown
from trainworks.deploy.clients import Clients
from trainworks.deploy.deployer import up
from trainworks.deploy.deployment import deployment_of
from trainworks.deploy.status import status
from trainworks.testing import TestTwin

ACCOUNT = "000000000000"
HERE, ELSEWHERE = "us-east-1", "eu-west-1"


@dataclass(frozen=True)
class Platform:
    suffix: str
    region: str
    outputs: Mapping[str, str]
    twin: TestTwin

    @cached_property
    def clients(self) -> Clients:
        return Clients(self.client)

    def client(self, name: str) -> Any:
        return self.twin.client(name, self.twin.session(region_name=self.region))

    @property
    def stack_name(self) -> str:
        return f"trainworks-{self.suffix}"

    def names(self) -> set[str]:
        """Physical ids of all resources, nested stacks included."""
        cloudformation = self.clients.cloudformation
        found: set[str] = set()
        stacks = [self.stack_name]
        while stacks:
            for each in cloudformation.describe_stack_resources(StackName=stacks.pop())["StackResources"]:
                found.add(f"{each['ResourceType']} {each['PhysicalResourceId']}")
                if each["ResourceType"] == "AWS::CloudFormation::Stack":
                    stacks.append(each["PhysicalResourceId"])
        return found


@pytest.fixture(scope="module")
def platforms(twin: TestTwin, assembly_cache: Path) -> Iterator[tuple[Platform, Platform, Platform]]:
    profile = replace(PROFILES[ProfileName.DEV], notebook=None)

    def deployed(synthesizer: Synthesizer, suffix: str, region: str) -> Platform:
        request = SynthRequest(suffix, profile, ACCOUNT, region)
        assembly = synthesize(request, assembly_cache, synthesizer.synthesize)
        clients = Clients(lambda name: twin.client(name, twin.session(region_name=region)))
        deployment = deployment_of(assembly, account_id=ACCOUNT, region=region)
        return Platform(suffix, region, up(deployment, clients, Recorder().monitor, ALLOWED).outputs, twin)

    with Synthesizer() as shared:
        yield (deployed(shared, "left", HERE), deployed(shared, "right", HERE), deployed(shared, "left", ELSEWHERE))


def test_each_is_where_it_was_asked_for(platforms: tuple[Platform, ...]) -> None:
    for platform in platforms:
        assert platform.outputs["Region"] == platform.region
        assert f":{platform.region}:" in platform.outputs["JobQueueArn"]
        subnets = platform.outputs["PrivateSubnetIds"].split(",")
        ec2 = platform.client("ec2")
        zones = {each["AvailabilityZone"] for each in ec2.describe_subnets(SubnetIds=subnets)["Subnets"]}
        assert zones == {f"{platform.region}a", f"{platform.region}b"}


def test_no_two_share_a_resource(platforms: tuple[Platform, ...]) -> None:
    """Also not by name across regions: names of buckets and roles are global."""
    left, right, elsewhere = (platform.names() for platform in platforms)
    assert not left & right
    assert not {each for each in left & elsewhere if each.startswith(("AWS::S3", "AWS::IAM"))}
    assert not {each for each in right & elsewhere if each.startswith(("AWS::S3", "AWS::IAM"))}


def test_networks_of_two_suffixes_do_not_overlap(platforms: tuple[Platform, ...]) -> None:
    blocks = {
        platform.client("ec2").describe_vpcs(VpcIds=[platform.outputs["VpcId"]])["Vpcs"][0]["CidrBlock"]
        for platform in platforms[:2]
    }
    assert len(blocks) == 2


def test_destroying_one_leaves_the_others_whole(platforms: tuple[Platform, ...]) -> None:
    left, right, elsewhere = platforms
    before = {platform.suffix + platform.region: platform.names() for platform in (right, elsewhere)}
    for platform in platforms:
        platform.clients.s3.put_object(Bucket=platform.outputs["DatasetBucketName"], Key="datasets/x", Body=b"1")
    assert teardown.down(left.stack_name, left.clients, Recorder().monitor).existed
    assert status(left.stack_name, left.clients).state is None
    with pytest.raises(ClientError):
        left.clients.s3.head_bucket(Bucket=left.outputs["DatasetBucketName"])
    for platform in (right, elsewhere):
        assert platform.names() == before[platform.suffix + platform.region]
        bucket = platform.outputs["DatasetBucketName"]
        assert platform.clients.s3.get_object(Bucket=bucket, Key="datasets/x")["Body"].read() == b"1"
        role = json.loads(platform.outputs["TrainingJobConfig"])["RoleArn"].rpartition("/")[2]
        assert platform.client("iam").get_role(RoleName=role)

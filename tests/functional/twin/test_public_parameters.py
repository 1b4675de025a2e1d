"""Parameters below `/aws/service/` that AWS publishes: read by SSM and by the parameters of templates."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from tests.functional.twin.test_stacks import Deployer

from trainworks.testing import TestTwin

IMAGES = [
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2",
    "/aws/service/ami-amazon-linux-latest/amzn2-ami-kernel-5.10-hvm-arm64-gp2",
    "/aws/service/ecs/optimized-ami/amazon-linux-2/gpu/recommended/image_id",
    "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id",
    "/aws/service/eks/optimized-ami/1.31/amazon-linux-2023/x86_64/nvidia/recommended/image_id",
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id",
    "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
]


@pytest.fixture
def stack(twin: TestTwin) -> Iterator[Deployer]:
    deployer = Deployer(twin)
    yield deployer
    deployer.delete()


@pytest.mark.parametrize("name", IMAGES)
def test_a_public_image_is_the_same_each_time_and_another_in_each_region(twin: TestTwin, name: str) -> None:
    ssm = twin.client("ssm")
    value = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    assert re.fullmatch(r"ami-[0-9a-f]{17}", value)
    assert ssm.get_parameters(Names=[name])["Parameters"][0]["Value"] == value


def test_a_recommended_image_is_described_as_json(twin: TestTwin) -> None:
    name = "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended"
    told = json.loads(twin.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    assert told["image_id"] == twin.client("ssm").get_parameter(Name=f"{name}/image_id")["Parameter"]["Value"]


def test_a_public_name_that_does_not_exist_is_refused(twin: TestTwin) -> None:
    for name in ("/aws/service/ami-amazon-linux-latest/al2032", f"{IMAGES[3]}x", "/aws/service"):
        with pytest.raises(ClientError, match="ParameterNotFound"):
            twin.client("ssm").get_parameter(Name=name)


def test_a_parameter_of_a_template_resolves_to_the_image(stack: Deployer) -> None:
    kind = "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    template = {
        "Parameters": {"Image": {"Type": kind, "Default": IMAGES[3], "AllowedValues": IMAGES}},
        "Resources": {
            "It": {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": {"Ref": "Image"}}},
        },
        "Outputs": {"Image": {"Value": {"Ref": "Image"}}},
    }  # fmt: skip
    assert stack.create(template) == "CREATE_COMPLETE"
    assert re.fullmatch(r"ami-[0-9a-f]{17}", stack.outputs()["Image"])

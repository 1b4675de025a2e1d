from __future__ import annotations

from typing import Any

import pytest

from tests.unit.preflight.draft import draft_of, only, quiet
from trainworks.preflight.rules.image_id import RULE

NAME = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
DYNAMIC = f"{{{{resolve:ssm:{NAME}}}}}"


def _instance(image: Any) -> dict[str, Any]:
    return {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": image, "SubnetId": "subnet-1"}}


def _template(image: Any) -> dict[str, Any]:
    return {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {"ImageId": image}}}


def _environment(image: Any) -> dict[str, Any]:
    compute = {
        "Type": "EC2",
        "MaxvCpus": 4,
        "Subnets": ["subnet-1"],
        "Ec2Configuration": [{"ImageType": "ECS_AL2023", "ImageIdOverride": image}],
    }
    properties = {"Type": "MANAGED", "ComputeResources": compute}
    return {"Type": "AWS::Batch::ComputeEnvironment", "Properties": properties}


@pytest.mark.parametrize("made", [_instance, _template, _environment])
def test_the_name_of_a_parameter_is_no_image(made: Any) -> None:
    draft = draft_of({"Host": made("ami-0123456789abcdef0")})
    draft.template()["Resources"]["Host"] = made(NAME)
    (found,) = only(draft, RULE)
    assert found.is_error
    assert found.value == NAME
    assert DYNAMIC in found.fix


@pytest.mark.parametrize("image", [DYNAMIC, f"resolve:ssm:{NAME}", {"Ref": "Image"}, {"Fn::ImportValue": "x"}])
def test_what_resolves_to_an_image_is_right(image: Any) -> None:
    parameter = {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": NAME}
    draft = draft_of({"Parameters": {"Image": parameter}, "Resources": {"Host": _template("ami-0123456789abcdef0")}})
    draft.template()["Resources"]["Host"] = _template(image)
    quiet(draft, RULE)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
from trainworks.preflight.rules.useless_output import RULE


@pytest.mark.parametrize("value", ["", "[]", {"Fn::Join": [",", []]}])
def test_an_empty_output(platform: Callable[[str], Draft], value: Any) -> None:
    draft = platform("dev")
    draft.template()["Outputs"]["Nothing"] = {"Value": value}
    (found,) = only(draft, RULE)
    assert found.place == "Nothing"


def test_an_output_that_its_parent_does_not_read(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    draft.template("Storage")["Outputs"]["Unheard"] = {"Value": "something"}
    (found,) = only(draft, RULE)
    assert found.place == "Storage/Unheard"


def test_an_output_that_is_exported(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    draft.template("Storage")["Outputs"]["Heard"] = {"Value": "something", "Export": {"Name": "heard"}}
    nothing(draft)


def test_latest_in_an_immutable_repository() -> None:
    uri = {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/${Repository}:v1"}
    draft = draft_of(
        {
            "Repository": {
                "Type": "AWS::ECR::Repository",
                "Properties": {"ImageTagMutability": "IMMUTABLE", "EmptyOnDelete": True},
            },
            "Job": {
                "Type": "AWS::Batch::JobDefinition",
                "Properties": {"Type": "container", "ContainerProperties": {"Image": uri}},
            },
        }
    )
    for image in (f"{uri['Fn::Sub'][:-3]}:latest", uri["Fn::Sub"][:-3]):
        draft.properties("Job")["ContainerProperties"]["Image"] = {"Fn::Sub": image}
        (found,) = only(draft, RULE)
        assert found.place == "Job"
    draft.properties("Repository")["ImageTagMutability"] = "MUTABLE"
    nothing(draft)

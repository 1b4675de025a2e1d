"""What a template makes of little text, or of much, costs no more than it is worth."""

from __future__ import annotations

from typing import Any

import pytest

from trainworks.assembly.graph import graph_of_template
from trainworks.preflight.checker import check
from trainworks.preflight.settings import CheckSettings


def _nested(depth: int, function: str) -> Any:
    """A text that each level repeats a hundred times."""
    value: Any = "0123456789"
    for _ in range(depth):
        value = {"Fn::Sub": ["${x}" * 100, {"x": value}]} if function == "Fn::Sub" else {"Fn::Join": ["", [value] * 3]}
    return value


def _topic(value: Any) -> dict[str, Any]:
    return {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": value}}}}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (_nested(9, "Fn::Sub"), "more than 1,000,000 characters"),
        ({"Fn::Join": ["x" * 100_000, ["a"] * 20]}, "more than 1,000,000 characters"),
        ({"Fn::Join": ["", {"Fn::Cidr": ["10.0.0.0/8", 9_999_999, 1]}]}, "1 to 256 blocks, not 9999999"),
        ({"Fn::Join": ["", {"Fn::Cidr": ["10.0.0.0/8", 10**4000, 1]}]}, "a number of many digits"),
        ({"Fn::Join": ["", {"Fn::Cidr": ["10.0.0.0/8", 0, 8]}]}, "1 to 256 blocks, not 0"),
    ],
    ids=["names inside names", "a long delimiter", "millions of blocks", "a number of many digits", "no block"],
)
def test_a_function_makes_no_more_than_a_template_can_hold(value: Any, said: str) -> None:
    (found,) = check(graph_of_template(_topic(value)), CheckSettings()).errors
    assert said in found.message


def test_functions_inside_functions_that_stay_small_are_resolved() -> None:
    graph = graph_of_template(_topic(_nested(2, "Fn::Sub")))
    assert graph.resource("Topic").get("DisplayName") == "0123456789" * 10_000
    blocks = {"Fn::Join": [",", {"Fn::Cidr": ["10.0.0.0/16", 256, 8]}]}
    assert graph_of_template(_topic(blocks)).resource("Topic").get("DisplayName").count(",") == 255


def test_a_finding_is_told_in_few_words_whatever_it_is_about() -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}}
    stored = {"OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": f"s3://{'a' * 400_000}/x"}}}
    template = {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            "Features": {
                "Type": "AWS::SageMaker::FeatureGroup",
                "Properties": {"RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, **stored},
            },
        }
    }
    findings = check(graph_of_template(template), CheckSettings()).findings
    assert any(each.code == "TW24" for each in findings)
    assert all(len(each.message) + len(each.value) + len(each.fix) < 10_000 for each in findings)

from __future__ import annotations

from typing import Any

import pytest

from trainworks.assembly.graph import graph_of_template

BUCKET = {"Ref": "Bucket"}
UPLOADED = {"Type": "S3", "Properties": {"Bucket": BUCKET, "Events": "s3:ObjectCreated:*"}}


def circles(function: dict[str, Any], **sections: Any) -> list[str]:
    body = {"CodeUri": "s3://b/k", "Handler": "a.b", "Runtime": "python3.12", "Events": {"Up": UPLOADED}, **function}
    resources: dict[str, Any] = {
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Function": {"Type": "AWS::Serverless::Function", "Properties": body},
    }
    template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources, **sections}
    problems = graph_of_template(template).problems
    return [each.message for each in problems if "depends on itself" in each.message]


VARIABLES = {"Environment": {"Variables": {"BUCKET": BUCKET}}}


@pytest.mark.parametrize(
    ("function", "sections"),
    [
        (VARIABLES, {}),
        ({"Policies": [{"S3ReadPolicy": {"BucketName": BUCKET}}]}, {}),
        ({"Policies": [{"Statement": [{"Resource": {"Fn::Sub": "${Bucket.Arn}/*"}}]}]}, {}),
        ({}, {"Globals": {"Function": VARIABLES}}),
    ],
    ids=["environment", "policy", "statement", "globals"],
)
def test_a_bucket_that_notifies_a_function_which_mentions_it(function: Any, sections: Any) -> None:
    assert circles(function, **sections) == ["depends on itself: Bucket -> Function -> Bucket"]


@pytest.mark.parametrize(
    "function",
    [
        {},
        {"Environment": {"Variables": {"BUCKET": {"Fn::Sub": "uploads-${AWS::AccountId}"}}}},
        {"Role": "arn:aws:iam::111111111111:role/r", "Policies": [{"S3ReadPolicy": {"BucketName": BUCKET}}]},
        {**VARIABLES, "Events": {"Daily": {"Type": "Schedule", "Properties": {"Schedule": "rate(1 day)"}}}},
        {"Events": {"Up": UPLOADED, "Daily": {"Type": "Schedule", "Properties": {"Input": {"Fn::Sub": "${Bucket}"}}}}},
    ],
    ids=["apart", "by name", "role of its own", "another event", "input of a rule"],
)
def test_what_is_no_circle(function: Any) -> None:
    assert circles(function) == []

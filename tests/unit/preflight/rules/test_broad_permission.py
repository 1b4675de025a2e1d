from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
from tests.unit.preflight.rules.role_bodies import add, statements
from trainworks.preflight.finding import Severity
from trainworks.preflight.rules.broad_permission import RULE

Platform = Callable[[str], Draft]
JOB = "Batch/JobRole"
PASS_TO_SAGEMAKER = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


@pytest.mark.parametrize(
    ("statement", "told", "is_error"),
    [
        ({"Action": "*"}, "every action of AWS", True),
        ({"Action": ["s3:*"]}, "every action of s3", True),
        ({"Action": ["s3:*"], "Resource": "arn:aws:s3:::bucket/*"}, "every action of s3", False),
        ({"Action": ["sagemaker:*"]}, "every action of sagemaker", True),
        ({"Action": ["logs:*"]}, "every action of logs", False),
        ({"NotAction": ["iam:*"]}, "except iam:*", True),
        ({"Action": "s3:PutObject"}, "on every resource", False),
        ({"Action": "s3:DeleteObject"}, "on every resource", True),
        ({"Action": "sagemaker:CreateTransformJob"}, "on every resource", False),
        ({"Action": ["sqs:SendMessage", "sns:Publish"]}, "on every resource", False),
        ({"Action": "iam:PutRole*"}, "on every resource", True),
        ({"Action": "sts:AssumeRole"}, "on every resource", True),
        (
            {"Action": ["dynamodb:GetItem", "dynamodb:PutItem"]},
            "dynamodb:GetItem, dynamodb:PutItem on every resource",
            False,
        ),
    ],
)
def test_a_statement_that_allows_too_much(
    platform: Platform, statement: dict[str, Any], told: str, is_error: bool
) -> None:
    (found,) = only(add(platform("dev"), JOB, **statement), RULE)
    assert found.is_error is is_error
    assert found.place == JOB
    assert told in found.message


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": ["rekognition:DetectLabels", "xray:PutTraceSegments", "ec2:Describe*", "cloudwatch:PutMetricData"]},
        {"Action": "s3:PutObject", "Condition": {"StringEquals": {"aws:ResourceTag/Project": "trainworks"}}},
        {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::bucket/prefix/*"},
        {"Action": "*", "Effect": "Deny"},
    ],
)
def test_a_statement_that_is_bounded(platform: Platform, statement: dict[str, Any]) -> None:
    nothing(add(platform("dev"), JOB, **statement))


def test_logs_everywhere_are_a_warning(platform: Platform) -> None:
    (found,) = only(add(platform("dev"), JOB, Action=["logs:PutLogEvents", "logs:CreateLogStream"]), RULE)
    assert found.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("resource", "condition", "told", "is_error"),
    [
        ("*", PASS_TO_SAGEMAKER, ["passes any role that exists"], False),
        ("arn:aws:iam::111111111111:role/*", PASS_TO_SAGEMAKER, ["matches arn:aws:iam::111111111111:role/*"], False),
        ("arn:aws:iam::111111111111:role/*", {}, ["matches arn:aws:iam::111111111111:role/*", "to any service"], True),
        ("arn:aws:iam::111111111111:role/one", {}, ["to any service"], False),
        ("*", {}, ["passes any role that exists", "to any service"], True),
    ],
)
def test_passing_roles(
    platform: Platform, resource: str, condition: dict[str, Any], told: list[str], is_error: bool
) -> None:
    draft = add(platform("dev"), "Training/TrainingRole", Action="iam:PassRole", Resource=resource, Condition=condition)
    found = only(draft, RULE)
    assert {each.is_error for each in found} == {is_error}
    assert all(any(words in each.message for each in found) for words in told)


def test_the_notebooks_own_statement_without_its_condition(platform: Platform) -> None:
    draft = platform("dev")
    (passing,) = [each for each in statements(draft, "Training/NotebookRole") if "iam:PassRole" in each["Action"]]
    del passing["Condition"]
    assert "to any service" in only(draft, RULE)[0].message


@pytest.mark.parametrize("name", ["AmazonSageMakerFullAccess", "AdministratorAccess", "AmazonSQSFullAccess"])
def test_broad_policies_of_aws(platform: Platform, name: str) -> None:
    draft = platform("dev")
    draft.properties("Batch/JobRole")["ManagedPolicyArns"] = [f"arn:aws:iam::aws:policy/{name}"]
    (found,) = only(draft, RULE)
    assert name in found.message


def test_a_policy_of_its_own(platform: Platform) -> None:
    policy = {
        "PolicyName": "p",
        "PolicyDocument": {"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}},
        "Roles": ["somebody-elses"],
    }
    draft = platform("dev")
    draft.add("Extra", "AWS::IAM::Policy", policy)
    (found,) = only(draft, RULE)
    assert found.place == "Extra"


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": ["iam:GetRole", "iam:ListRoles", "iam:GetPolicy*"]},
        {"Action": ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface"]},
        {
            "Action": "iam:PassRole",
            "Resource": "arn:aws:iam::111111111111:role/train-*",
            "Condition": PASS_TO_SAGEMAKER,
        },
        {"Action": "iam:PassRole", "Resource": "arn:aws:iam::*:role/service-role/train*"},
    ],
)
def test_what_opens_nothing_is_a_warning(statement: dict[str, Any]) -> None:
    draft = draft_of({"Group": {"Type": "AWS::IAM::Group"}})
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **statement}]}
    draft.properties("Group")["Policies"] = [{"PolicyName": "p", "PolicyDocument": document}]
    assert not any(each.is_error for each in draft.findings())


def test_the_role_that_cognito_sends_texts_with() -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "cognito-idp.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "Policies": [
            {
                "PolicyName": "p",
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}],
                },
            }
        ],
    }
    draft = draft_of({})
    draft.add("Texts", "AWS::IAM::Role", role)
    nothing(draft)
    trust["Principal"] = {"Service": "lambda.amazonaws.com"}
    only(draft, RULE)


def test_what_the_cdk_adds_itself_is_nobodys_error() -> None:
    policy = {
        "PolicyName": "p",
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "s3:PutBucketNotification", "Resource": "*"},
        },
        "Roles": ["somebody-elses"],
    }
    draft = draft_of({})
    draft.add("BucketNotificationsHandler050a0587b7544547bf325f094a3db834RoleDefaultPolicy", "AWS::IAM::Policy", policy)
    (found,) = only(draft, RULE)
    assert not found.is_error


def test_users_too() -> None:
    draft = draft_of({"User": {"Type": "AWS::IAM::User", "Properties": {}}})
    draft.properties("User")["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/IAMFullAccess"]
    only(draft, RULE)


@pytest.mark.parametrize(
    ("policies", "faults"),
    [
        ("AdministratorAccess", 1),
        (["arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"], 1),
        ([{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}], 1),
        (["AWSLambdaBasicExecutionRole", {"S3ReadPolicy": {"BucketName": "data"}}], 0),
    ],
)
def test_policies_of_a_sam_function(policies: Any, faults: int) -> None:
    draft = draft_of({})
    draft.add("Function", "AWS::Serverless::Function", {"Policies": policies})
    found = [each for each in draft.findings() if each.code == RULE.code]
    assert len(found) == faults
    assert all(each.place == "Function" for each in found)

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
from tests.unit.preflight.rules.role_bodies import add, statements, without
from trainworks.aws.role_actions import SAGEMAKER_INTERFACE
from trainworks.preflight.rules.interface_permission import RULE

Platform = Callable[[str], Draft]
TRAINING = "Training/TrainingRole"


@pytest.mark.parametrize("action", SAGEMAKER_INTERFACE)
def test_each_action_of_the_training_role_counts(platform: Platform, action: str) -> None:
    (found,) = only(without(platform("prod"), TRAINING, action), RULE)
    assert found.is_error
    assert found.place == TRAINING
    assert action in found.message


def test_the_notebook_role_as_well(platform: Platform) -> None:
    (found,) = only(without(platform("dev"), "Training/NotebookRole", "ec2:DescribeSubnets"), RULE)
    assert "notebook instance Training/Notebook" in found.message


def test_creating_interfaces_needs_the_subnets_too(platform: Platform) -> None:
    draft = platform("prod")
    for statement in statements(draft, TRAINING):
        if "ec2:CreateNetworkInterface" in statement["Action"]:
            statement["Resource"] = statement["Resource"][0]
    (found,) = only(draft, RULE)
    assert found.value == '["ec2:CreateNetworkInterface"]'


def test_a_deny_wins(platform: Platform) -> None:
    draft = add(platform("prod"), TRAINING, Effect="Deny", Action=["ec2:DescribeVpcs"])
    assert "ec2:DescribeVpcs" in only(draft, RULE)[0].message


def test_another_roles_permissions_do_not_help(platform: Platform) -> None:
    draft = without(platform("prod"), TRAINING, "ec2:DescribeVpcs")
    add(draft, "Batch/JobRole", Action=["ec2:DescribeVpcs"])
    assert TRAINING in {each.place for each in draft.findings() if each.code == RULE.code}


def _function(role: str = "Role") -> dict[str, object]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Role": {"Fn::GetAtt": [role, "Arn"]},
            "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        },
    }


def _role(*managed: str) -> dict[str, object]:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Statement": [trust]},
            "ManagedPolicyArns": [f"arn:aws:iam::aws:policy/service-role/{name}" for name in managed],
        },
    }


def test_a_managed_policy_of_aws_counts() -> None:
    draft = draft_of({"Role": _role("AWSLambdaVPCAccessExecutionRole"), "Function": _function()})
    assert RULE.code not in {each.code for each in draft._clean.known}
    draft.properties("Role")["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]
    (found,) = only(draft, RULE)
    assert "ec2:DeleteNetworkInterface" in found.message


def test_what_is_not_known_is_no_fault() -> None:
    draft = draft_of({"Role": _role("AWSLambdaVPCAccessExecutionRole"), "Function": _function()})
    draft.properties("Role")["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/SomethingNew"]
    nothing(draft)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, only
from tests.unit.preflight.rules.role_bodies import add, statements, without
from tests.unit.preflight.rules.training_config import state_machine
from trainworks.preflight.rules.key_permission import RULE

Platform = Callable[[str], Draft]
TRAINING = "Training/TrainingRole"


@pytest.mark.parametrize("action", ["kms:Decrypt", "kms:GenerateDataKey"])
def test_the_training_role_cannot_use_the_key(platform: Platform, action: str) -> None:
    (found,) = only(without(platform("prod"), TRAINING, action), RULE)
    assert found.is_error
    assert found.place == TRAINING
    assert f"{action} to write its output" in found.message


def test_the_key_does_not_hand_the_decision_to_iam(platform: Platform) -> None:
    draft = platform("prod")
    document = draft.properties("Storage/DataKey")["KeyPolicy"]
    for statement in document["Statement"]:
        statement["Principal"] = {"AWS": "arn:aws:iam::111111111111:role/administrator"}
    found = [each for each in draft.findings() if each.code == RULE.code]
    assert [each.place for each in found] == [TRAINING]


def test_the_keys_policy_suffices(platform: Platform) -> None:
    draft = without(platform("prod"), TRAINING, "kms:Decrypt", "kms:GenerateDataKey")
    draft.properties("Storage/DataKey")["KeyPolicy"]["Statement"].append(
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    )
    assert RULE.code not in {each.code for each in draft.findings()}


def test_a_deny_for_one_key(platform: Platform) -> None:
    draft = add(platform("prod"), TRAINING, Effect="Deny", Action="kms:Decrypt")
    assert "kms:Decrypt" in only(draft, RULE)[0].message


KEY = "arn:aws:kms:eu-west-1:111111111111:key/11111111-2222-3333-4444-555555555555"


def _job(*actions: str, **members: Any) -> Draft:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}},
    }
    statements = [
        {"Effect": "Allow", "Action": list(actions), "Resource": KEY},
        {
            "Effect": "Allow",
            "Action": [
                "ecr:BatchCheckLayerAvailability",
                "ecr:GetDownloadUrlForLayer",
                "ecr:BatchGetImage",
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:PutLogEvents",
            ],
            "Resource": "*",
        },
        {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"], "Resource": "*"},
    ]
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": "job",
            "AssumeRolePolicyDocument": {"Statement": [trust]},
            "Policies": [{"PolicyName": "p", "PolicyDocument": {"Statement": statements}}],
        },
    }
    request = {
        "RoleArn": "arn:aws:iam::111111111111:role/job",
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **members,
    }
    return state_machine(request, Role=role)


@pytest.mark.parametrize(
    ("members", "action", "told"),
    [
        ({"ResourceConfig": {"VolumeKmsKeyId": KEY, "InstanceCount": 1}}, "kms:CreateGrant", "attach volumes"),
        ({"OutputDataConfig": {"S3OutputPath": "s3://b/o", "KmsKeyId": KEY}}, "kms:GenerateDataKey", "its output"),
    ],
)
def test_keys_of_a_whole_request(members: dict[str, Any], action: str, told: str) -> None:
    draft = _job("kms:CreateGrant", "kms:GenerateDataKey", "kms:Decrypt", **members)
    assert not [each for each in draft._clean.known if each.code == RULE.code]
    (found,) = only(without(draft, "Role", action), RULE)
    assert told in found.message


def test_a_key_by_its_id_needs_encrypt_too() -> None:
    draft = _job("kms:CreateGrant", "kms:GenerateDataKey", "kms:Decrypt")
    draft.add("Key", "AWS::KMS::Key", {"EnableKeyRotation": True})
    machine = draft.properties("Machine")
    output = '"OutputDataConfig": {"S3OutputPath": "s3://b/o", "KmsKeyId": "${Key}"}, "StoppingCondition"'
    machine["DefinitionString"] = {"Fn::Sub": machine["DefinitionString"].replace('"StoppingCondition"', output)}
    (statement,) = [each for each in statements(draft, "Role") if "kms:Decrypt" in each["Action"]]
    statement["Resource"] = {"Fn::GetAtt": ["Key", "Arn"]}
    (found,) = [each for each in draft.findings() if each.code == RULE.code]
    assert found.value == '["kms:Encrypt"]'

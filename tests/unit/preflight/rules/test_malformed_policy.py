from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, only
from trainworks.preflight.rules.malformed_policy import RULE

Platform = Callable[[str], Draft]
ROLE, KEY = "Training/TrainingRole", "Storage/DataKey"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Effect": "allow"}, "Invalid effect : allow"),
        ({"Action": "AssumeRole"}, "must be prefaced by a vendor"),
        ({"Principal": {"Servce": "sagemaker.amazonaws.com"}}, "is Service meant?"),
        ({"Condition": {"StringEqual": {"aws:SourceAccount": "1"}}}, "is StringEquals meant?"),
        ({"Resource": "*"}, "Has prohibited field Resource"),
    ],
)
def test_a_trust_policy_that_iam_refuses(platform: Platform, change: dict[str, Any], words: str) -> None:
    draft = platform("dev")
    draft.properties(ROLE)["AssumeRolePolicyDocument"]["Statement"][0].update(change)
    (found,) = [each for each in draft.findings() if each.code == RULE.code]
    assert found.is_error
    assert found.place == ROLE
    assert words in found.message
    assert found.fix == "correct AssumeRolePolicyDocument"


def test_a_key_policy_without_principal(platform: Platform) -> None:
    draft = platform("prod")
    del draft.properties(KEY)["KeyPolicy"]["Statement"][0]["Principal"]
    found = [each for each in draft.findings() if each.code == RULE.code]
    assert [each.place for each in found] == [KEY]


def test_what_only_the_deployment_knows_is_no_fault(platform: Platform) -> None:
    draft = platform("dev")
    draft.template("Training")["Parameters"]["Late"] = {"Type": "String"}
    late = {"Ref": "Late"}
    draft.properties(ROLE)["AssumeRolePolicyDocument"] = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": late, "Principal": {"Service": late}, "Action": late, "Condition": {"Bool": {"aws:x": late}}},
            {"Effect": "Allow", "Principal": {"AWS": late}, "Action": "sts:AssumeRole"},
            late,
        ],
    }
    assert RULE.code not in {each.code for each in draft.findings()}


def test_one_fault_is_one_finding(platform: Platform) -> None:
    draft = platform("dev")
    draft.properties("Storage/ModelBucket/Policy")["PolicyDocument"]["Statement"][0]["Action"] = "sqs:SendMessage"
    assert "Policy has invalid action" in only(draft, RULE)[0].message

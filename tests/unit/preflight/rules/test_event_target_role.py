from __future__ import annotations

from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, only, quiet
from trainworks.preflight.rules.event_target_role import RULE

ROLE = "arn:aws:iam::111111111111:role/r"


def _rule(kind: str, attribute: str, properties: dict[str, Any], role: str | None) -> Draft:
    arn = {"Ref": "Target"} if attribute == "Ref" else {"Fn::GetAtt": ["Target", attribute]}
    target = {"Id": "t", "Arn": arn, "RoleArn": ROLE}
    draft = draft_of(
        {
            "Target": {"Type": kind, "Properties": properties},
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {"ScheduleExpression": "rate(1 day)", "Targets": [target]},
            },
        }
    )
    if role is None:
        del draft.properties("Rule")["Targets"][0]["RoleArn"]
    return draft


STARTED = [
    ("AWS::StepFunctions::StateMachine", "Arn", {"RoleArn": ROLE, "DefinitionString": "${x}"}),
    ("AWS::Kinesis::Stream", "Arn", {"ShardCount": 1}),
    (
        "AWS::CodeBuild::Project",
        "Arn",
        {
            "ServiceRole": ROLE,
            "Artifacts": {"Type": "NO_ARTIFACTS"},
            "Source": {"Type": "NO_SOURCE"},
            "Environment": {"Type": "LINUX_CONTAINER", "Image": "i", "ComputeType": "BUILD_GENERAL1_SMALL"},
        },
    ),
]


@pytest.mark.parametrize(("kind", "attribute", "properties"), STARTED)
def test_what_is_started_is_started_as_a_role(kind: str, attribute: str, properties: dict[str, Any]) -> None:
    (found,) = only(_rule(kind, attribute, properties, None), RULE)
    assert found.is_error
    assert found.place == "Rule"
    quiet(_rule(kind, attribute, properties, ROLE), RULE)


@pytest.mark.parametrize(("kind", "attribute"), [("AWS::SQS::Queue", "Arn"), ("AWS::SNS::Topic", "Ref")])
def test_what_lets_the_rule_in_by_its_policy_needs_none(kind: str, attribute: str) -> None:
    quiet(_rule(kind, attribute, {}, None), RULE)

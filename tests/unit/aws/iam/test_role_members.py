from __future__ import annotations

import json

import pytest

from trainworks.aws.iam.role_members import PATH, action_name, members_of_action, members_of_sdk, requires_role
from trainworks.twin.wire.refresh_role_members import entry_of


@pytest.mark.parametrize("service", ["batch", "ecs", "lambda", "sagemaker", "stepfunctions"])
def test_the_file_is_what_the_installed_models_say(service: str) -> None:
    assert json.loads(PATH.read_text())["services"][service] == entry_of(service)


@pytest.mark.parametrize(
    ("action", "required"),
    [
        ("sagemaker:createtrainingjob", True),
        ("sagemaker:CreateModel", True),
        ("sagemaker:UpdateNotebookInstance", False),
        ("lambda:CreateFunction", True),
        ("lambda:UpdateFunctionConfiguration", False),
        ("ecs:RegisterTaskDefinition", False),
        ("s3:GetObject", False),
        ("sts:AssumeRole", False),
        ("nothing", False),
    ],
)
def test_which_calls_cannot_do_without_a_role(action: str, required: bool) -> None:
    assert requires_role(action) is required


def test_names_of_iam_and_of_the_sdks_and_of_members_are_read_in_any_case() -> None:
    assert members_of_sdk("sfn", "createStateMachine") == members_of_action("states:CreateStateMachine")
    (member,) = members_of_sdk("sfn", "createStateMachine")
    assert member.recipient == "states.amazonaws.com"
    assert list(member.values({"RoleArn": "a"})) == list(member.values({"roleArn": "a"})) == ["a"]
    assert action_name("states:createstatemachine") == "states:CreateStateMachine"


def test_members_in_lists_are_each_looked_at() -> None:
    (member,) = members_of_action("backup:CreateBackupSelection")
    assert list(member.values({"BackupSelection": [{"IamRoleArn": "a"}, {"IamRoleArn": "b"}, {}]})) == ["a", "b"]

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.preflight.draft import Draft, nothing, only
from tests.unit.preflight.rules.role_bodies import trust
from trainworks.preflight.finding import Severity
from trainworks.preflight.rules.role_trust import RULE

Platform = Callable[[str], Draft]


@pytest.mark.parametrize(
    "role", ["Training/TrainingRole", "Training/NotebookRole", "Batch/JobRole", "Batch/JobExecutionRole"]
)
def test_any_accounts_resource(platform: Platform, role: str) -> None:
    draft = platform("dev")
    del trust(draft, role)["Condition"]
    (found,) = only(draft, RULE)
    assert found.severity is Severity.WARNING
    assert found.place == role


def test_a_source_arn_alone_binds_as_well(platform: Platform) -> None:
    draft = platform("dev")
    trust(draft, "Training/TrainingRole")["Condition"] = {
        "ArnLike": {"aws:SourceArn": "arn:aws:sagemaker:*:111111111111:*"}
    }
    nothing(draft)


@pytest.mark.parametrize(
    ("role", "service", "needed"),
    [
        ("Training/TrainingRole", "ec2.amazonaws.com", "sagemaker.amazonaws.com"),
        ("Batch/JobRole", "batch.amazonaws.com", "ecs-tasks.amazonaws.com"),
        ("Batch/InstanceRole", "ecs-tasks.amazonaws.com", "ec2.amazonaws.com"),
    ],
)
def test_the_wrong_principal(platform: Platform, role: str, service: str, needed: str) -> None:
    draft = platform("dev")
    statement = trust(draft, role)
    statement["Principal"] = {"Service": service}
    statement["Condition"] = {"StringEquals": {"aws:PrincipalTag/x": "y"}}
    errors = [each for each in only(draft, RULE) if each.is_error]
    assert [each.place for each in errors] == [role]
    assert f"does not trust {needed}" in errors[0].message


def test_ec2_sends_no_source(platform: Platform) -> None:
    draft = platform("dev")
    trust(draft, "Batch/InstanceRole")["Condition"] = {"StringEquals": {"aws:SourceAccount": "111111111111"}}
    (found,) = only(draft, RULE)
    assert found.is_error
    assert "can never be assumed" in found.message


def test_a_service_that_does_not_exist(platform: Platform) -> None:
    draft = platform("dev")
    trust(draft, "Batch/JobRole")["Principal"] = {"Service": ["ecs-tasks.amazonaws.com", "ecs-tasks.aws.com"]}
    (found,) = only(draft, RULE)
    assert "is not a service of AWS" in found.message


def test_one_of_several_principals(platform: Platform) -> None:
    draft = platform("dev")
    trust(draft, "Training/TrainingRole")["Principal"] = {
        "Service": ["sagemaker.amazonaws.com", "states.amazonaws.com"]
    }
    nothing(draft)

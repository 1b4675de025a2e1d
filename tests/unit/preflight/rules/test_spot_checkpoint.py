from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
from tests.unit.preflight.rules.role_bodies import statements, without
from trainworks.preflight.rules.spot_checkpoint import RULE

Platform = Callable[[str], Draft]
TRAINING = "Training/TrainingRole"


def _edited_resources(draft: Draft, action: str, drop: str) -> None:
    for statement in statements(draft, TRAINING):
        if action in statement["Action"] and isinstance(statement["Resource"], list):
            statement["Resource"] = [each for each in statement["Resource"] if drop not in str(each)]


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject"])
def test_objects_of_the_checkpoint_prefix(platform: Platform, action: str) -> None:
    draft = platform("prod")
    _edited_resources(draft, action, "checkpoints/")
    (found,) = only(draft, RULE)
    assert found.is_error
    assert found.place == TRAINING
    assert found.value == f'["{action}"]'


def test_listing_under_another_prefix_only(platform: Platform) -> None:
    draft = platform("prod")
    for statement in statements(draft, TRAINING):
        if "s3:ListBucket" in statement["Action"]:
            statement["Condition"] = {"StringLike": {"s3:prefix": ["output/*"]}}
    assert only(draft, RULE)[0].value == '["s3:ListBucket"]'


def test_no_listing_at_all(platform: Platform) -> None:
    assert only(without(platform("prod"), TRAINING, "s3:ListBucket"), RULE)[0].value == '["s3:ListBucket"]'


TRUST = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}


def _machine(**changes: Any) -> dict[str, Any]:
    parameters = {
        "TrainingJobName": "job",
        "RoleArn": "arn:aws:iam::111111111111:role/elsewhere",
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
        "CheckpointConfig": {"S3Uri": "s3://elsewhere/checkpoints"},
        **changes,
    }
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sagemaker:createTrainingJob",
        "Parameters": {key: value for key, value in parameters.items() if value is not None},
        "End": True,
    }
    return {
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "RoleArn": "arn:aws:iam::111111111111:role/machine",
                "Definition": {"StartAt": "Train", "States": {"Train": task}},
            },
        }
    }


def test_a_state_machine_without_checkpoints() -> None:
    clean = draft_of(_machine())
    clean.sources = draft_of(_machine(CheckpointConfig=None)).sources
    (found,) = only(clean, RULE)
    assert "starts from the beginning" in found.message


def test_on_demand_needs_none() -> None:
    clean = draft_of(_machine())
    clean.sources = draft_of(_machine(CheckpointConfig=None, EnableManagedSpotTraining=False)).sources
    nothing(clean)

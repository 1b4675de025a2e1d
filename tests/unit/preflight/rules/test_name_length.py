from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
from trainworks.assembly.graph import load_graph
from trainworks.preflight.checker import check
from trainworks.preflight.rules.name_length import RULE
from trainworks.preflight.settings import CheckSettings


@pytest.mark.parametrize(
    ("type_", "name", "limit"),
    [
        ("AWS::SageMaker::Endpoint", "EndpointName", 63),
        ("AWS::SageMaker::Model", "ModelName", 63),
        ("AWS::SageMaker::Pipeline", "PipelineName", 256),
        ("AWS::StepFunctions::StateMachine", "StateMachineName", 80),
    ],
)
def test_a_name_one_too_long(type_: str, name: str, limit: int) -> None:
    draft = draft_of({"Named": {"Type": type_, "Properties": {name: "n" * limit}}})
    draft.properties("Named")[name] = "n" * (limit + 1)
    (found,) = only(draft, RULE)
    assert f"{limit + 1} characters, and {limit} are allowed" in found.message
    assert found.is_error


def test_a_suffix_makes_a_role_name_too_long(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    draft.properties("Training/TrainingRole")["RoleName"] = {"Fn::Sub": "${AWS::Region}-" + "r" * 60}
    (found,) = only(draft, RULE)
    assert found.place == "Training/TrainingRole"


def test_a_job_name_in_a_state_machine() -> None:
    definition = {"StartAt": "T", "States": {"T": {"Parameters": {"TrainingJobName": "t" * 63}}}}
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"DefinitionString": json.dumps(definition), "RoleArn": "arn:aws:iam::1:role/r"},
    }
    draft = draft_of({"Machine": machine})
    definition["States"] = {"T": {"Parameters": {"TrainingJobName": "t" * 64}}}
    draft.properties("Machine")["DefinitionString"] = json.dumps(definition)
    only(draft, RULE)


def test_a_name_that_is_decided_when_it_runs() -> None:
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"DefinitionString": "{}"}}
    draft = draft_of({"Machine": machine})
    definition = {"States": {"T": {"Parameters": {"TrainingJobName": "$." + "t" * 70}}}}
    draft.properties("Machine")["DefinitionString"] = json.dumps(definition)
    nothing(draft)


@pytest.mark.parametrize(("rest", "told"), [(57, 7), (63, 1), (70, 1)])
def test_the_stacks_name_is_not_known_yet(tmp_path: Path, rest: int, told: int) -> None:
    model = {
        "Type": "AWS::SageMaker::Model",
        "Properties": {"ModelName": {"Fn::Sub": "${AWS::StackName}" + "r" * rest}},
    }
    template = tmp_path / "a-long-name-of-a-file.json"
    template.write_text(json.dumps({"Resources": {"Model": model}}))
    (found,) = [each for each in check(load_graph(template), CheckSettings()).findings if each.code == RULE.code]
    assert f"a stack name of {told} or more characters fails" in found.message
    assert found.is_error is (rest >= 63)


def test_a_short_rest_leaves_room_for_a_stacks_name() -> None:
    draft = draft_of({"Role": {"Type": "AWS::SageMaker::Model"}})
    draft.properties("Role")["ModelName"] = {"Fn::Sub": "${AWS::StackName}-model"}
    nothing(draft)


def test_a_name_made_of_another_resources_id_has_no_known_length() -> None:
    draft = draft_of({"Key": {"Type": "AWS::KMS::Key"}, "Model": {"Type": "AWS::SageMaker::Model"}})
    draft.properties("Model")["ModelName"] = {"Fn::Sub": "model-of-${Key.Arn}-with-a-very-long-tail"}
    nothing(draft)

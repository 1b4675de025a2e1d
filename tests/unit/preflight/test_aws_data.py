"""The data files about AWS: readable, and true where this machine can tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from importlib import metadata
from importlib.resources import files
from typing import Any

import pytest

from trainworks.aws.iam.managed_policies import managed_policy, managed_policy_name, too_broad
from trainworks.aws.iam.partial.conditions import values_of
from trainworks.aws.role_actions import ROLE_NEEDS, Workload
from trainworks.aws.task_actions import MANAGED_RULE_ACTIONS, TARGETS, TASKS
from trainworks.preflight.iam_actions import PATH, may_need_any_resource
from trainworks.preflight.refresh_iam_actions import page, reference, unscoped

MANAGED = "aws/iam/managed_policies"


def _data(name: str) -> dict[str, Any]:
    text = files("trainworks").joinpath(f"{name}.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@pytest.fixture(scope="module")
def catalogue() -> Mapping[str, Any]:
    """The service authorization reference, as cfn-lint ships it."""
    pytest.importorskip("cfnlint")
    return reference()


@pytest.mark.parametrize("name", [MANAGED, "preflight/data/iam_actions", "preflight/data/metrics"])
def test_a_data_file_says_where_it_is_from_and_when(name: str) -> None:
    data = _data(name)
    assert data["source"]
    assert len(data["date"].split("-")) == 3


def test_actions_without_resources_are_those_of_the_reference(catalogue: Mapping[str, Any]) -> None:
    data = _data("preflight/data/iam_actions")
    version = metadata.version("cfn-lint")
    if f"cfn-lint {version}," not in data["source"]:
        pytest.skip(f"the file is of {data['source']}")
    services = {service: unscoped(service, catalogue) for service in data["unscoped"]}
    assert PATH.read_text() == page(services, version, date.fromisoformat(data["date"]))


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("ec2:DescribeVpcs", True),
        ("ec2:Describe*", True),
        ("ecr:GetAuthorizationToken", True),
        ("rekognition:DetectLabels", True),
        ("cloudwatch:PutMetricData", True),
        ("newservice:DoIt", True),
        ("s3:PutObject", False),
        ("s3:PutObject*", False),
        ("iam:PassRole", False),
    ],
)
def test_which_actions_need_any_resource(action: str, expected: bool) -> None:
    assert may_need_any_resource(action) is expected


def test_every_needed_action_exists(catalogue: Mapping[str, Any]) -> None:
    tasks = [action for task in TASKS.values() for action in (task.start, *task.also)]
    needs = [action for role in ROLE_NEEDS.values() for action in role.actions]
    for action in {*tasks, *needs, *TARGETS.values(), *MANAGED_RULE_ACTIONS}:
        service, _, name = action.partition(":")
        assert name.lower() in catalogue[service]["Actions"], action


def test_every_action_of_a_managed_policy_exists(catalogue: Mapping[str, Any]) -> None:
    for policy, body in _data(MANAGED)["policies"].items():
        for statement in body["statements"]:
            for action in values_of(statement["Action"]):
                service, _, name = action.partition(":")
                if "*" not in action:
                    assert name.lower() in catalogue[service]["Actions"], (policy, action)


def test_every_workload_has_its_needs() -> None:
    assert set(ROLE_NEEDS) == set(Workload)


def test_names_of_managed_policies() -> None:
    assert managed_policy_name("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole") == (
        "AWSLambdaBasicExecutionRole"
    )
    assert managed_policy_name("arn:aws:iam::111111111111:policy/mine") is None
    assert managed_policy("AWSLambdaBasicExecutionRole").version == "v1"
    assert managed_policy("NoSuchPolicy").version == ""


def test_broad_policies() -> None:
    assert "passes any role" in str(too_broad("AmazonSageMakerFullAccess"))
    assert too_broad("AmazonDynamoDBFullAccess")
    assert too_broad("AWSLambdaBasicExecutionRole") is None

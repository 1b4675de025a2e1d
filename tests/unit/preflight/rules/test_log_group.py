from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
from trainworks.preflight.rules.log_group import RULE

LOGGED: dict[str, Any] = {
    "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "jobs"}},
    "Job": {
        "Type": "AWS::Batch::JobDefinition",
        "Properties": {
            "Type": "container",
            "ContainerProperties": {
                "Image": "busybox:1",
                "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": {"Ref": "Logs"}}},
            },
        },
    },
}


def logged() -> Draft:
    return draft_of(deepcopy(LOGGED))


def options(draft: Draft) -> dict[str, Any]:
    found: dict[str, Any] = draft.properties("Job")["ContainerProperties"]["LogConfiguration"]["Options"]
    return found


def test_a_group_that_nobody_writes_to(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    draft.add("Lonely", "AWS::Logs::LogGroup", {"LogGroupName": "/aws/sagemaker/training-jobs-dev"}, stack="Monitoring")
    (found,) = only(draft, RULE)
    assert not found.is_error
    assert found.value == "/aws/sagemaker/training-jobs-dev"


@pytest.mark.parametrize(
    "name", ["/aws/sagemaker/TrainingJobs", "/aws/lambda/resize", "/aws/sagemaker/Endpoints/digits", "/aws/batch/job"]
)
def test_a_group_that_a_service_writes_to(name: str) -> None:
    draft = logged()
    draft.add("Known", "AWS::Logs::LogGroup", {"LogGroupName": name})
    nothing(draft)


def test_who_reads_or_may_write_is_no_writer() -> None:
    draft = logged()
    draft.add("Lonely", "AWS::Logs::LogGroup", {"LogGroupName": "lonely"})
    draft.add(
        "Filter",
        "AWS::Logs::MetricFilter",
        {"LogGroupName": {"Ref": "Lonely"}, "FilterPattern": "ERROR", "MetricTransformations": []},
    )
    only(draft, RULE)


def test_a_group_that_is_missing() -> None:
    draft = logged()
    draft.properties("Logs")["LogGroupName"] = "/aws/batch/job"
    options(draft)["awslogs-group"] = "elsewhere"
    (found,) = only(draft, RULE)
    assert found.is_error
    assert found.value == "elsewhere"


def test_a_group_that_the_driver_makes() -> None:
    draft = logged()
    draft.properties("Logs")["LogGroupName"] = "/aws/batch/job"
    options(draft)["awslogs-group"] = "elsewhere"
    options(draft)["awslogs-create-group"] = "true"
    nothing(draft)


def test_a_group_of_a_task(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    container = {
        "Name": "web",
        "Image": "busybox:1",
        "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": "nowhere"}},
    }
    draft.add("Task", "AWS::ECS::TaskDefinition", {"ContainerDefinitions": [container]}, stack="Batch")
    assert [each.value for each in draft.findings() if each.code == RULE.code] == ["nowhere"]

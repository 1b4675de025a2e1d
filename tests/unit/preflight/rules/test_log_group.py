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


def test_a_flow_log_to_the_arn_that_the_group_gives(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    flow_log = draft.properties("Network/FlowLog")
    flow_log["LogDestination"] = {"Fn::GetAtt": [flow_log.pop("LogGroupName")["Ref"], "Arn"]}
    (found,) = only(draft, RULE)
    assert found.is_error
    assert "Access error" in found.message


@pytest.mark.parametrize(
    "destination",
    [
        {"Fn::Sub": "arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Flows}"},
        "arn:aws:logs:eu-west-1:111111111111:log-group:flows",
        "arn:aws:s3:::records/*",
    ],
)
def test_a_flow_log_that_delivers(destination: object) -> None:
    draft = logged()
    draft.add("Flows", "AWS::Logs::LogGroup", {"LogGroupName": "/aws/vendedlogs/flows"})
    draft.add(
        "FlowLog",
        "AWS::EC2::FlowLog",
        {"ResourceId": "vpc-1", "ResourceType": "VPC", "TrafficType": "ALL", "LogDestination": destination},
    )
    nothing(draft)


def function(name: str | None) -> dict[str, Any]:
    properties = {"Role": "arn:aws:iam::111111111111:role/f"}
    return {"Type": "AWS::Lambda::Function", "Properties": properties | ({"FunctionName": name} if name else {})}


def test_a_group_of_a_function_that_is_not_there() -> None:
    draft = draft_of({"Resize": function("resize"), "Other": function(None)})
    draft.add("Logs", "AWS::Logs::LogGroup", {"LogGroupName": "/aws/lambda/rezise"})
    (found,) = only(draft, RULE)
    assert (found.is_error, found.value) == (False, "/aws/lambda/rezise")


@pytest.mark.parametrize(
    "name", ["/aws/lambda/resize", "/aws/lambda/us-east-1.edge", {"Fn::Sub": "/aws/lambda/${Other}"}]
)
def test_a_group_of_a_function(name: Any) -> None:
    draft = draft_of({"Resize": function("resize"), "Other": function(None)})
    draft.add("Logs", "AWS::Logs::LogGroup", {"LogGroupName": name})
    nothing(draft)


def test_a_group_that_a_function_names_itself() -> None:
    draft = draft_of({"Resize": function("resize"), "Other": function(None)})
    draft.add("Logs", "AWS::Logs::LogGroup", {"LogGroupName": "/aws/lambda/shared"})
    draft.properties("Resize")["LoggingConfig"] = {"LogGroup": {"Ref": "Logs"}}
    nothing(draft)

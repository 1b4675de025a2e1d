from __future__ import annotations

from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, only, quiet
from trainworks.preflight.rules.queue_visibility import RULE


def _reader(visible: Any, timeout: Any, function: Any = None) -> Draft:
    draft = draft_of(
        {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 900}},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Code": {"ZipFile": "x"}, "Role": "arn:aws:iam::111111111111:role/r", "Timeout": 3},
            },
            "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
            "Mapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
                    "FunctionName": function or {"Ref": "Function"},
                },
            },
        }
    )
    for name, member, value in (("Queue", "VisibilityTimeout", visible), ("Function", "Timeout", timeout)):
        if value is None:
            del draft.properties(name)[member]
        else:
            draft.properties(name)[member] = value
    return draft


@pytest.mark.parametrize(("visible", "timeout"), [(30, 60), (None, 31), (2, None), ("59", "60")])
@pytest.mark.parametrize(
    "function",
    [{"Ref": "Function"}, {"Ref": "Version"}, {"Fn::Sub": "${Function.Arn}:live"}, {"Fn::Sub": "${Function}:live"}],
    ids=["function", "version", "arn", "name"],
)
def test_messages_come_back_too_early(visible: Any, timeout: Any, function: Any) -> None:
    (found,) = only(_reader(visible, timeout, function), RULE)
    assert found.is_error
    assert found.place == "Queue"


@pytest.mark.parametrize(("visible", "timeout"), [(60, 60), (None, None), (None, 30), ({"Fn::ImportValue": "v"}, 60)])
def test_an_equal_timeout_is_accepted(visible: Any, timeout: Any) -> None:
    quiet(_reader(visible, timeout), RULE)


@pytest.mark.parametrize(
    ("timeout", "global_timeout", "visible", "is_found"),
    [(None, 60, 30, True), (None, 60, None, True), (20, 60, 30, False), (None, None, 2, True), (60, 1, 30, True)],
)
def test_an_event_of_a_serverless_function_is_a_mapping(
    timeout: Any, global_timeout: Any, visible: Any, is_found: bool
) -> None:
    event = {"Type": "SQS", "Properties": {"Queue": {"Fn::GetAtt": ["Queue", "Arn"]}}}
    function: dict[str, Any] = {"CodeUri": "s3://b/k", "Handler": "a.b", "Events": {"Work": event}}
    draft = draft_of({})
    draft.template()["Transform"] = "AWS::Serverless-2016-10-31"
    draft.template()["Resources"] = {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": visible} if visible else {}},
        "Function": {"Type": "AWS::Serverless::Function", "Properties": function},
    }
    if timeout:
        function["Timeout"] = timeout
    if global_timeout:
        draft.template()["Globals"] = {"Function": {"Timeout": global_timeout, "Runtime": "python3.12"}}
    found = [each for each in draft.findings() if each.code == RULE.code]
    assert [each.place for each in found] == ["Queue"] * is_found
    assert all("Function (event Work)" in each.message for each in found)

"""Aliases that a stack makes are checked as those of the API; what the account may reserve is told as it is checked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from tests.functional.twin.iam import new, role
from trainworks.testing import TestTwin


def template(role_arn: str, alias: dict[str, Any]) -> str:
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.11",
            "Handler": "index.handler",
            "Role": role_arn,
            "Code": {"ZipFile": "def handler(event, context): return 1"},
        },
    }
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}}
    properties = {"FunctionName": {"Ref": "Function"}, "Name": "live", **alias}
    named = {"Type": "AWS::Lambda::Alias", "Properties": properties, "DependsOn": "Version"}
    return json.dumps({"Resources": {"Function": function, "Version": version, "Alias": named}})


@pytest.mark.parametrize(
    ("alias", "told"),
    [
        ({"FunctionVersion": "7"}, ":7"),
        ({"FunctionVersion": "1", "RoutingConfig": {"9": 0.5}}, ":9"),
        ({"FunctionVersion": "1", "RoutingConfig": {"1": 0.5}}, "primary version"),
        ({"FunctionVersion": "$LATEST", "RoutingConfig": {"1": 0.5}}, "$LATEST is not supported"),
    ],
)
def test_an_alias_that_the_api_refuses_fails_its_stack(twin: TestTwin, alias: dict[str, Any], told: str) -> None:
    weights = [
        {"FunctionVersion": version, "FunctionWeight": weight}
        for version, weight in alias.get("RoutingConfig", {}).items()
    ]
    given = {**alias, "RoutingConfig": {"AdditionalVersionWeights": weights}} if weights else alias
    client, name = twin.client("cloudformation"), new("aliases")
    arn = role(twin, {"Service": "lambda.amazonaws.com"})
    client.create_stack(StackName=name, TemplateBody=template(arn, given))
    with pytest.raises(WaiterError):
        client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    (reason,) = [
        each["ResourceStatusReason"]
        for each in events
        if each["LogicalResourceId"] == "Alias" and each["ResourceStatus"] == "CREATE_FAILED"
    ]
    assert told in reason


def test_the_account_is_told_what_reservations_are_checked_against(twin: TestTwin) -> None:
    limit = twin.client("lambda").get_account_settings()["AccountLimit"]
    assert limit["ConcurrentExecutions"] == 1000
    assert limit["UnreservedConcurrentExecutions"] <= 1000

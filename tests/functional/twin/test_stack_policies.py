"""Policies that stacks give to event buses and tables hold as those of the operations do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import WaiterError
from tests.functional.twin.iam import ACCOUNT, REGION, allow, code, document, new, user

from trainworks.testing import TestTwin

DENIED = {"AccessDenied", "AccessDeniedException"}


def deploy(twin: TestTwin, name: str, resources: dict[str, Any]) -> None:
    cloudformation = twin.client("cloudformation")
    body = json.dumps({"Resources": resources})
    pages = cloudformation.get_paginator("list_stacks").paginate()
    known = [each["StackName"] for page in pages for each in page["StackSummaries"]]
    call, waiter = (
        (cloudformation.update_stack, "stack_update_complete")
        if name in known
        else (cloudformation.create_stack, "stack_create_complete")
    )
    call(StackName=name, TemplateBody=body)
    cloudformation.get_waiter(waiter).wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def test_policies_of_buses_in_stacks_give_and_take(twin: TestTwin) -> None:
    bus, stack = new("bus"), new("stack")
    (whole_name, whole), (parts_name, parts), (own_name, own) = user(twin), user(twin), user(twin)
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{bus}"

    def named(name: str) -> dict[str, Any]:
        return {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}

    def put(session: Any) -> str:
        entry = {"EventBusName": bus, "Source": "s", "DetailType": "d", "Detail": "{}"}
        return code(twin.client("events", session).put_events, Entries=[entry])

    policy = document({**allow("events:PutEvents", arn, Principal=named(own_name)), "Sid": "own"})
    statement = allow("events:PutEvents", arn, Principal=named(whole_name))
    resources: dict[str, Any] = {
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": bus, "Policy": json.loads(policy)}},
        "Whole": {
            "Type": "AWS::Events::EventBusPolicy",
            "Properties": {"EventBusName": {"Ref": "Bus"}, "StatementId": "whole", "Statement": statement},
        },
        "Parts": {
            "Type": "AWS::Events::EventBusPolicy",
            "Properties": {
                "EventBusName": {"Ref": "Bus"},
                "StatementId": "parts",
                "Action": "events:PutEvents",
                "Principal": ACCOUNT,
                "Condition": {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1234567890"},
            },
        },
    }
    deploy(twin, stack, resources)
    kept = json.loads(twin.client("events").describe_event_bus(Name=bus)["Policy"])["Statement"]
    assert {each["Sid"] for each in kept} == {"own", "whole", "parts"}
    assert put(own) == put(whole) == "OK"
    assert put(parts) in DENIED
    resources["Whole"]["Properties"]["Statement"] = allow("events:PutEvents", arn, Principal=named(parts_name))
    del resources["Parts"]
    deploy(twin, stack, resources)
    kept = json.loads(twin.client("events").describe_event_bus(Name=bus)["Policy"])["Statement"]
    assert {each["Sid"] for each in kept} == {"own", "whole"}
    assert put(parts) == "OK"
    assert put(whole) in DENIED


@pytest.mark.parametrize(
    "properties",
    [
        {"Statement": {"Effect": "Maybe", "Principal": "*", "Action": "events:PutEvents", "Resource": "*"}},
        {
            "Statement": {"Effect": "Allow", "Principal": "*", "Action": "events:PutEvents", "Resource": "*"},
            "Principal": "*",
        },
        {"Action": "events:PutEvents"},
        {"Action": "events:PutEvents", "Principal": "*", "EventBusName": "nobody-made-it"},
    ],
)
def test_a_policy_that_a_bus_does_not_take_fails_its_stack(twin: TestTwin, properties: dict[str, Any]) -> None:
    policy = {"Type": "AWS::Events::EventBusPolicy", "Properties": {"StatementId": new("s"), **properties}}
    with pytest.raises(WaiterError):
        deploy(twin, new("stack"), {"Policy": policy})


def test_the_policy_of_a_table_in_a_stack_gives_and_takes(twin: TestTwin) -> None:
    table, stack = new("table"), new("stack")
    name, session = user(twin)
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
    policy = document(allow("dynamodb:GetItem", arn, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}))
    properties: dict[str, Any] = {
        "TableName": table,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    given = {**properties, "ResourcePolicy": {"PolicyDocument": json.loads(policy)}}

    def get() -> str:
        return code(twin.client("dynamodb", session).get_item, TableName=table, Key={"id": {"S": "1"}})

    deploy(twin, stack, {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": given}})
    assert get() == "OK"
    deploy(twin, stack, {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": properties}})
    assert get() in DENIED

"""A role is handed to a service that its trust policy names, or the service refuses it: by API and in a stack."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from tests.functional.twin.iam import ACCOUNT, allow, code, document, message, new, role, trusting

from trainworks.testing import TestTwin

DEFINITION = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:handed"
HANDED: dict[str, tuple[str, str]] = {
    "lambda.amazonaws.com": (
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    ),
    "states.amazonaws.com": (
        "AccessDeniedException",
        "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the "
        "provided role.",
    ),
    "scheduler.amazonaws.com": (
        "ValidationException",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    ),
    "events.amazonaws.com": ("ValidationException", "cannot be assumed by principal 'events.amazonaws.com'."),
    "cloudformation.amazonaws.com": ("ValidationError", "is invalid or cannot be assumed"),
}


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("handler.py", "def handle(event, context): return 1")
    return packed.getvalue()


def hand(twin: TestTwin, service: str, role_arn: str) -> tuple[str, str]:
    """(code, message) of the operation that hands a role to `service`."""
    name = new("handed")
    target = {"Arn": QUEUE, "RoleArn": role_arn}
    calls: dict[str, tuple[str, str, dict[str, Any]]] = {
        "lambda.amazonaws.com": (
            "lambda",
            "create_function",
            {
                "FunctionName": name,
                "Role": role_arn,
                "Runtime": "python3.11",
                "Handler": "handler.handle",
                "Code": {"ZipFile": archive()},
            },
        ),
        "states.amazonaws.com": (
            "stepfunctions",
            "create_state_machine",
            {"name": name, "definition": DEFINITION, "roleArn": role_arn},
        ),
        "scheduler.amazonaws.com": (
            "scheduler",
            "create_schedule",
            {
                "Name": name,
                "ScheduleExpression": "rate(1 day)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": target,
            },
        ),
        "events.amazonaws.com": ("events", "put_targets", {"Rule": "handed", "Targets": [{"Id": "1", **target}]}),
        "cloudformation.amazonaws.com": (
            "cloudformation",
            "create_stack",
            {"StackName": name, "TemplateBody": template("AWS::SNS::Topic", {}), "RoleARN": role_arn},
        ),
    }
    client, operation, params = calls[service]
    call = getattr(twin.client(client), operation)
    return code(call, **params), message(call, **params)


def template(kind: str, properties: dict[str, Any]) -> str:
    return json.dumps({"Resources": {"R": {"Type": kind, "Properties": properties}}})


@pytest.fixture(scope="module", autouse=True)
def _targets(twin: TestTwin) -> None:
    twin.client("sqs").create_queue(QueueName="handed")
    twin.client("events").put_rule(Name="handed", ScheduleExpression="rate(1 day)")


@pytest.mark.parametrize("service", HANDED)
def test_a_role_that_does_not_trust_the_service_is_refused(twin: TestTwin, service: str) -> None:
    other = "ec2.amazonaws.com"
    for principal in ({"Service": other}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}):
        found, told = hand(twin, service, role(twin, principal))
        assert (found, HANDED[service][1] in told) == (HANDED[service][0], True), told
    missing, _ = hand(twin, service, f"arn:aws:iam::{ACCOUNT}:role/{new('missing')}")
    assert missing == HANDED[service][0]
    assert hand(twin, service, role(twin, {"Service": [other, service]}))[0] == "OK"


def test_conditions_denials_and_regional_names_count(twin: TestTwin) -> None:
    iam, states = twin.client("iam"), "states.amazonaws.com"
    arn = role(twin, {"Service": "states.us-east-1.amazonaws.com"})
    assert hand(twin, states, arn)[0] == "OK"
    trust = {"Effect": "Allow", "Principal": {"Service": states}, "Action": "sts:AssumeRole"}
    account = {"StringEquals": {"aws:SourceAccount": "999999999999"}}
    for statements in (
        [{**trust, "Condition": account}],
        [trust, {**trust, "Effect": "Deny"}],
        [{**trust, "Action": "sts:TagSession"}],
    ):
        iam.update_assume_role_policy(RoleName=arn.rsplit("/", 1)[-1], PolicyDocument=document(*statements))
        assert hand(twin, states, arn)[0] == "AccessDeniedException", statements


def test_a_stack_hands_no_role_that_is_not_trusted(twin: TestTwin) -> None:
    """The role of the stack's own template too, which is made just before."""
    cloudformation = twin.client("cloudformation")
    resources = {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": json.loads(trusting({"Service": "lambda.amazonaws.com"}))},
        },
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"DefinitionString": DEFINITION, "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}},
        },
    }
    name = new("stack")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps({"Resources": resources}),
        OnFailure="DO_NOTHING",
        Capabilities=["CAPABILITY_IAM"],
    )
    waiter = cloudformation.get_waiter("stack_create_complete")
    with pytest.raises(Exception, match="CREATE_FAILED"):
        waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    assert any(HANDED["states.amazonaws.com"][1] in event.get("ResourceStatusReason", "") for event in events)


def test_a_stack_is_described_with_its_role_and_with_what_it_is_nested_in(twin: TestTwin) -> None:
    cloudformation, s3, bucket = twin.client("cloudformation"), twin.client("s3"), new("templates")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="child.json", Body=template("AWS::SNS::Topic", {}).encode())
    arn = role(twin, {"Service": "cloudformation.amazonaws.com"}, allow("*"))
    nested = {"TemplateURL": f"https://{bucket}.s3.us-east-1.amazonaws.com/child.json"}
    root = cloudformation.create_stack(
        StackName=new("stack"), TemplateBody=template("AWS::CloudFormation::Stack", nested), RoleARN=arn
    )["StackId"]
    cloudformation.get_waiter("stack_create_complete").wait(StackName=root, WaiterConfig={"Delay": 1})
    child = cloudformation.describe_stack_resources(StackName=root)["StackResources"][0]["PhysicalResourceId"]
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    stacks = {each["StackId"]: each for page in pages for each in page["Stacks"]}
    assert (stacks[root]["RoleARN"], stacks[root].get("ParentId")) == (arn, None)
    assert (stacks[child]["RoleARN"], stacks[child]["ParentId"], stacks[child]["RootId"]) == (arn, root, root)
    without = cloudformation.create_stack(StackName=new("stack"), TemplateBody=template("AWS::SNS::Topic", {}))
    assert "RoleARN" not in cloudformation.describe_stacks(StackName=without["StackId"])["Stacks"][0]


def test_a_role_that_is_only_spoken_of_is_handed_to_nobody(twin: TestTwin) -> None:
    """A rule's pattern that looks for jobs of a role, a machine's task that starts one, a function's variable."""
    arn = role(twin, {"Service": "sagemaker.amazonaws.com"})
    executor = role(twin, {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]})
    state = {"Type": "Pass", "Parameters": {"RoleArn": arn}, "End": True}
    resources = {
        "Rule": {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": {"detail": {"RoleArn": [arn]}}}},
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"RoleArn": executor, "Definition": {"StartAt": "A", "States": {"A": state}}},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Role": executor,
                "Runtime": "python3.11",
                "Handler": "index.handle",
                "Code": {"ZipFile": "def handle(event, context): return 1"},
                "Environment": {"Variables": {"RoleArn": arn}},
            },
        },
    }
    cloudformation, name = twin.client("cloudformation"), new("stack")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})

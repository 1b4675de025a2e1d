"""A stack does what its caller may do, or its role, and no more; for each resource, at create, update and delete."""

from __future__ import annotations

import json
import time
from typing import Any

import boto3
import pytest
from tests.functional.twin.iam import ACCOUNT, allow, code, deny, document, message, new, role, user
from tests.patience import PATIENCE_SECONDS

from trainworks.testing import TestTwin
from trainworks.twin.emulator.cloudformation.handler_actions import HANDLERS, handler_of
from trainworks.twin.wire.models import service_model

STACKS = allow("cloudformation:*")
EVERYBODY = {"Service": "cloudformation.amazonaws.com"}


def settled(twin: TestTwin, name: str) -> str:
    cloudformation, end = twin.client("cloudformation"), time.monotonic() + PATIENCE_SECONDS
    while True:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        if not found.endswith("IN_PROGRESS") or time.monotonic() > end:
            return str(found)
        time.sleep(0.05)


def reasons(twin: TestTwin, stack: str) -> str:
    events = twin.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    return "\n".join(event.get("ResourceStatusReason", "") for event in events)


def created(twin: TestTwin, session: boto3.Session, resources: dict[str, Any], **more: Any) -> tuple[str, str]:
    """(id, last status) of a stack that the session creates."""
    stack = twin.client("cloudformation", session).create_stack(
        StackName=new("stack"),
        TemplateBody=json.dumps({"Resources": resources}),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        **more,
    )["StackId"]
    return stack, settled(twin, stack)


def administrator(name: str) -> dict[str, Any]:
    policy = {"PolicyName": "all", "PolicyDocument": json.loads(document(allow("*")))}
    return {"Me": {"Type": "AWS::IAM::User", "Properties": {"UserName": name, "Policies": [policy]}}}


def test_who_may_only_create_stacks_makes_nothing(twin: TestTwin) -> None:
    who, session = user(twin, STACKS)
    name = new("admin")
    stack, status = created(twin, session, administrator(name))
    assert status == "ROLLBACK_COMPLETE"
    expected = (
        f"User: arn:aws:iam::{ACCOUNT}:user/{who} is not authorized to perform: iam:CreateUser on resource: "
        f"arn:aws:iam::{ACCOUNT}:user/{name} because no identity-based policy allows the iam:CreateUser action"
    )
    assert expected in reasons(twin, stack)
    assert code(twin.client("iam").get_user, UserName=name) == "NoSuchEntity"


def test_the_properties_of_a_resource_need_their_own_permissions(twin: TestTwin) -> None:
    _, session = user(twin, STACKS, allow("iam:CreateUser"), deny("iam:PutUserPolicy"))
    stack, status = created(twin, session, administrator(new("admin")))
    assert status == "ROLLBACK_COMPLETE"
    assert "iam:PutUserPolicy" in reasons(twin, stack)


def test_nested_stacks_and_change_sets_act_as_their_caller(twin: TestTwin) -> None:
    bucket, s3 = new("templates"), twin.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="child", Body=json.dumps({"Resources": administrator(new("admin"))}))
    _, session = user(twin, STACKS, allow(["s3:*"]))
    url = f"https://s3.amazonaws.com/{bucket}/child"
    nested = {"Child": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}}
    stack, status = created(twin, session, nested)
    assert status == "ROLLBACK_COMPLETE"
    assert "The following resource(s) failed to create: [Me]" in reasons(twin, stack)
    cloudformation, name = twin.client("cloudformation", session), new("stack")
    cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps({"Resources": administrator(new("admin"))}),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    cloudformation.get_waiter("change_set_create_complete").wait(
        StackName=name, ChangeSetName="first", WaiterConfig={"Delay": 1}
    )
    cloudformation.execute_change_set(StackName=name, ChangeSetName="first")
    assert settled(twin, name) == "ROLLBACK_COMPLETE"
    assert "iam:CreateUser" in reasons(twin, name)


def test_a_stack_with_a_role_acts_as_the_role_from_then_on(twin: TestTwin) -> None:
    service = role(twin, EVERYBODY, allow("sqs:*"))
    _, session = user(twin, STACKS, allow("iam:PassRole", service))
    queue = {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": new("q")}}}
    stack, status = created(twin, session, queue, RoleARN=service)
    assert status == "CREATE_COMPLETE"
    topic = {**queue, "Topic": {"Type": "AWS::SNS::Topic"}}
    cloudformation = twin.client("cloudformation", session)
    cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps({"Resources": topic}))
    assert settled(twin, stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert f"assumed-role/{service.rsplit('/', 1)[-1]}/AWSCloudFormation is not authorized" in reasons(twin, stack)
    cloudformation.delete_stack(StackName=stack)
    assert settled(twin, stack) == "DELETE_COMPLETE"
    # The caller itself may do nothing with queues, and may pass no other role.
    _, status = created(twin, session, queue)
    assert status == "ROLLBACK_COMPLETE"
    other = role(twin, EVERYBODY, allow("*"))
    told = message(
        cloudformation.create_stack, StackName=new("s"), TemplateBody=json.dumps({"Resources": queue}), RoleARN=other
    )
    assert f"iam:PassRole on resource: {other}" in told


def test_updates_and_deletes_need_permission(twin: TestTwin) -> None:
    who, session = user(twin, STACKS, allow("sqs:CreateQueue"))
    queue = {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": new("q")}}}
    stack, status = created(twin, session, queue)
    assert status == "CREATE_COMPLETE"
    cloudformation = twin.client("cloudformation", session)
    changed = {"Queue": {**queue["Queue"], "Properties": {**queue["Queue"]["Properties"], "DelaySeconds": 5}}}
    cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps({"Resources": changed}))
    assert settled(twin, stack).startswith("UPDATE_ROLLBACK")
    assert "sqs:SetQueueAttributes" in reasons(twin, stack)
    cloudformation.delete_stack(StackName=stack)
    assert settled(twin, stack) == "DELETE_FAILED"
    twin.client("iam").put_user_policy(
        UserName=who, PolicyName="more", PolicyDocument=document(allow("sqs:DeleteQueue"))
    )
    cloudformation.delete_stack(StackName=stack)
    assert settled(twin, stack) == "DELETE_COMPLETE"


def test_a_resource_passes_its_role_with_the_callers_permission(twin: TestTwin) -> None:
    passed = role(twin, {"Service": "states.amazonaws.com"})
    _, session = user(twin, STACKS, allow("states:*"))
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    machine = {
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"RoleArn": passed, "DefinitionString": json.dumps(definition)},
        }
    }
    stack, status = created(twin, session, machine)
    assert status == "ROLLBACK_COMPLETE"
    assert f"iam:PassRole on resource: {passed}" in reasons(twin, stack)


def test_a_malformed_document_fails_its_resource(twin: TestTwin) -> None:
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}
    odd = {"Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}}}
    stack, status = created(twin, twin.session(), odd)
    assert status == "ROLLBACK_COMPLETE"
    assert "Missing required field Principal" in reasons(twin, stack)


def test_a_stack_reads_what_its_caller_may_read(twin: TestTwin) -> None:
    secret, parameter, bucket = new("secret"), new("parameter"), new("templates")
    twin.client("secretsmanager").create_secret(Name=secret, SecretString="hidden")
    twin.client("ssm").put_parameter(Name=parameter, Value="hidden", Type="String")
    twin.client("s3").create_bucket(Bucket=bucket)
    twin.client("s3").put_object(
        Bucket=bucket, Key="t", Body=json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}})
    )
    _, session = user(twin, STACKS, allow("sns:*"))

    def topic(name: str) -> dict[str, Any]:
        return {"T": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": name}}}

    stack, status = created(twin, session, topic(f"{{{{resolve:secretsmanager:{secret}}}}}"))
    assert status == "ROLLBACK_COMPLETE"
    assert "secretsmanager:GetSecretValue" in reasons(twin, stack)
    stack, status = created(twin, session, topic(f"{{{{resolve:ssm:{parameter}}}}}"))
    assert "ssm:GetParameters" in reasons(twin, stack)
    cloudformation = twin.client("cloudformation", session)
    typed = {
        "Parameters": {"P": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": parameter}},
        "Resources": {"T": {"Type": "AWS::SNS::Topic"}},
    }
    told = message(cloudformation.create_stack, StackName=new("s"), TemplateBody=json.dumps(typed))
    assert "ssm:GetParameters" in told
    url = f"https://s3.amazonaws.com/{bucket}/t"
    told = message(cloudformation.create_stack, StackName=new("s"), TemplateURL=url)
    assert "s3:GetObject" in told
    service = role(
        twin, EVERYBODY, allow(["sns:*", "s3:GetObject", "ssm:GetParameters", "secretsmanager:GetSecretValue"])
    )
    _, passing = user(twin, STACKS, allow("iam:PassRole", service))
    _, status = created(twin, passing, topic(f"{{{{resolve:secretsmanager:{secret}}}}}"), RoleARN=service)
    assert status == "CREATE_COMPLETE"


SERVICES = {"states": "stepfunctions"}
# Permissions that no operation is called as.
_NO_OPERATION = {"budgets:ModifyBudget", "lambda:InvokeFunction", "s3:PutLifecycleConfiguration"}


@pytest.mark.parametrize("type_name", [*HANDLERS, "AWS::Glue::Job", "Custom::Anything"])
def test_each_type_needs_actions_that_exist(type_name: str) -> None:
    handler = handler_of(type_name)
    texts = [handler.create, handler.update, handler.delete, *handler.properties.values(), *handler.targets]
    for action in " ".join(texts).replace("|", " ").split():
        service, _, operation = action.partition(":")
        if action not in _NO_OPERATION and service != "s3":
            assert operation in service_model(SERVICES.get(service, service)).operation_names

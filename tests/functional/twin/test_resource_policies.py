"""The policy of every resource that can have one: evaluated for each request, or listed as recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.functional.twin.iam import ACCOUNT, REGION, allow, code, document, message, new, user

from trainworks.testing import TestTwin
from trainworks.twin import fidelity
from trainworks.twin.emulator.iam.policy_documents import OPERATIONS

DENIALS = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException")


@dataclass(frozen=True)
class Kind:
    """A kind of resource: how one is made, its policy is put, and one of its operations is called.

    `make` gives the ARN that statements name and what `put` and `call` take.
    """

    make: Callable[[Any, str], tuple[str, Any]]
    put: Callable[[Any, Any, str], Any]
    call: Callable[[Any, Any], Any]
    action: str
    client: str


def _queue(client: Any, name: str) -> tuple[str, Any]:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", client.create_queue(QueueName=name)["QueueUrl"]


def _topic(client: Any, name: str) -> tuple[str, Any]:
    arn = client.create_topic(Name=name)["TopicArn"]
    return arn, arn


def _key(client: Any, name: str) -> tuple[str, Any]:
    made = client.create_key(Description=name)["KeyMetadata"]
    return made["Arn"], made["KeyId"]


def _secret(client: Any, name: str) -> tuple[str, Any]:
    arn = client.create_secret(Name=name, SecretString="s")["ARN"]
    return arn, arn


def _repository(client: Any, name: str) -> tuple[str, Any]:
    return client.create_repository(repositoryName=name)["repository"]["repositoryArn"], name


def _bucket(client: Any, name: str) -> tuple[str, Any]:
    client.create_bucket(Bucket=name)
    return f"arn:aws:s3:::{name}", name


def _bus(client: Any, name: str) -> tuple[str, Any]:
    return client.create_event_bus(Name=name)["EventBusArn"], name


def _table(client: Any, name: str) -> tuple[str, Any]:
    made = client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]["TableArn"]
    return made, made


EVALUATED = {
    "sqs:SetQueueAttributes": Kind(
        _queue,
        lambda client, url, text: client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": text}),
        lambda client, url: client.send_message(QueueUrl=url, MessageBody="m"),
        "sqs:SendMessage",
        "sqs",
    ),
    "sns:SetTopicAttributes": Kind(
        _topic,
        lambda client, arn, text: client.set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=text
        ),
        lambda client, arn: client.publish(TopicArn=arn, Message="m"),
        "sns:Publish",
        "sns",
    ),
    "kms:PutKeyPolicy": Kind(
        _key,
        lambda client, key, text: client.put_key_policy(KeyId=key, PolicyName="default", Policy=text),
        lambda client, key: client.encrypt(KeyId=key, Plaintext=b"p"),
        "kms:Encrypt",
        "kms",
    ),
    "secretsmanager:PutResourcePolicy": Kind(
        _secret,
        lambda client, arn, text: client.put_resource_policy(SecretId=arn, ResourcePolicy=text),
        lambda client, arn: client.get_secret_value(SecretId=arn),
        "secretsmanager:GetSecretValue",
        "secretsmanager",
    ),
    "ecr:SetRepositoryPolicy": Kind(
        _repository,
        lambda client, name, text: client.set_repository_policy(repositoryName=name, policyText=text),
        lambda client, name: client.list_images(repositoryName=name),
        "ecr:ListImages",
        "ecr",
    ),
    "s3:PutBucketPolicy": Kind(
        _bucket,
        lambda client, name, text: client.put_bucket_policy(Bucket=name, Policy=text),
        lambda client, name: client.list_objects_v2(Bucket=name),
        "s3:ListBucket",
        "s3",
    ),
    "events:PutPermission": Kind(
        _bus,
        lambda client, name, text: client.put_permission(EventBusName=name, Policy=text),
        lambda client, name: client.put_events(
            Entries=[{"EventBusName": name, "Source": "s", "DetailType": "d", "Detail": "{}"}]
        ),
        "events:PutEvents",
        "events",
    ),
    "dynamodb:PutResourcePolicy": Kind(
        _table,
        lambda client, arn, text: client.put_resource_policy(ResourceArn=arn, Policy=text),
        lambda client, arn: client.get_item(TableName=arn.rsplit("/", 1)[-1], Key={"id": {"S": "1"}}),
        "dynamodb:GetItem",
        "dynamodb",
    ),
}
RECORDED = {
    "logs:PutResourcePolicy",
    "logs:PutDestinationPolicy",
    "logs:PutDeliveryDestinationPolicy",
    "ec2:CreateVpcEndpoint",
    "ec2:ModifyVpcEndpoint",
    "secretsmanager:ValidateResourcePolicy",
}
"""Stored and described, listed so on the fidelity page, or refused there."""
# Other operations that bring a document of a kind that is tried by the operation in `EVALUATED`.
SAME = {"sqs:CreateQueue", "sns:CreateTopic", "kms:CreateKey", "kms:ReplicateKey", "dynamodb:CreateTable"}


@pytest.mark.parametrize("operation", EVALUATED)
def test_a_resources_policy_gives_and_takes(twin: TestTwin, operation: str) -> None:
    kind = EVALUATED[operation]
    owner = twin.client(kind.client)
    arn, handle = kind.make(owner, new("own"))
    name, session = user(twin)
    who = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}
    root = {**allow(["kms:*"] if kind.client == "kms" else kind.action, arn), "Principal": {"AWS": ACCOUNT}}
    given = {**allow(kind.action, arn), "Principal": who}
    client = twin.client(kind.client, session)

    def called(*statements: dict[str, Any]) -> str:
        kind.put(owner, handle, document(*statements))
        return code(lambda: kind.call(client, handle))

    assert code(lambda: kind.call(client, handle)) in DENIALS
    assert called(root) in DENIALS
    assert called(root, given) == "OK"
    assert called(root, {**given, "Condition": {"Bool": {"aws:PrincipalIsAWSService": "true"}}}) in DENIALS
    twin.client("iam").put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(allow(kind.action)))
    assert called(root) == "OK"
    assert called(root, given, {**given, "Effect": "Deny"}) in DENIALS
    told = message(lambda: kind.call(client, handle))
    assert f"{kind.action} on resource: {arn}" in told
    assert told.endswith("with an explicit deny in a resource-based policy"), told


def test_every_operation_that_stores_a_resources_policy_is_looked_at() -> None:
    about_identities = {name for name in OPERATIONS if name.partition(":")[0] in ("iam", "sts")}
    assert set(OPERATIONS) - about_identities == {*EVALUATED, *RECORDED, *SAME}
    fidelities = {(each.service, each.operation): each for each in fidelity.table()}
    for name in RECORDED - {"secretsmanager:ValidateResourcePolicy"}:
        service, _, operation = name.partition(":")
        found = fidelities.get((service, operation))
        # What is not on the page is refused.
        assert found is None or found.fidelity == "recorded" or found.members["PolicyDocument"] == "refused"


def test_a_statement_of_a_bus_is_kept_as_a_policy_has_it(twin: TestTwin) -> None:
    events, name = twin.client("events"), new("bus")
    arn = events.create_event_bus(Name=name)["EventBusArn"]
    condition = {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1234567890"}
    given = {"EventBusName": name, "StatementId": "one", "Action": "events:PutEvents", "Principal": "111122223333"}
    for _ in range(2):
        events.put_permission(**given, Condition=condition)
    (statement,) = json.loads(events.describe_event_bus(Name=name)["Policy"])["Statement"]
    assert statement == {
        "Sid": "one",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
        "Action": "events:PutEvents",
        "Resource": arn,
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}},
    }
    assert code(events.put_permission, **{**given, "EventBusName": new("none")}) == "ResourceNotFoundException"
    assert code(events.put_permission, EventBusName=name, Principal="*") == "ValidationException"
    events.remove_permission(EventBusName=name, StatementId="one")
    assert "Policy" not in events.describe_event_bus(Name=name)

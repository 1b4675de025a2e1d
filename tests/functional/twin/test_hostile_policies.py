"""Policy documents that are no documents, at every door: refused in words of AWS, and nothing is stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError
from tests.functional.twin import iam as make

from trainworks.testing import TestTwin

ROOT = {"AWS": make.ACCOUNT}
Door = tuple[dict[str, Any], Callable[[str], Any], set[str]]


def hostile(good: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(what it is, document)"""
    whole = json.dumps({"Version": "2012-10-17", "Statement": good})

    def statement(more: str) -> str:
        return '{"Version": "2012-10-17", "Statement": ' + json.dumps(good)[:-1] + ", " + more + "}}"

    yield "no JSON", "{"
    yield "too long", whole + " " * 140_000
    yield "too long to read", "[" * 140_000
    yield "deep", "[" * 1_500 + "]" * 1_500
    yield "a deep condition", statement('"Condition": ' + '{"a":' * 1_500 + "1" + "}" * 1_500)
    yield "a number of many digits", statement('"Condition": {"NumericEquals": {"aws:x": ' + "9" * 5_000 + "}}")
    yield "no number", statement('"Condition": {"NumericEquals": {"aws:x": NaN}}')
    yield "an endless number", statement('"Condition": {"NumericEquals": {"aws:x": 1e999}}')
    yield "a member twice", statement('"Effect": "Allow"')
    yield "half a character", statement('"Condition": {"StringEquals": {"aws:x": "\\ud800"}}')
    yield "half a character as a name", statement('"\\udfff": 1')
    yield "control characters as a name", statement('"\\u0000\\u0001": 1')
    yield "a null", statement('"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": [null]}}')
    yield "null", statement('"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": null}}')
    yield "a long key", statement('"Condition": {"StringEquals": {"aws:' + "k" * 140_000 + '": "x"}}')
    yield "an object for an effect", statement('"Sid": {"a": ["b"]}')
    yield "a text", '"Allow"'
    yield "an empty object", "{}"
    yield "a null for a statement", '{"Version": "2012-10-17", "Statement": [null]}'


@pytest.fixture(scope="module")
def doors(twin: TestTwin) -> dict[str, Door]:
    """By name: a good statement, the call that stores a document, the codes that refuse one."""
    once = Config(retries={"total_max_attempts": 1})

    def client(name: str) -> Any:
        # As a client that checks nothing: the documents get there as they are.
        return twin.session().client(
            name, endpoint_url=twin.endpoint_url, config=once.merge(Config(parameter_validation=False))
        )

    iam, s3, sqs, sns, kms = (client(name) for name in ("iam", "s3", "sqs", "sns", "kms"))
    name, role = make.new("hostile"), make.new("role")
    iam.create_user(UserName=name)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=make.trusting(ROOT))
    s3.create_bucket(Bucket=name)
    queue, topic = sqs.create_queue(QueueName=name)["QueueUrl"], sns.create_topic(Name=name)["TopicArn"]
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    client("ecr").create_repository(repositoryName=name)
    secret = client("secretsmanager").create_secret(Name=name, SecretString="x")["ARN"]
    table = client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]["TableArn"]
    vpc = client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    cloudformation = client("cloudformation")

    def stack(document: str) -> None:
        policy = '{"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": ' + document + "}}"
        stack_name = make.new("hostile")
        body = '{"Resources": {"P": ' + policy + "}}"
        cloudformation.create_stack(StackName=stack_name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        try:
            waiter = cloudformation.get_waiter("stack_create_complete")
            waiter.wait(StackName=stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        except WaiterError:
            events = cloudformation.describe_stack_events(StackName=stack_name)["StackEvents"]
            said = [each["ResourceStatusReason"] for each in events if each["ResourceStatus"] == "CREATE_FAILED"]
            raise ClientError({"Error": {"Code": "Failed", "Message": said[-1]}}, "CreateStack") from None

    given = make.allow("s3:GetObject")
    of_resource = {"Principal": ROOT}
    session, ec2 = client("sts"), client("ec2")
    malformed = {"MalformedPolicyDocument", "ValidationError"}
    return {
        "user": (given, lambda d: iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=d), malformed),
        "managed": (given, lambda d: iam.create_policy(PolicyName=make.new("p"), PolicyDocument=d), malformed),
        "trust": (
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": ROOT},
            lambda d: iam.update_assume_role_policy(RoleName=role, PolicyDocument=d),
            malformed,
        ),
        "simulator": (
            given,
            lambda d: iam.simulate_custom_policy(PolicyInputList=[d], ActionNames=["s3:GetObject"]),
            {"InvalidInput", "ValidationError"},
        ),
        "session": (
            given,
            lambda d: session.get_federation_token(Name="abc", Policy=d),
            {"MalformedPolicyDocument", "PackedPolicyTooLarge", "ValidationError"},
        ),
        "bucket": (
            make.allow("s3:GetObject", f"arn:aws:s3:::{name}/*", **of_resource),
            lambda d: s3.put_bucket_policy(Bucket=name, Policy=d),
            {"MalformedPolicy"},
        ),
        "queue": (
            make.allow("sqs:SendMessage", **of_resource),
            lambda d: sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": d}),
            {"InvalidAttributeValue"},
        ),
        "topic": (
            make.allow("sns:Publish", **of_resource),
            lambda d: sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=d),
            {"InvalidParameter"},
        ),
        "bus": (
            make.allow("events:PutEvents", **of_resource),
            lambda d: client("events").put_permission(Policy=d),
            {"ValidationException"},
        ),
        "table": (
            make.allow("dynamodb:GetItem", **of_resource),
            lambda d: client("dynamodb").put_resource_policy(ResourceArn=table, Policy=d),
            {"ValidationException"},
        ),
        "key": (
            make.allow("kms:*", **of_resource),
            lambda d: kms.put_key_policy(KeyId=key, PolicyName="default", Policy=d),
            {"MalformedPolicyDocumentException", "LimitExceededException", "ValidationException"},
        ),
        "repository": (
            {"Effect": "Allow", "Action": "ecr:BatchGetImage", "Principal": ROOT},
            lambda d: client("ecr").set_repository_policy(repositoryName=name, policyText=d),
            {"InvalidParameterException"},
        ),
        "secret": (
            make.allow("secretsmanager:GetSecretValue", **of_resource),
            lambda d: client("secretsmanager").put_resource_policy(SecretId=secret, ResourcePolicy=d),
            {"MalformedPolicyDocumentException", "ValidationException"},
        ),
        "endpoint": (
            make.allow("s3:*", **of_resource),
            lambda d: ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", PolicyDocument=d),
            {"InvalidPolicyDocument"},
        ),
        "log group": (
            make.allow("logs:PutLogEvents", **of_resource),
            lambda d: client("logs").put_resource_policy(policyName="hostile", policyDocument=d),
            {"InvalidParameterException", "ValidationException"},
        ),
        "stack": (given, stack, {"ValidationError", "Failed"}),
    }  # fmt: skip


NAMES = [
    "user", "managed", "trust", "simulator", "session", "bucket", "queue", "topic", "bus", "table", "key",
    "repository", "secret", "endpoint", "log group", "stack",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_document_is_refused_in_words_of_aws(doors: dict[str, Door], name: str) -> None:
    good, store, codes = doors[name]
    store(json.dumps({"Version": "2012-10-17", "Statement": good}))
    for what, document in hostile(good):
        with pytest.raises(ClientError) as refused:
            store(document)
        error = refused.value.response["Error"]
        assert error["Code"] in codes, (what, error)
        assert error["Message"], what
    # What was stored before is there, and the next one is taken.
    store(json.dumps({"Version": "2012-10-17", "Statement": good}))


def test_the_policy_of_an_endpoint_is_described_as_it_was_given(twin: TestTwin) -> None:
    ec2 = twin.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    service = {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3"}
    policy = make.document(make.allow("s3:GetObject", Principal="*"))

    def described(endpoint: str) -> Any:
        (found,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"]
        return json.loads(found["PolicyDocument"])

    given = ec2.create_vpc_endpoint(**service, PolicyDocument=policy)["VpcEndpoint"]
    assert json.loads(given["PolicyDocument"]) == described(given["VpcEndpointId"]) == json.loads(policy)
    plain = ec2.create_vpc_endpoint(**service)["VpcEndpoint"]["VpcEndpointId"]
    assert described(plain)["Statement"][0]["Action"] == "*"
    ec2.modify_vpc_endpoint(VpcEndpointId=plain, PolicyDocument=policy)
    assert described(plain) == json.loads(policy)
    ec2.modify_vpc_endpoint(VpcEndpointId=plain, ResetPolicy=True)
    assert described(plain)["Statement"][0]["Action"] == "*"


def test_the_quotas_of_iam_hold_in_stacks_as_in_requests(twin: TestTwin) -> None:
    cloudformation, iam = twin.client("cloudformation"), twin.client("iam")
    trust = json.loads(make.trusting({"Service": "lambda.amazonaws.com"}))

    def policy(size: int) -> dict[str, Any]:
        return {**json.loads(make.document({**make.allow("s3:GetObject"), "Sid": "x" * size}))}

    def inline(*sizes: int) -> list[dict[str, Any]]:
        return [{"PolicyName": f"p{number}", "PolicyDocument": policy(size)} for number, size in enumerate(sizes)]

    def why(kind: str, properties: dict[str, Any]) -> str:
        name = make.new("quota")
        body = json.dumps({"Resources": {"It": {"Type": kind, "Properties": properties}}})
        cloudformation.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        try:
            waiter = cloudformation.get_waiter("stack_create_complete")
            waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        except WaiterError:
            events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            return str([each["ResourceStatusReason"] for each in events if each["ResourceStatus"] == "CREATE_FAILED"])
        return ""

    role = {"AssumeRolePolicyDocument": trust}
    assert why("AWS::IAM::Role", {**role, "Policies": inline(4_000, 4_000)}) == ""
    assert "10240 bytes exceeded for role" in why("AWS::IAM::Role", {**role, "Policies": inline(6_000, 6_000)})
    assert "quota for PolicySize: 6144" in why("AWS::IAM::ManagedPolicy", {"PolicyDocument": policy(6_200)})
    name = make.new("role")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="first", PolicyDocument=json.dumps(policy(6_000)))
    more = {"PolicyName": "more", "PolicyDocument": policy(6_000), "Roles": [name]}
    assert "10240 bytes exceeded for role" in why("AWS::IAM::Policy", more)
    given = {"RoleName": name, "PolicyName": "more", "PolicyDocument": json.dumps(policy(6_000))}
    assert make.code(iam.put_role_policy, **given) == "LimitExceeded"

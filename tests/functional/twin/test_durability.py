"""What was acknowledged survives `kill -9`, at whatever moment it comes."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.patience import PATIENCE_SECONDS, until

from trainworks.testing import TestTwin

ROUNDS = 3
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def nested_template(queues: int) -> str:
    resources = {f"Queue{number}": {"Type": "AWS::SQS::Queue"} for number in range(queues)}
    resources["Role"] = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
    # In a database of its own.
    group = {"LogGroupName": {"Fn::Sub": "${AWS::StackName}"}}
    resources["Group"] = {"Type": "AWS::Logs::LogGroup", "Properties": group}
    return json.dumps({"Resources": resources, "Outputs": {"Queue": {"Value": {"Ref": "Queue0"}}}})


class Writer:
    """Repeats one kind of write as fast as it can, and remembers what was acknowledged."""

    def __init__(self, twin: TestTwin, kind: str) -> None:
        self.kind = kind
        self.acknowledged: list[str] = []
        self._call: Callable[[str], Any] = getattr(self, f"_put_{kind}")
        service = {
            "log": "logs",
            "role": "iam",
            "message": "sqs",
            "object": "s3",
            "parameter": "ssm",
            "item": "dynamodb",
            "config": "sagemaker",
        }
        self._client = twin.client(service[kind])
        self._number = 0

    def run(self, over: threading.Event) -> None:
        while not over.is_set():
            self._number += 1
            name = f"{self.kind}-{self._number}"
            with suppress(BotoCoreError, ClientError):
                self._call(name)
                self.acknowledged.append(name)

    def _put_log(self, name: str) -> None:
        event = {"timestamp": int(time.time() * 1000), "message": name}
        self._client.put_log_events(logGroupName="group", logStreamName="stream", logEvents=[event])

    def _put_role(self, name: str) -> None:
        self._client.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))

    def _put_message(self, name: str) -> None:
        self._client.send_message(QueueUrl=self._client.get_queue_url(QueueName="queue")["QueueUrl"], MessageBody=name)

    def _put_object(self, name: str) -> None:
        self._client.put_object(Bucket="bucket", Key=name, Body=name.encode())

    def _put_parameter(self, name: str) -> None:
        self._client.put_parameter(Name=name, Value=name, Type="String")

    def _put_item(self, name: str) -> None:
        self._client.put_item(TableName="table", Item={"id": {"S": name}})

    def _put_config(self, name: str) -> None:
        tags = [{"Key": "name", "Value": name}]
        self._client.create_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=name, Tags=tags)


def found(twin: TestTwin, kind: str) -> set[str]:
    """Everything of one kind that the twin has."""
    if kind in NAMES_OF:
        return set(NAMES_OF[kind](twin))
    if kind == "role":
        pages = twin.client("iam").get_paginator("list_roles").paginate()
        return {role["RoleName"] for page in pages for role in page["Roles"]}
    if kind == "object":
        pages = twin.client("s3").get_paginator("list_objects_v2").paginate(Bucket="bucket")
        return {each["Key"] for page in pages for each in page.get("Contents", [])}
    if kind == "parameter":
        pages = twin.client("ssm").get_paginator("describe_parameters").paginate()
        return {each["Name"] for page in pages for each in page["Parameters"]}
    pages = twin.client("dynamodb").get_paginator("scan").paginate(TableName="table")
    return {item["id"]["S"] for page in pages for item in page["Items"]}


def tagged_configs(twin: TestTwin) -> Iterator[str]:
    """The names of lifecycle configurations, by their tags."""
    sagemaker = twin.client("sagemaker")
    for page in sagemaker.get_paginator("list_notebook_instance_lifecycle_configs").paginate():
        for each in page["NotebookInstanceLifecycleConfigs"]:
            [tag] = sagemaker.list_tags(ResourceArn=each["NotebookInstanceLifecycleConfigArn"])["Tags"]
            yield tag["Value"]


def logged(twin: TestTwin) -> Iterator[str]:
    pages = twin.client("logs").get_paginator("filter_log_events").paginate(logGroupName="group")
    for page in pages:
        yield from (event["message"] for event in page["events"])


def messages(twin: TestTwin) -> Iterator[str]:
    sqs = twin.client("sqs")
    url = sqs.get_queue_url(QueueName="queue")["QueueUrl"]
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=300).get("Messages"):
        yield from (message["Body"] for message in batch)


NAMES_OF = {"log": logged, "message": messages, "config": tagged_configs}


def prepare(twin: TestTwin) -> None:
    logs = twin.client("logs")
    logs.create_log_group(logGroupName="group")
    logs.create_log_stream(logGroupName="group", logStreamName="stream")
    twin.client("sqs").create_queue(QueueName="queue")
    twin.client("s3").create_bucket(Bucket="bucket")
    twin.client("dynamodb").create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_by_kills_at_random(own_twin: TestTwin) -> None:
    prepare(own_twin)
    chance = random.Random(7)
    writers = [Writer(own_twin, kind) for kind in ("log", "role", "message", "object", "parameter", "item", "config")]
    for _ in range(ROUNDS):
        over = threading.Event()
        threads = [threading.Thread(target=writer.run, args=(over,)) for writer in writers]
        for thread in threads:
            thread.start()
        wanted = [(writer, len(writer.acknowledged) + chance.randrange(1, 6)) for writer in writers]
        until(lambda wanted=wanted: all(len(writer.acknowledged) >= count for writer, count in wanted), "answers")
        own_twin.kill()
        over.set()
        for thread in threads:
            thread.join()
        own_twin.start()
    for writer in writers:
        assert writer.acknowledged, writer.kind
        assert set(writer.acknowledged) - found(own_twin, writer.kind) == set(), writer.kind


def wait_for_rest(twin: TestTwin, stack_name: str) -> str:
    """The status in which a stack comes to rest; "" when it does not exist."""
    cloudformation = twin.client("cloudformation")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            status = str(cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]["StackStatus"])
        except ClientError:
            return ""
        if not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(0.01)
    raise AssertionError(f"{stack_name} stays {status}")


def parent_template(twin: TestTwin, key: str) -> str:
    url = f"https://s3.us-east-1.amazonaws.com/templates/{key}"
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    topic = {"Type": "AWS::SNS::Topic"}
    return json.dumps({"Resources": {"First": nested, "Second": {**nested, "DependsOn": "First"}, "Topic": topic}})


@pytest.mark.slow
def test_an_interrupted_stack_comes_to_rest_and_leaves_nothing_behind(own_twin: TestTwin) -> None:
    s3, cloudformation = own_twin.client("s3"), own_twin.client("cloudformation")
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="few.json", Body=nested_template(2))
    s3.put_object(Bucket="templates", Key="many.json", Body=nested_template(30))
    few, many = parent_template(own_twin, "few.json"), parent_template(own_twin, "many.json")
    chance = random.Random(11)
    for round_number in range(3):
        name = f"stack-{round_number}"
        if round_number % 2:
            cloudformation.create_stack(StackName=name, TemplateBody=few, Capabilities=["CAPABILITY_IAM"])
            assert wait_for_rest(own_twin, name) == "CREATE_COMPLETE"
            cloudformation.update_stack(StackName=name, TemplateBody=many, Capabilities=["CAPABILITY_IAM"])
        else:
            cloudformation.create_stack(StackName=name, TemplateBody=many, Capabilities=["CAPABILITY_IAM"])
        time.sleep(chance.uniform(0, 0.15))
        own_twin.kill()
        own_twin.start()
        status = wait_for_rest(own_twin, name)
        assert status in {"CREATE_COMPLETE", "ROLLBACK_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}, status
        cloudformation.delete_stack(StackName=name)
        assert wait_for_rest(own_twin, name) == ""
        assert own_twin.client("sqs").list_queues().get("QueueUrls", []) == []
        assert own_twin.client("iam").list_roles()["Roles"] == []
        assert own_twin.client("logs").describe_log_groups()["logGroups"] == []


def queues_of(twin: TestTwin, stack_name: str) -> list[str]:
    """The queues that a stack says it has, each of which is there."""
    found = twin.client("cloudformation").describe_stack_resources(StackName=stack_name)["StackResources"]
    queues = [each["PhysicalResourceId"] for each in found if each["ResourceType"] == "AWS::SQS::Queue"]
    for url in queues:
        twin.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return sorted(queues)


@pytest.mark.slow
def test_what_is_killed_as_soon_as_it_was_acknowledged_is_known_for_what_it_was(own_twin: TestTwin) -> None:
    """An update is no creation that has to be taken back, and a deletion is carried out."""
    cloudformation = own_twin.client("cloudformation")
    template, larger = json.loads(nested_template(2)), json.loads(nested_template(12))
    asked: dict[str, Any] = {"StackName": "kept", "Capabilities": ["CAPABILITY_IAM"]}
    cloudformation.create_stack(**asked, TemplateBody=json.dumps(template))
    assert wait_for_rest(own_twin, "kept") == "CREATE_COMPLETE"
    before = queues_of(own_twin, "kept")
    for _ in range(3):
        cloudformation.update_stack(**asked, TemplateBody=json.dumps(larger))
        own_twin.kill()
        own_twin.start()
        status = wait_for_rest(own_twin, "kept")
        assert status in {"UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}
        assert len(queues_of(own_twin, "kept")) == (12 if status == "UPDATE_COMPLETE" else 2)
        if status == "UPDATE_COMPLETE":
            cloudformation.update_stack(**asked, TemplateBody=json.dumps(template))
            wait_for_rest(own_twin, "kept")
        assert queues_of(own_twin, "kept") == before

    # An update that failed and was left as it is, and is taken back by request.
    larger["Resources"]["Bad"] = {
        "Type": "AWS::Lambda::Function",
        "DependsOn": ["Queue11"],
        "Properties": {
            "Runtime": "python3.11", "Handler": "index.handler", "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"S3Bucket": "nobodys-bucket", "S3Key": "code.zip"},
        },
    }  # fmt: skip
    cloudformation.update_stack(**asked, TemplateBody=json.dumps(larger), DisableRollback=True)
    assert wait_for_rest(own_twin, "kept") == "UPDATE_FAILED"
    cloudformation.rollback_stack(StackName="kept")
    own_twin.kill()
    own_twin.start()
    assert wait_for_rest(own_twin, "kept") == "UPDATE_ROLLBACK_COMPLETE"
    assert queues_of(own_twin, "kept") == before

    cloudformation.delete_stack(StackName="kept")
    own_twin.kill()
    own_twin.start()
    assert wait_for_rest(own_twin, "kept") == ""
    assert own_twin.client("sqs").list_queues().get("QueueUrls", []) == []


# Tells of its first deletion and waits then, so that the server can be killed in the middle of it.
TELLING = """import boto3, cfnresponse, time
def handler(event, context):
    number = event["ResourceProperties"].get("Number", "")
    if event["RequestType"] == "Delete":
        ssm = boto3.client("ssm")
        try:
            ssm.put_parameter(Name="/deleting", Value=event["PhysicalResourceId"], Type="String")
        except ssm.exceptions.ParameterAlreadyExists:
            pass
        else:
            time.sleep(600)
    cfnresponse.send(event, context, cfnresponse.SUCCESS, {}, "thing-" + number)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_an_update_that_has_begun_to_clean_up_goes_on_with_it(own_twin: TestTwin, how: str) -> None:
    allowed = {"Statement": [{"Effect": "Allow", "Action": ["ssm:*", "logs:*"], "Resource": "*"}]}
    policy = {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", **allowed}}
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    role = {"AssumeRolePolicyDocument": document, "Policies": [policy]}
    code = {
        "Runtime": "python3.11", "Handler": "index.handler", "Code": {"ZipFile": TELLING}, "Timeout": 900,
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
    }  # fmt: skip
    thing = {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "Number": "1"}
    resources: dict[str, Any] = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": code},
        "Thing": {"Type": "Custom::Thing", "Properties": thing},
        "Topic": {"Type": "AWS::SNS::Topic"},
    }
    cloudformation, ssm = own_twin.client("cloudformation"), own_twin.client("ssm")
    asked: dict[str, Any] = {"StackName": "s", "Capabilities": ["CAPABILITY_IAM"]}
    cloudformation.create_stack(**asked, TemplateBody=json.dumps({"Resources": resources}))
    assert wait_for_rest(own_twin, "s") == "CREATE_COMPLETE"
    if how == "removed":
        del resources["Thing"], resources["Topic"]
    else:
        thing["Number"] = "2"
    cloudformation.update_stack(**asked, TemplateBody=json.dumps({"Resources": resources}))
    told = until(lambda: ssm.get_parameters(Names=["/deleting"])["Parameters"], "the deletion")
    assert told[0]["Value"] == "thing-1"
    own_twin.kill()
    own_twin.start()
    assert wait_for_rest(own_twin, "s") == "UPDATE_COMPLETE"
    left = cloudformation.describe_stack_resources(StackName="s")["StackResources"]
    found = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in left}
    assert set(found) == set(resources)
    assert how == "removed" or found["Thing"] == "thing-2"


def test_role_sessions_and_the_port_stay_over_a_restart(own_twin: TestTwin) -> None:
    iam = own_twin.client("iam")
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    iam.create_role(RoleName="role", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", **trust}))
    assumed = own_twin.client("sts").assume_role(
        RoleArn="arn:aws:iam::000000000000:role/role", RoleSessionName="session"
    )["Credentials"]
    own_twin.kill()
    own_twin.start()
    session = own_twin.session(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])
    assert own_twin.client("sts", session).get_caller_identity()["Arn"].endswith(":assumed-role/role/session")
    assert iam.get_role(RoleName="role")["Role"]["RoleName"] == "role"

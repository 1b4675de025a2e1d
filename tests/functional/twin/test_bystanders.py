"""One caller's value that cannot be stored fails at most that caller's own call, now and after a restart."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.patience import PATIENCE_SECONDS

from trainworks.testing import TestTwin

HALF = "\ud800"
"""Half of a character: valid in JSON, no valid text."""
ODD_TEXTS = (HALF, "\x00", "\ufffe", "'; DROP TABLE emulator_rows; --")
DEEP: Any = functools.reduce(lambda inner, _: {"L": [inner]}, range(400), {"S": "x"})
NUMBERS = (float("nan"), float("inf"), -float("inf"), 1e400, 10**30)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)

Call = Callable[[Callable[[str], Any]], object]


def of_texts(make: Callable[..., object]) -> list[Call]:
    return [functools.partial(make, text=text) for text in ODD_TEXTS]


HOSTILE: dict[str, list[Call]] = {
    "dynamodb": [
        lambda client, item=item: client("dynamodb").put_item(TableName="table", Item={"id": {"S": "a"}, "v": item})
        for item in ({"N": "NaN"}, {"N": "1e999"}, {"S": HALF}, DEEP, {"B": b"\xff" * 1000}, {"NS": ["x"]})
    ],
    "logs": [
        *of_texts(lambda client, text: put_log(client, text, int(time.time() * 1000))),
        *(functools.partial(lambda client, at: put_log(client, "x", at), at=at) for at in (2**63, 10**30, -1, 0)),
    ],
    "metrics": [
        functools.partial(
            lambda client, value: client("cloudwatch").put_metric_data(
                Namespace="odd", MetricData=[{"MetricName": "m", "Value": value}]
            ),
            value=value,
        )
        for value in NUMBERS
    ],
    "ssm": of_texts(
        lambda client, text: client("ssm").put_parameter(Name="odd", Value=text, Type="String", Overwrite=True)
    ),
    "secrets": of_texts(
        lambda client, text: client("secretsmanager").create_secret(Name=named(text), SecretString=text)
    ),
    "sqs": of_texts(lambda client, text: client("sqs").create_queue(QueueName=named(text), tags={"k": text})),
    "events": [
        *of_texts(lambda client, text: put_event(client, json.dumps({"v": text}))),
        lambda client: put_event(client, '{"v": NaN}'),
        lambda client: put_event(client, '{"v": ' + "[" * 900 + "]" * 900 + "}"),
    ],
    "states": of_texts(
        lambda client, text: client("stepfunctions").create_state_machine(
            name=named(text), definition=json.dumps({"Comment": text}), roleArn="arn:aws:iam::000000000000:role/r"
        )
    ),
    "iam": of_texts(
        lambda client, text: client("iam").create_role(
            RoleName=named(text), AssumeRolePolicyDocument=TRUST, Description=text
        )
    ),
    "sns": of_texts(
        lambda client, text: client("sns").create_topic(Name=named(text), Tags=[{"Key": "k", "Value": text}])
    ),
    "s3": of_texts(lambda client, text: client("s3").put_bucket_policy(Bucket="odd", Policy=json.dumps({"v": text}))),
    "ecr": of_texts(
        lambda client, text: client("ecr").create_repository(
            repositoryName=named(text), tags=[{"Key": "k", "Value": text}]
        )
    ),
    "cloudformation": of_texts(
        lambda client, text: client("cloudformation").create_stack(
            StackName=named(text), TemplateBody=json.dumps({"Description": text, "Resources": {}})
        )
    ),
}


def named(text: str) -> str:
    return f"odd-{ODD_TEXTS.index(text)}"


def put_log(client: Callable[[str], Any], message: str, timestamp: int) -> object:
    event = {"timestamp": timestamp, "message": message}
    return client("logs").put_log_events(logGroupName="odd", logStreamName="s", logEvents=[event])


def put_event(client: Callable[[str], Any], detail: str) -> object:
    return client("events").put_events(Entries=[{"Source": "odd", "DetailType": "odd", "Detail": detail}])


@pytest.fixture
def prepared(own_twin: TestTwin) -> TestTwin:
    logs = own_twin.client("logs")
    logs.create_log_group(logGroupName="odd")
    logs.create_log_stream(logGroupName="odd", logStreamName="s")
    own_twin.client("s3").create_bucket(Bucket="odd")
    own_twin.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    own_twin.client("dynamodb").create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return own_twin


def test_odd_values_in_any_store_harm_nobody_else(prepared: TestTwin) -> None:
    def client(service: str) -> Any:
        return prepared.client(service, parameter_validation=False)

    queues = client("sqs")
    made = set()
    for store, calls in HOSTILE.items():
        for number, call in enumerate(calls):
            with suppress(ClientError, BotoCoreError, UnicodeEncodeError, RecursionError):  # its own call may fail
                call(client)
            name = f"bystander-{store}-{number}"
            queues.create_queue(QueueName=name)
            made.add(name)
    client("logs").filter_log_events(logGroupName="odd")
    prepared.kill()
    prepared.start()
    pages = prepared.client("sqs").get_paginator("list_queues").paginate(QueueNamePrefix="bystander-")
    assert {url.rpartition("/")[2] for page in pages for url in page["QueueUrls"]} == made


def machine(twin: TestTwin, name: str, states: dict[str, Any]) -> str:
    iam = twin.client("iam")
    role = iam.create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    allow = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName=f"{name}-role", PolicyName="send", PolicyDocument=policy)
    definition = json.dumps({"StartAt": next(iter(states)), "States": states})
    made = twin.client("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=role)
    return str(made["stateMachineArn"])


def test_a_task_token_is_answered_once_and_is_gone_after_a_restart(own_twin: TestTwin) -> None:
    url = own_twin.client("sqs").create_queue(QueueName="tokens")["QueueUrl"]
    wait = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": url, "MessageBody.$": "$$.Task.Token"},
        "End": True,
    }
    arn = machine(own_twin, "callback", {"Wait": wait})
    first, token = start(own_twin, arn, url)
    own_twin.client("stepfunctions").send_task_success(taskToken=token, output='{"answer": 42}')
    assert ended(own_twin, first)["status"] == "SUCCEEDED"
    assert json.loads(ended(own_twin, first)["output"]) == {"answer": 42}
    second, token = start(own_twin, arn, url)
    own_twin.kill()
    own_twin.start()
    states = own_twin.client("stepfunctions")
    assert ended(own_twin, first)["status"] == "SUCCEEDED"
    found = ended(own_twin, second)
    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    assert "restarted" in found["cause"]
    with pytest.raises(states.exceptions.TaskDoesNotExist):
        states.send_task_success(taskToken=token, output="{}")


def start(twin: TestTwin, arn: str, url: str) -> tuple[str, str]:
    """Start an execution; its ARN and the token that it waits for."""
    execution = twin.client("stepfunctions").start_execution(stateMachineArn=arn)["executionArn"]
    sqs = twin.client("sqs")
    message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return execution, message["Body"]


def ended(twin: TestTwin, execution: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found: dict[str, Any] = twin.client("stepfunctions").describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.05)
    raise AssertionError(f"{execution} still runs")

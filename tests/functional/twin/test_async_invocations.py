"""An event that Lambda took in runs, over any kill, and what came of it reaches its destination as the role may."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.functional.twin.test_events import eventually, queue, subscribed_topic
from tests.functional.twin.test_functions import TRUST, archive

from trainworks.testing import TestTwin

SOURCE = """
def handler(event, context):
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError("as asked")
    return {"got": event}
"""
KEEPS = """
import boto3
def handler(event, context):
    boto3.client("dynamodb").put_item(TableName="kept", Item={"id": {"S": event["id"]}})
"""
FLAKY = """
import boto3
from botocore.exceptions import ClientError
def handler(event, context):
    table = boto3.client("dynamodb")
    before = table.update_item(TableName="tries", Key={"id": {"S": "TABLE"}}, UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}}, ReturnValues="UPDATED_NEW")["Attributes"]["n"]["N"]
    if int(before) < 2:
        raise RuntimeError("the first time it fails")
"""


def role_of(twin: TestTwin, name: str, actions: list[str]) -> str:
    iam = twin.client("iam")
    arn = str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"])
    statement = {"Effect": "Allow", "Action": ["logs:*", *actions], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)
    return arn


def function(twin: TestTwin, name: str, role: str, source: str = SOURCE, **more: Any) -> str:
    answer = twin.client("lambda").create_function(
        FunctionName=name, Runtime="python3.11", Handler="index.handler", Role=role, Timeout=20,
        Code={"ZipFile": archive({"index.py": source})}, **more,
    )  # fmt: skip
    return str(answer["FunctionArn"])


def table(twin: TestTwin, name: str) -> Any:
    dynamodb = twin.client("dynamodb")
    dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    return dynamodb


def take(twin: TestTwin, url: str) -> Any:
    sqs = twin.client("sqs")
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages"))
    return message


def places(twin: TestTwin, name: str) -> dict[str, tuple[str, Callable[[], Any]]]:
    """(ARN, how to read what came there) of a destination of each kind."""
    direct_url, direct = queue(twin, f"{name}-sqs")
    topic_url, behind = queue(twin, f"{name}-sns")
    topic = subscribed_topic(twin, name, behind)
    bus_url, bus_queue = queue(twin, f"{name}-bus")
    events, s3 = twin.client("events"), twin.client("s3")
    bus = events.create_event_bus(Name=name)["EventBusArn"]
    events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["lambda"]}))
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "q", "Arn": bus_queue}])
    s3.create_bucket(Bucket=name)
    chain_url, chain_queue = queue(twin, f"{name}-lambda")
    chained = function(twin, f"{name}-next", role_of(twin, f"{name}-next", ["sqs:SendMessage"]), SOURCE)
    twin.client("lambda").put_function_event_invoke_config(
        FunctionName=chained, DestinationConfig={"OnSuccess": {"Destination": chain_queue}}
    )

    def in_bucket() -> Any:
        (found,) = eventually(lambda: s3.list_objects_v2(Bucket=name).get("Contents"))
        assert found["Key"].startswith(f"aws/lambda/async/{name}/")
        document = json.loads(s3.get_object(Bucket=name, Key=found["Key"])["Body"].read())
        s3.delete_object(Bucket=name, Key=found["Key"])
        return document

    return {
        "sqs": (direct, lambda: json.loads(take(twin, direct_url)["Body"])),
        "sns": (topic, lambda: json.loads(json.loads(take(twin, topic_url)["Body"])["Message"])),
        "events": (bus, lambda: json.loads(take(twin, bus_url)["Body"])["detail"]),
        "lambda": (chained, lambda: json.loads(take(twin, chain_url)["Body"])["requestPayload"]),
        "s3": (f"arn:aws:s3:::{name}", in_bucket),
    }


def test_every_kind_of_destination_is_told_how_an_event_ended(twin: TestTwin) -> None:
    name = "async-places"
    actions = ["sqs:SendMessage", "sns:Publish", "events:PutEvents", "lambda:InvokeFunction", "s3:PutObject"]
    arn = function(twin, name, role_of(twin, name, actions))
    functions = twin.client("lambda")
    for kind, (place, read) in places(twin, name).items():
        how = {"OnFailure": {"Destination": place}, **({} if kind == "s3" else {"OnSuccess": {"Destination": place}})}
        functions.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0, DestinationConfig=how)
        if kind != "s3":
            functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"kind": kind}))
            told = read()
            assert told["requestContext"]["condition"] == "Success", kind
            assert told["requestContext"]["functionArn"] == f"{arn}:$LATEST"
            assert told["responsePayload"] == {"got": {"kind": kind}}
        functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"fail": kind}))
        told = read()
        assert told["requestContext"]["condition"] == "RetriesExhausted", kind
        assert told["requestContext"]["approximateInvokeCount"] == 1
        assert told["requestPayload"] == {"fail": kind}
        assert told["responseContext"] == {
            "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
        }  # fmt: skip
        assert told["responsePayload"]["errorType"] == "ValueError"


def test_a_destination_that_the_role_may_not_reach_gets_nothing_and_is_counted(twin: TestTwin) -> None:
    name = "async-denied"
    url, arn = queue(twin, name)
    function(twin, name, role_of(twin, name, []), DeadLetterConfig={"TargetArn": arn})
    functions, cloudwatch = twin.client("lambda"), twin.client("cloudwatch")
    functions.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"fail": 1}')

    def counted(metric: str) -> bool:
        return bool(
            cloudwatch.get_metric_statistics(
                Namespace="AWS/Lambda", MetricName=metric, Dimensions=[{"Name": "FunctionName", "Value": name}],
                StartTime=time.time() - 600, EndTime=time.time() + 60, Period=60, Statistics=["Sum"],
            )["Datapoints"]
        )  # fmt: skip

    for metric in ("DestinationDeliveryFailures", "DeadLetterErrors", "Errors"):
        eventually(lambda metric=metric: counted(metric))
    assert "Messages" not in twin.client("sqs").receive_message(QueueUrl=url)


def test_a_function_without_concurrency_is_throttled_and_its_events_go_to_the_dead_letter_queue(twin: TestTwin) -> None:
    name = "async-throttled"
    url, arn = queue(twin, name)
    function(twin, name, role_of(twin, name, ["sqs:SendMessage"]), DeadLetterConfig={"TargetArn": arn})
    functions = twin.client("lambda")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(functions.exceptions.TooManyRequestsException, match="Rate Exceeded"):
        functions.invoke(FunctionName=name, Payload=b"{}")
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"id": 7}')
    message = take(twin, url)
    assert json.loads(message["Body"]) == {"id": 7}
    assert {"RequestID", "ErrorCode"} <= set(message["MessageAttributes"])


@pytest.mark.parametrize("sender", ["rule", "topic"])
def test_what_a_rule_or_a_topic_sends_is_tried_again(twin: TestTwin, sender: str) -> None:
    name = f"async-{sender}"
    dynamodb = table(twin, name)
    source = FLAKY.replace('"tries"', f'"{name}"').replace("TABLE", name)
    arn = function(twin, name, role_of(twin, name, ["dynamodb:*"]), source)
    twin.client("lambda").add_permission(
        FunctionName=name, StatementId="s", Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com" if sender == "rule" else "sns.amazonaws.com",
    )  # fmt: skip
    if sender == "rule":
        events = twin.client("events")
        events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
        events.put_targets(Rule=name, Targets=[{"Id": "f", "Arn": arn}])
        events.put_events(Entries=[{"Source": name, "DetailType": "d", "Detail": "{}"}])
    else:
        sns = twin.client("sns")
        topic = sns.create_topic(Name=name)["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
        sns.publish(TopicArn=topic, Message="m")

    def tried_twice() -> bool:
        item = dynamodb.get_item(TableName=name, Key={"id": {"S": name}}).get("Item")
        return bool(item) and item["n"]["N"] == "2"

    eventually(tried_twice)


def test_events_that_were_taken_in_outlive_the_server(own_twin: TestTwin) -> None:
    twin = own_twin
    dynamodb = table(twin, "kept")
    function(twin, "keeps", role_of(twin, "keeps", ["dynamodb:PutItem"]), KEEPS)
    functions = twin.client("lambda")
    for number in range(25):
        payload = json.dumps({"id": str(number)})
        assert functions.invoke(FunctionName="keeps", InvocationType="Event", Payload=payload)["StatusCode"] == 202
    twin.kill()
    twin.start()
    eventually(lambda: dynamodb.scan(TableName="kept")["Count"] == 25, seconds=30)


def test_an_event_that_is_too_big_is_refused(twin: TestTwin) -> None:
    name = "async-big"
    function(twin, name, role_of(twin, name, []))
    functions = twin.client("lambda")
    with pytest.raises(functions.exceptions.RequestTooLargeException, match="1048576"):
        functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps("x" * 1_100_000))

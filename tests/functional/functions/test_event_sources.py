"""Queues and streams of tables as event sources: batches, windows, partial failures, retries and what is given up."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.twin.test_functions import TRUST, archive
from tests.patience import until
from trainworks.testing import TestTwin

SOURCE = """
import boto3, json, os

def handler(event, context):
    records = event["Records"]
    streamed = "dynamodb" in records[0]
    names = [each["dynamodb"]["Keys"]["id"]["S"] if streamed else each["body"] for each in records]
    items = [each["dynamodb"]["SequenceNumber"] if streamed else each["messageId"] for each in records]
    note = json.dumps([names, context.invoked_function_arn])
    boto3.client("sqs").send_message(QueueUrl=os.environ["SEEN"], MessageBody=note)
    if any("fatal" in name for name in names):
        raise ValueError(names)
    failed = [item for name, item in zip(names, items) if "poison" in name]
    if "odd" in names[0]:
        failed = ["nobody"]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
"""


@pytest.fixture(scope="module")
def role(twin: TestTwin) -> str:
    iam, name = twin.client("iam"), "event-sources-role"
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    allowed = {"Effect": "Allow", "Action": ["logs:*", "sqs:*", "dynamodb:*", "s3:PutObject"], "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [allowed]}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    return str(arn)


def new_queue(twin: TestTwin, suffix: str = "", **attributes: str) -> tuple[str, str]:
    """(URL, ARN)."""
    sqs = twin.client("sqs")
    url = sqs.create_queue(QueueName=f"source-{secrets.token_hex(4)}{suffix}", Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


class Seen:
    """A function, and what it has seen: batches of names, in order."""

    def __init__(self, twin: TestTwin, role: str) -> None:
        self._twin = twin
        self._url, _ = new_queue(twin)
        self.name = f"source-{secrets.token_hex(4)}"
        twin.client("lambda").create_function(
            FunctionName=self.name, Runtime="python3.11", Handler="index.handler", Role=role, Timeout=60,
            Code={"ZipFile": archive({"index.py": SOURCE})}, Environment={"Variables": {"SEEN": self._url}},
        )  # fmt: skip
        self.batches: list[list[str]] = []
        self.arns: set[str] = set()

    def more(self) -> list[list[str]]:
        """All that it has seen so far."""
        sqs = self._twin.client("sqs")
        while found := sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for each in found:
                names, arn = json.loads(each["Body"])
                self.batches.append(names)
                self.arns.add(arn)
                sqs.delete_message(QueueUrl=self._url, ReceiptHandle=each["ReceiptHandle"])
        return self.batches

    def times(self, name: str) -> int:
        return sum(name in batch for batch in self.more())


@pytest.fixture
def seen(twin: TestTwin, role: str) -> Seen:
    return Seen(twin, role)


def mapped(twin: TestTwin, seen: Seen, source: str, **settings: Any) -> str:
    name = settings.pop("FunctionName", seen.name)
    made = twin.client("lambda").create_event_source_mapping(FunctionName=name, EventSourceArn=source, **settings)
    return str(made["UUID"])


def put(twin: TestTwin, url: str, *bodies: str) -> None:
    for start in range(0, len(bodies), 10):
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies[start : start + 10])]
        twin.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)


def left(twin: TestTwin, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = twin.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def test_what_a_function_reports_stays_in_the_queue_and_the_rest_is_gone(twin: TestTwin, seen: Seen) -> None:
    url, arn = new_queue(twin, VisibilityTimeout="900")
    functions = twin.client("lambda")
    functions.publish_version(FunctionName=seen.name)
    functions.create_alias(FunctionName=seen.name, Name="live", FunctionVersion="1")
    put(twin, url, "good 1", "poison", "good 2")
    mapped(twin, seen, arn, FunctionResponseTypes=["ReportBatchItemFailures"], FunctionName=f"{seen.name}:live")
    until(lambda: left(twin, url) == 1, "one message")
    assert seen.times("poison") == 1
    assert {arn.rpartition(":")[2] for arn in seen.arns} == {"live"}
    put(twin, url, "odd")  # its report names nobody, so all has failed
    until(lambda: seen.times("odd"), "the odd one")
    put(twin, url, "good 3")
    until(lambda: seen.times("good 3") and left(twin, url) == 2, "two messages that failed")


def test_a_batch_waits_for_its_window_and_may_be_larger_than_ten(twin: TestTwin, seen: Seen) -> None:
    url, arn = new_queue(twin, VisibilityTimeout="900")
    names = [f"message {number}" for number in range(25)]
    put(twin, url, *names)
    mapped(twin, seen, arn, BatchSize=25, MaximumBatchingWindowInSeconds=300)
    (batch,) = until(seen.more, "a full batch")
    assert sorted(batch) == sorted(names)
    put(twin, url, "one more")
    mapping = twin.client("lambda").list_event_source_mappings(FunctionName=seen.name)["EventSourceMappings"][0]
    assert left(twin, url) == 1
    twin.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], MaximumBatchingWindowInSeconds=1)
    until(lambda: seen.times("one more"), "the end of the window")


@pytest.mark.parametrize(
    ("suffix", "settings"),
    [
        ("", {"BatchSize": 11}),
        (".fifo", {"MaximumBatchingWindowInSeconds": 1}),
        (".fifo", {"BatchSize": 11}),
        ("", {"slow": True}),
    ],
)
def test_a_mapping_of_a_queue_that_lambda_refuses_is_refused(
    twin: TestTwin, seen: Seen, suffix: str, settings: dict[str, Any]
) -> None:
    attributes = {"VisibilityTimeout": "59" if "slow" in settings else "60"}
    _, arn = new_queue(twin, suffix, **attributes, **({"FifoQueue": "true"} if suffix else {}))
    with pytest.raises(ClientError, match="InvalidParameterValueException"):
        mapped(twin, seen, arn, **{key: value for key, value in settings.items() if key != "slow"})


def new_table(twin: TestTwin) -> tuple[str, str]:
    """(name, ARN of its stream)."""
    name = f"source-{secrets.token_hex(4)}"
    made = twin.client("dynamodb").create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )  # fmt: skip
    return name, made["TableDescription"]["LatestStreamArn"]


def write(twin: TestTwin, table: str, *names: str) -> None:
    for name in names:
        twin.client("dynamodb").put_item(TableName=table, Item={"id": {"S": name}})


def test_a_failing_batch_is_halved_until_the_record_is_found_and_given_up(twin: TestTwin, seen: Seen) -> None:
    lost, lost_arn = new_queue(twin)
    table, stream = new_table(twin)
    write(twin, table, "a", "b", "fatal", "c")
    mapped(
        twin, seen, stream, StartingPosition="TRIM_HORIZON", BisectBatchOnFunctionError=True, MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": lost_arn}},
    )  # fmt: skip
    until(lambda: seen.times("c") and ["c"] in seen.batches, "what is behind it")
    told = until(lambda: twin.client("sqs").receive_message(QueueUrl=lost).get("Messages"), "the record of it")
    record = json.loads(told[0]["Body"])
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["DDBStreamBatchInfo"]["batchSize"] == 1
    assert [batch for batch in seen.batches if "fatal" not in batch] == [["a", "b"], ["c"]]
    assert seen.batches.count(["fatal"]) == 2
    write(twin, table, "later")
    until(lambda: seen.times("later"), "what came after it")


def test_a_stream_goes_on_from_the_first_record_that_failed(twin: TestTwin, seen: Seen) -> None:
    table, stream = new_table(twin)
    write(twin, table, "a", "b", "poison", "c")
    mapped(
        twin, seen, stream, StartingPosition="TRIM_HORIZON", MaximumRetryAttempts=2,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )  # fmt: skip
    write(twin, table, "later")
    until(lambda: seen.times("later") and seen.times("poison") >= 3, "what comes after it")
    assert seen.times("a") == seen.times("b") == 1


def test_latest_begins_behind_what_is_there_and_filters_hold(twin: TestTwin, seen: Seen) -> None:
    table, stream = new_table(twin)
    write(twin, table, "before")
    pattern = json.dumps({"dynamodb": {"Keys": {"id": {"S": [{"prefix": "wanted"}]}}}})
    mapped(twin, seen, stream, StartingPosition="LATEST", FilterCriteria={"Filters": [{"Pattern": pattern}]})
    write(twin, table, "other", "wanted 1", "other", "wanted 2")
    until(lambda: seen.times("wanted 2"), "what is wanted")
    assert {name for batch in seen.batches for name in batch} == {"wanted 1", "wanted 2"}
    with pytest.raises(ClientError, match="startingPosition"):
        mapped(twin, seen, stream)

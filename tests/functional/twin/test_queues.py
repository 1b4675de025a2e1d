"""Queues hold what they were told: over a kill, over versions, and whoever sends to them and reads from them."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.functional.twin.iam import allow, document, new, role
from tests.patience import until

from trainworks.testing import TestTwin, temporary_twin

HOUR = 3600


@pytest.fixture(scope="module")
def mortal() -> Iterator[TestTwin]:
    """A twin that the tests of this module kill; they use names of their own in it."""
    with temporary_twin() as running:
        yield running


def make(twin: TestTwin, name: str, **attributes: str) -> tuple[str, str]:
    """(URL, ARN) of a new queue."""
    sqs = twin.client("sqs")
    fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    url = sqs.create_queue(QueueName=name, Attributes={**fifo, **attributes})["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def redriven(arn: str, receives: int) -> str:
    return json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": receives})


def send(twin: TestTwin, url: str, *bodies: str, group: str = "", **more: Any) -> None:
    for first in range(0, len(bodies), 10):
        entries = [
            {"Id": str(number), "MessageBody": body, **more}
            | ({"MessageGroupId": group, "MessageDeduplicationId": body} if group else {})
            for number, body in enumerate(bodies[first : first + 10])
        ]
        assert not twin.client("sqs").send_message_batch(QueueUrl=url, Entries=entries).get("Failed")


def receive(twin: TestTwin, url: str, most: int = 10, seconds: int = HOUR) -> list[dict[str, Any]]:
    answer = twin.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=most, VisibilityTimeout=seconds, MessageSystemAttributeNames=["All"]
    )
    found: list[dict[str, Any]] = answer.get("Messages", [])
    return found


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [each["Body"] for each in messages]


def all_of(twin: TestTwin, url: str) -> Iterator[dict[str, Any]]:
    while found := receive(twin, url):
        yield from found


def counts(twin: TestTwin, url: str) -> tuple[int, int, int]:
    """How many messages are visible, in flight, delayed."""
    names = ["", "NotVisible", "Delayed"]
    found = twin.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    visible, in_flight, delayed = (int(found[f"ApproximateNumberOfMessages{name}"]) for name in names)
    return visible, in_flight, delayed


def delete(twin: TestTwin, url: str, *messages: dict[str, Any]) -> None:
    for message in messages:
        twin.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def handles(*messages: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"], **more} for n, each in enumerate(messages)]


def stored(twin: TestTwin, prefix: str) -> int:
    with sqlite3.connect(twin.home.emulator_db) as connection:
        statement = "SELECT COUNT(*) FROM emulator_rows WHERE store LIKE ?"
        return int(connection.execute(statement, (f"{prefix}%",)).fetchone()[0])


def test_what_a_queue_was_told_survives_a_kill(mortal: TestTwin) -> None:
    twin, sqs, rows = mortal, mortal.client("sqs"), stored(mortal, "sqs.messages/")
    url, _ = make(twin, new("standard"))
    send(twin, url, *(f"m{number}" for number in range(30)))
    send(twin, url, "later", DelaySeconds=900)
    first = receive(twin, url)
    assert bodies(first) == [f"m{number}" for number in range(10)]
    delete(twin, url, first[0])
    assert len(sqs.delete_message_batch(QueueUrl=url, Entries=handles(*first[1:3]))["Successful"]) == 2
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first[3]["ReceiptHandle"], VisibilityTimeout=0)
    back = handles(*first[4:6], VisibilityTimeout=0)
    assert len(sqs.change_message_visibility_batch(QueueUrl=url, Entries=back)["Successful"]) == 2
    purged, _ = make(twin, new("purged"))
    send(twin, purged, *(f"p{number}" for number in range(20)))
    sqs.purge_queue(QueueUrl=purged)
    send(twin, purged, "after the purge")
    name = new("gone")
    gone, _ = make(twin, name)
    send(twin, gone, "with its queue")
    sqs.delete_queue(QueueUrl=gone)
    make(twin, name)
    twin.kill()
    twin.start()
    assert counts(twin, url) == (23, 4, 1)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first[6]["ReceiptHandle"], VisibilityTimeout=0)
    delete(twin, url, *first[7:])
    found = list(all_of(twin, url))
    assert bodies(found) == [f"m{number}" for number in range(3, 7)] + [f"m{number}" for number in range(10, 30)]
    received = [each["Attributes"]["ApproximateReceiveCount"] for each in found]
    assert received == ["2"] * 4 + ["1"] * 20
    assert bodies(list(all_of(twin, purged))) == ["after the purge"]
    assert receive(twin, gone) == []
    assert stored(twin, "sqs.messages/") - rows == 24 + 1 + 1  # one is delayed, one came after the purge


def test_a_fifo_queue_keeps_order_groups_and_ids_over_a_kill(mortal: TestTwin) -> None:
    twin = mortal
    url, _ = make(twin, new("ordered") + ".fifo")
    send(twin, url, *(f"a{number}" for number in range(12)), group="a")
    send(twin, url, "b0", "b1", group="b")
    (one, two) = receive(twin, url, 2)
    delete(twin, url, one)
    twin.kill()
    twin.start()
    send(twin, url, "a0", "a5", "b0", group="a")  # their ids were seen
    assert bodies(receive(twin, url)) == ["b0", "b1"]  # a1 is in flight, and closes its group
    delete(twin, url, two)
    found = list(all_of(twin, url))
    assert bodies(found) == [f"a{number}" for number in range(2, 12)]
    numbers = [int(each["Attributes"]["SequenceNumber"]) for each in found]
    assert numbers == sorted(numbers)
    send(twin, url, "c0", group="c")
    (last,) = receive(twin, url)
    assert int(last["Attributes"]["SequenceNumber"]) > numbers[-1] + 1


@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_what_is_received_too_often_moves_to_the_dead_letters(mortal: TestTwin, suffix: str) -> None:
    twin, group, rows = mortal, "g" if suffix else "", stored(mortal, "sqs.messages/")
    letters, arn = make(twin, new("letters") + suffix)
    url, source = make(twin, new("worked") + suffix, RedrivePolicy=redriven(arn, 2))
    send(twin, url, "bad0", "bad1", "bad2", group=group)
    for _ in range(2):
        assert bodies(receive(twin, url, seconds=0)) == ["bad0", "bad1", "bad2"]
    send(twin, url, "good", group=group)
    assert bodies(receive(twin, url)) == ["good"]
    twin.kill()
    twin.start()
    assert (counts(twin, url), counts(twin, letters)) == ((0, 1, 0), (3, 0, 0))
    found = receive(twin, letters)
    assert bodies(found) == ["bad0", "bad1", "bad2"]
    assert {each["Attributes"]["DeadLetterQueueSourceArn"] for each in found} == {source}
    assert stored(twin, "sqs.messages/") - rows == 4


def test_a_message_is_deleted_by_its_last_handle_as_often_as_one_likes(twin: TestTwin) -> None:
    url, _ = make(twin, new("queue"))
    other, _ = make(twin, new("other"))
    sqs = twin.client("sqs")
    send(twin, url, "m")
    (old,), (current,) = receive(twin, url, seconds=0), receive(twin, url)
    delete(twin, url, old)  # "otherwise, the request succeeds, but the message will not be deleted"
    assert counts(twin, url) == (0, 1, 0)
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle="none", VisibilityTimeout=5)
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        delete(twin, other, current)
    answer = sqs.delete_message_batch(QueueUrl=url, Entries=handles(old, current, {"ReceiptHandle": "none"}))
    assert [each["Id"] for each in answer["Successful"]] == ["0", "1"]
    assert [(each["Id"], each["Code"]) for each in answer["Failed"]] == [("2", "ReceiptHandleIsInvalid")]
    delete(twin, url, current)
    assert counts(twin, url) == (0, 0, 0)


def test_a_fifo_queue_deletes_nothing_that_another_may_have(twin: TestTwin) -> None:
    url, _ = make(twin, new("queue") + ".fifo")
    sqs = twin.client("sqs")
    send(twin, url, "m", group="g")
    (old,) = receive(twin, url, seconds=0)
    with pytest.raises(sqs.exceptions.ClientError, match="has expired"):
        delete(twin, url, old)
    (current,) = receive(twin, url)
    with pytest.raises(sqs.exceptions.ClientError, match="has expired"):
        delete(twin, url, old)
    for each in (current, current, old):
        delete(twin, url, each)
    assert counts(twin, url) == (0, 0, 0)


@pytest.mark.parametrize(
    ("operation", "name", "most"),
    [
        ("send_message", "DelaySeconds", 900),
        ("receive_message", "WaitTimeSeconds", 20),
        ("receive_message", "VisibilityTimeout", 43_200),
        ("change_message_visibility", "VisibilityTimeout", 43_200),
    ],
)
def test_seconds_are_refused_beyond_their_range(twin: TestTwin, operation: str, name: str, most: int) -> None:
    url, _ = make(twin, new("queue"))
    send(twin, url, "m")
    (received,) = receive(twin, url)
    more = {
        "send_message": {"MessageBody": "late"},
        "receive_message": {},
        "change_message_visibility": {"ReceiptHandle": received["ReceiptHandle"]},
    }
    call = getattr(twin.client("sqs"), operation)
    for seconds in (-1, most + 1):
        with pytest.raises(twin.client("sqs").exceptions.ClientError, match=f"Value {seconds} for parameter {name}"):
            call(QueueUrl=url, **more[operation], **{name: seconds})
    send(twin, url, "there")
    call(QueueUrl=url, **more[operation], **{name: most})


def test_an_entry_with_seconds_beyond_their_range_fails_alone(twin: TestTwin) -> None:
    url, _ = make(twin, new("queue"))
    sqs = twin.client("sqs")
    sent = [{"Id": str(number), "MessageBody": "m", "DelaySeconds": number * 901} for number in range(2)]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=sent)
    assert [each["Id"] for each in answer["Successful"]] == ["0"]
    assert [(each["Id"], each["Code"]) for each in answer["Failed"]] == [("1", "InvalidParameterValue")]
    (received,) = receive(twin, url)
    hidden = [entry | {"VisibilityTimeout": -1} for entry in handles(received)]
    answer = sqs.change_message_visibility_batch(QueueUrl=url, Entries=hidden)
    assert [(each["Id"], each["Code"]) for each in answer["Failed"]] == [("0", "InvalidParameterValue")]


@pytest.mark.parametrize("member", ["AttributeNames", "MessageSystemAttributeNames"])
def test_attributes_of_messages_are_asked_by_either_member(twin: TestTwin, member: str) -> None:
    """The first is of queues in the published model, and documented for messages."""
    url, _ = make(twin, new("queue"))
    sqs = twin.client("sqs")
    send(twin, url, "m")
    names = ["ApproximateReceiveCount", "SentTimestamp"]
    (found,) = sqs.receive_message(QueueUrl=url, **{member: names})["Messages"]
    assert sorted(found["Attributes"]) == names
    with pytest.raises(sqs.exceptions.ClientError, match="InvalidParameterValue"):
        sqs.receive_message(QueueUrl=url, **{member: ["NoSuchAttribute"]})
    with pytest.raises(sqs.exceptions.ClientError, match="InvalidParameterValue"):
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["SentTimestamp"])


def test_a_message_comes_when_its_time_has_come(twin: TestTwin) -> None:
    url, _ = make(twin, new("queue"))
    sqs = twin.client("sqs")
    send(twin, url, "delayed", DelaySeconds=1)
    assert bodies(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, VisibilityTimeout=1)["Messages"]) == ["delayed"]
    (again,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, AttributeNames=["All"])["Messages"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"


def test_what_a_mapping_filters_out_leaves_its_queue(twin: TestTwin) -> None:
    url, arn = make(twin, new("queue"), VisibilityTimeout="900")
    reads = allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], arn)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("main.py", "def run(event, context):\n    pass\n")
    name = new("function")
    functions = twin.client("lambda")
    functions.create_function(
        FunctionName=name, Role=role(twin, {"Service": "lambda.amazonaws.com"}, reads), Runtime="python3.11",
        Handler="main.run", Timeout=30, Code={"ZipFile": archive.getvalue()},
    )  # fmt: skip
    pattern = {"Filters": [{"Pattern": json.dumps({"body": {"kind": ["wanted"]}})}]}
    functions.create_event_source_mapping(EventSourceArn=arn, FunctionName=name, FilterCriteria=pattern)
    send(twin, url, *(json.dumps({"kind": kind}) for kind in ["other"] * 15))
    until(lambda: counts(twin, url) == (0, 0, 0), "an empty queue of what is filtered out")
    send(twin, url, json.dumps({"kind": "wanted"}))
    until(lambda: counts(twin, url) == (0, 0, 0), "an empty queue of what the function took")


def test_text_messages_are_rows_that_survive(mortal: TestTwin) -> None:
    before = stored(mortal, "sns.texts/")
    for _ in range(3):
        mortal.client("sns").publish(PhoneNumber="+15555550100", Message="hello")
    mortal.kill()
    mortal.start()
    mortal.client("sns").publish(PhoneNumber="+15555550100", Message="again")
    assert stored(mortal, "sns.texts/") - before == 4


def test_topics_rules_and_buckets_send_to_queues_that_survive(mortal: TestTwin) -> None:
    twin, rows = mortal, stored(mortal, "sqs.messages/")
    url, arn = make(twin, new("told"))
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    twin.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(everybody)})
    topic = twin.client("sns").create_topic(Name=new("topic"))["TopicArn"]
    twin.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    rule, bucket = new("rule"), new("told")
    twin.client("events").put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}))
    twin.client("events").put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
    twin.client("s3").create_bucket(Bucket=bucket)
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    twin.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)
    twin.client("sqs").purge_queue(QueueUrl=url)  # of the test that S3 sends
    twin.client("sns").publish(TopicArn=topic, Message="by the topic")
    entry = {"Source": rule, "DetailType": "by the rule", "Detail": "{}"}
    twin.client("events").put_events(Entries=[entry])
    twin.client("s3").put_object(Bucket=bucket, Key="by-the-bucket", Body=b"")
    until(lambda: counts(twin, url) == (3, 0, 0), "three messages")
    until(lambda: stored(twin, "sqs.messages/") - rows == 3, "three rows")
    twin.kill()
    twin.start()
    text = "".join(bodies(receive(twin, url)))
    assert all(word in text for word in ("by the topic", "by the rule", "by-the-bucket"))


def test_an_attempt_to_receive_is_made_again_over_a_kill(mortal: TestTwin) -> None:
    url, _ = make(mortal, f"{new('attempt')}.fifo")
    send(mortal, url, "one", "two", group="g")

    def attempt(name: str, most: int = 10, **more: Any) -> list[dict[str, Any]]:
        found = mortal.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=most, ReceiveRequestAttemptId=name, **{"VisibilityTimeout": HOUR, **more}
        )
        return list(found.get("Messages", []))

    first = attempt("a")
    assert bodies(first) == ["one", "two"]
    assert attempt("a", 1) == first
    mortal.kill()
    mortal.start()
    assert attempt("a") == first
    assert attempt("b") == []
    delete(mortal, url, first[0])
    assert attempt("a") == []  # one of them was changed
    sqs = mortal.client("sqs")
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first[1]["ReceiptHandle"], VisibilityTimeout=0)
    [again] = attempt("a")
    assert (again["Body"], again["ReceiptHandle"] != first[1]["ReceiptHandle"]) == ("two", True)
    with pytest.raises(ClientError, match="ReceiveRequestAttemptId is invalid"):
        attempt("no spaces")
    standard, _ = make(mortal, new("standard"))
    with pytest.raises(ClientError, match="not valid for this queue type"):
        sqs.receive_message(QueueUrl=standard, ReceiveRequestAttemptId="a")


def test_a_queue_is_purged_once_in_a_minute(mortal: TestTwin) -> None:
    url, _ = make(mortal, new("purged"))
    send(mortal, url, "one")
    mortal.client("sqs").purge_queue(QueueUrl=url)
    assert counts(mortal, url) == (0, 0, 0)
    mortal.kill()
    mortal.start()
    with pytest.raises(mortal.client("sqs").exceptions.PurgeQueueInProgress) as refused:
        mortal.client("sqs").purge_queue(QueueUrl=url)
    assert refused.value.response["Error"]["Code"] == "AWS.SimpleQueueService.PurgeQueueInProgress"


def test_a_long_poll_ends_with_its_queue(twin: TestTwin) -> None:
    name = new("deleted")
    url, _ = make(twin, name)
    sqs = twin.client("sqs")
    with ThreadPoolExecutor(1) as threads:
        poll = threads.submit(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20)
        twin.client("sqs").delete_queue(QueueUrl=url)
        make(twin, name)
        try:
            assert "Messages" not in poll.result()  # it came behind the deletion, to the new queue
        except sqs.exceptions.QueueDoesNotExist as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"MessageAttributes": {f"a{n}": {"DataType": "String", "StringValue": "x"} for n in range(11)}}, "exceeds"),
        ({"MessageAttributes": {"a..b": {"DataType": "String", "StringValue": "x"}}}, "name 'a..b' is invalid"),
        ({"MessageAttributes": {"a": {"DataType": "Text", "StringValue": "x"}}}, "invalid message attribute type"),
        ({"MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}}}, "not empty"),
        ({"MessageAttributes": {"a": {"DataType": "Number", "StringValue": "NaN"}}}, "to a number"),
        ({"MessageDeduplicationId": "x"}, "not valid for this queue type"),
        ({"MessageGroupId": "ü"}, "alphanumeric and punctuation"),
        ({"MessageAttributes": {"a": {"DataType": "String", "StringValue": "x" * (1 << 20)}}}, "shorter than 1048576"),
    ],
)
def test_what_no_message_has_is_refused(twin: TestTwin, members: dict[str, Any], words: str) -> None:
    url, _ = make(twin, new("refused"))
    sqs = twin.client("sqs", parameter_validation=False)
    with pytest.raises(ClientError, match=words):
        sqs.send_message(QueueUrl=url, MessageBody="x", **members)
    if "shorter" not in words:
        entries = [{"Id": "bad", "MessageBody": "x", **members}, {"Id": "good", "MessageBody": "x"}]
        answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
        assert ([each["Id"] for each in answer["Failed"]], len(answer["Successful"])) == (["bad"], 1)


def test_a_batch_has_room_for_a_mebibyte_attributes_included(twin: TestTwin) -> None:
    url, _ = make(twin, new("batch"))
    attribute = {"a": {"DataType": "String", "StringValue": "x" * 100}}
    half = (1 << 19) - 107
    entries = [{"Id": str(n), "MessageBody": "x" * half, "MessageAttributes": attribute} for n in range(2)]
    assert len(twin.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 2
    entries[0]["MessageBody"] = "x" * (half + 1)
    with pytest.raises(twin.client("sqs").exceptions.BatchRequestTooLong, match="1048577"):
        twin.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)


def test_dead_letters_come_from_whom_their_queue_lets(twin: TestTwin) -> None:
    sqs, source = twin.client("sqs"), new("source")
    dead, dead_arn = make(twin, new("dead"))
    url, arn = make(twin, source)

    def redrive() -> None:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": redriven(dead_arn, 2)})

    for policy in ({"redrivePermission": "denyAll"}, {"redrivePermission": "byQueue", "sourceQueueArns": [dead_arn]}):
        sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps(policy)})
        with pytest.raises(ClientError, match="RedriveAllowPolicy of the dead-letter queue"):
            redrive()
    allowed = {"redrivePermission": "byQueue", "sourceQueueArns": [arn]}
    sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps(allowed)})
    redrive()
    for wrong in ("{", "[]", '{"redrivePermission": "byQueue"}', '{"redrivePermission": "nobody"}'):
        with pytest.raises(ClientError, match="RedriveAllowPolicy"):
            sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": wrong})
    with pytest.raises(ClientError, match="same type of queue"):
        make(twin, f"{new('fifo')}.fifo", RedrivePolicy=redriven(dead_arn, 2))


@pytest.mark.parametrize("name", ["'\"<>&", "a b", "ü", "x" * 257, "a.b", "</TopicArn>", ".fifo"])
def test_what_no_topic_is_called_is_refused(twin: TestTwin, name: str) -> None:
    with pytest.raises(ClientError, match="Topic Name") as refused:
        twin.client("sns").create_topic(Name=name)
    assert refused.value.response["Error"]["Code"] == "InvalidParameter"

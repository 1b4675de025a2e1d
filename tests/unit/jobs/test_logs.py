"""Reading log streams by their tokens, against botocore's own stub of CloudWatch Logs."""

from dataclasses import replace

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from trainworks.jobs.logs import LogReader, LogStream, streams_with_prefix

STREAM = LogStream("group", "job/algo-1-17", "algo-1")


def stubbed() -> tuple[LogReader, Stubber]:
    session = boto3.Session("key", "secret", region_name="us-east-1")
    client = session.client("logs")
    return LogReader(client), Stubber(client)


def page(stub: Stubber, token: str | None, messages: list[tuple[int, str]], following: str) -> None:
    wanted = {"logGroupName": "group", "logStreamName": STREAM.name, "startFromHead": True}
    events = [{"timestamp": at, "message": message} for at, message in messages]
    response = {"events": events, "nextForwardToken": following, "nextBackwardToken": "b"}
    stub.add_response("get_log_events", response, {**wanted, "nextToken": token} if token else wanted)


def test_the_end_is_where_the_token_repeats_and_reading_goes_on_from_there() -> None:
    reader, stub = stubbed()
    page(stub, None, [(1000, "a\n")], "f/1")
    page(stub, "f/1", [(2000, "b")], "f/2")
    page(stub, "f/2", [], "f/2")
    page(stub, "f/2", [(3000, "c")], "f/3")
    page(stub, "f/3", [], "f/3")
    with stub:
        assert [line.message for line in reader.new_lines([STREAM])] == ["a", "b"]
        later = reader.new_lines([STREAM])
        stub.assert_no_pending_responses()
    assert [(line.timestamp, line.message, line.label) for line in later] == [(3.0, "c", "algo-1")]


@pytest.mark.parametrize(("tail", "shown"), [(0, []), (1, ["b"])])
def test_the_end_of_a_log_is_followed_by_what_is_new_and_by_nothing_older(tail: int, shown: list[str]) -> None:
    reader, stub = stubbed()
    reader.tail = tail
    asked = {"logGroupName": "group", "logStreamName": STREAM.name, "startFromHead": False, "limit": 1}
    end = {"events": [{"timestamp": 2000, "message": "b"}], "nextForwardToken": "f/2", "nextBackwardToken": "b/2"}
    stub.add_response("get_log_events", end, asked)
    page(stub, "f/2", [(3000, "c")], "f/3")
    page(stub, "f/3", [], "f/3")
    with stub:
        assert [line.message for line in reader.new_lines([STREAM])] == shown
        assert [line.message for line in reader.new_lines([STREAM])] == ["c"]
        stub.assert_no_pending_responses()


def test_an_endless_stream_does_not_hold_a_read_for_ever() -> None:
    reader, stub = stubbed()
    token = None
    for number in range(20):
        page(stub, token, [(number, "x")], f"f/{number}")
        token = f"f/{number}"
    with stub:
        assert len(reader.new_lines([STREAM])) == 20


def test_a_stream_that_has_ended_and_is_quiet_is_not_asked_for_ever() -> None:
    reader, stub = stubbed()
    ended = replace(STREAM, is_ended=True)
    page(stub, None, [(1000, "a")], "f/1")
    page(stub, "f/1", [], "f/1")
    for _ in range(3):
        page(stub, "f/1", [], "f/1")
    with stub:
        read = [len(reader.new_lines([ended])) for _ in range(9)]
        stub.assert_no_pending_responses()
    assert read == [1, *[0] * 8]


def test_a_stream_that_is_not_there_yet_is_empty() -> None:
    reader, stub = stubbed()
    stub.add_client_error("get_log_events", "ResourceNotFoundException", http_status_code=400)
    with stub:
        assert reader.new_lines([STREAM]) == []


def test_another_error_is_not_swallowed() -> None:
    reader, stub = stubbed()
    stub.add_client_error("get_log_events", "AccessDeniedException", http_status_code=400)
    with stub, pytest.raises(ClientError, match="AccessDenied"):
        reader.new_lines([STREAM])


def test_what_a_failed_call_had_found_comes_with_the_next() -> None:
    reader, stub = stubbed()
    page(stub, None, [(1000, "a")], "f/1")
    stub.add_client_error("get_log_events", "ServiceUnavailableException")
    page(stub, None, [(1000, "a")], "f/1")
    page(stub, "f/1", [(2000, "b")], "f/2")
    page(stub, "f/2", [], "f/2")
    with stub:
        with pytest.raises(ClientError, match="ServiceUnavailable"):
            reader.new_lines([STREAM])
        assert [line.message for line in reader.new_lines([STREAM])] == ["a", "b"]
        stub.assert_no_pending_responses()


def test_the_label_of_a_stream_is_its_instance() -> None:
    reader, stub = stubbed()
    streams = [{"logStreamName": "job/algo-2-1700000000"}, {"logStreamName": "job/algo-1-1700000000"}]
    stub.add_response(
        "describe_log_streams", {"logStreams": streams}, {"logGroupName": "group", "logStreamNamePrefix": "job/"}
    )
    with stub:
        found = streams_with_prefix(reader.client, "group", "job/")
    assert [stream.label for stream in found] == ["algo-2", "algo-1"]

"""Python calls more a digit than it reads as a number, and reads no number of thousands of digits: no fault of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from tests.functional.twin.iam import code, new

from trainworks.testing import TestTwin

NONE = "²"  # "²".isdigit(), and int("²") is an error
HUGE = "9" * 6000


def test_a_version_that_is_no_number_is_one_that_is_not_there(twin: TestTwin) -> None:
    ssm, name = twin.client("ssm"), new("parameter")
    ssm.put_parameter(Name=name, Value="v", Type="String")
    with pytest.raises(ssm.exceptions.ParameterVersionNotFound):
        ssm.get_parameter(Name=f"{name}:{NONE}")


def test_a_page_of_events_that_is_no_number_is_refused(twin: TestTwin) -> None:
    stacks, name = twin.client("cloudformation"), new("stack")
    stacks.create_stack(StackName=name, TemplateBody='{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}')
    with pytest.raises(stacks.exceptions.ClientError, match="ValidationError"):
        stacks.describe_stack_events(StackName=name, NextToken=f"DescribeStackEvents:{NONE}")


def test_a_page_of_activities_that_is_no_number_is_refused(twin: TestTwin) -> None:
    machines = twin.client("stepfunctions")
    with pytest.raises(machines.exceptions.InvalidToken):
        machines.list_activities(nextToken=NONE)


def test_a_handle_with_a_number_of_thousands_of_digits_is_refused_or_of_a_message_that_is_gone(twin: TestTwin) -> None:
    sqs = twin.client("sqs")
    url = sqs.create_queue(QueueName=new("queue") + ".fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="m", MessageGroupId="g", MessageDeduplicationId="m")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    mark = message["ReceiptHandle"].partition(".")[0]
    for number in (HUGE, NONE):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=f"{mark}.{number}.end")
    assert sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


@pytest.mark.parametrize("index", [NONE, HUGE])
def test_an_index_in_a_form_that_is_no_number_harms_nobody(twin: TestTwin, index: str) -> None:
    iam = twin.session().client("iam", endpoint_url=f"http://127.0.0.1:{twin.server.port}")

    def add(params: dict[str, Any], **_: Any) -> None:
        params["body"] |= {f"Tags.member.{index}.Key": "k", f"Tags.member.{index}.Value": "v"}

    iam.meta.events.register("before-call.iam.CreateUser", add)
    assert iam.create_user(UserName=new("user"))["User"]


@pytest.mark.parametrize(
    ("operation", "query", "headers", "expected"),
    [
        ("list_objects_v2", f"max-keys={HUGE}", {}, "InvalidArgument"),
        ("get_object", f"partNumber={HUGE}", {}, "InvalidArgument"),
        ("get_object", "", {"Range": f"bytes=0-{HUGE}"}, "OK"),
        ("get_object", "", {"Range": f"bytes=-{HUGE}"}, "OK"),
        ("get_object", "", {"Range": f"bytes={HUGE}-"}, "InvalidRange"),
        ("get_object_attributes", "", {"x-amz-max-parts": HUGE}, "InvalidArgument"),
        ("get_object_attributes", "", {"x-amz-max-parts": "a"}, "InvalidArgument"),
        ("get_object_attributes", "", {"x-amz-part-number-marker": "-1"}, "InvalidArgument"),
    ],
)
def test_a_number_in_a_request_to_s3_is_one_or_is_refused(  # noqa: PLR0917
    twin: TestTwin, parted: str, operation: str, query: str, headers: Mapping[str, str], expected: str
) -> None:
    s3 = twin.session().client("s3", endpoint_url=twin.endpoint_url)

    def add(request: Any, **_: Any) -> None:
        if query:
            request.url += f"{'&' if '?' in request.url else '?'}{query}"
        for name, value in headers.items():
            request.headers[name] = value

    s3.meta.events.register("before-sign.s3", add)
    given = {"list_objects_v2": {}, "get_object_attributes": {"Key": "k", "ObjectAttributes": ["ObjectParts"]}}
    assert code(getattr(s3, operation), Bucket=parted, **given.get(operation, {"Key": "k"})) == expected


@pytest.fixture(scope="module")
def parted(twin: TestTwin) -> str:
    """A bucket with an object of one part."""
    s3, name = twin.client("s3"), new("parted")
    s3.create_bucket(Bucket=name)
    upload = s3.create_multipart_upload(Bucket=name, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=name, Key="k", UploadId=upload, PartNumber=1, Body=b"body")
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    s3.complete_multipart_upload(Bucket=name, Key="k", UploadId=upload, MultipartUpload=parts)
    return name


@pytest.mark.parametrize("query", [f"limit {HUGE}", f"stats count(*) by bin({HUGE}d)"])
def test_a_query_of_logs_with_a_number_of_thousands_of_digits_harms_nobody(twin: TestTwin, query: str) -> None:
    logs, group = twin.client("logs"), new("group")
    logs.create_log_group(logGroupName=group)
    given = {"logGroupName": group, "startTime": 0, "endTime": 1, "queryString": query}
    assert code(logs.start_query, **given) in ("OK", "MalformedQueryException")

"""Python calls more a digit than it reads as a number, and reads no number of thousands of digits: no fault of ours."""

from __future__ import annotations

from typing import Any

import pytest
from tests.functional.twin.iam import new

from trainworks.testing import TestTwin

NONE = "²"  # "²".isdigit(), and int("²") is an error


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
    for number in ("9" * 6000, NONE):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=f"{mark}.{number}.end")
    assert sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


@pytest.mark.parametrize("index", [NONE, "9" * 6000])
def test_an_index_in_a_form_that_is_no_number_harms_nobody(twin: TestTwin, index: str) -> None:
    iam = twin.session().client("iam", endpoint_url=f"http://127.0.0.1:{twin.server.port}")

    def add(params: dict[str, Any], **_: Any) -> None:
        params["body"] |= {f"Tags.member.{index}.Key": "k", f"Tags.member.{index}.Value": "v"}

    iam.meta.events.register("before-call.iam.CreateUser", add)
    assert iam.create_user(UserName=new("user"))["User"]

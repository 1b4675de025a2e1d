"""What acts as a service acts as the role that it was given: tasks of machines, targets of rules and schedules."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from tests.functional.twin.iam import ACCOUNT, REGION, allow, document, message, new, role
from tests.patience import PATIENCE_SECONDS

from trainworks.testing import TestTwin

STATES = {"Service": "states.amazonaws.com"}


def run(twin: TestTwin, task: dict[str, Any], *statements: dict[str, Any]) -> dict[str, Any]:
    """The execution of a machine with one task, whose role has these statements."""
    states = twin.client("stepfunctions")
    definition = {"StartAt": "Task", "States": {"Task": {"Type": "Task", "End": True, **task}}}
    arn = states.create_state_machine(
        name=new("machine"), definition=json.dumps(definition), roleArn=role(twin, STATES, *statements)
    )["stateMachineArn"]
    execution, end = states.start_execution(stateMachineArn=arn)["executionArn"], time.monotonic() + PATIENCE_SECONDS
    while True:
        found: dict[str, Any] = states.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING" or time.monotonic() > end:
            return found
        time.sleep(0.05)


@pytest.mark.parametrize("kind", ["queue", "topic", "bus", "item", "nested", "function"])
def test_a_task_may_do_what_the_role_of_its_machine_may(twin: TestTwin, kind: str) -> None:
    queue = twin.client("sqs").create_queue(QueueName=new("q"))["QueueUrl"]
    topic = twin.client("sns").create_topic(Name=new("t"))["TopicArn"]
    table, entry = new("table"), {"Source": "mine", "DetailType": "x", "Detail": {}}
    tasks: dict[str, tuple[str, str, dict[str, Any]]] = {
        "queue": ("sqs:sendMessage", "sqs:SendMessage", {"QueueUrl": queue, "MessageBody": "1"}),
        "topic": ("sns:publish", "sns:Publish", {"TopicArn": topic, "Message": "1"}),
        "bus": ("events:putEvents", "events:PutEvents", {"Entries": [entry]}),
        "item": ("dynamodb:putItem", "dynamodb:PutItem", {"TableName": table, "Item": {"id": {"S": "1"}}}),
        "nested": (
            "states:startExecution",
            "states:StartExecution",
            {"StateMachineArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:none"},
        ),
        "function": ("lambda:invoke", "lambda:InvokeFunction", {"FunctionName": "no-such-function"}),
    }
    if kind == "item":
        twin.client("dynamodb").create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
    resource, action, parameters = tasks[kind]
    task = {"Resource": f"arn:aws:states:::{resource}", "Parameters": parameters}
    refused = run(twin, task)
    assert refused["status"] == "FAILED"
    assert f"is not authorized to perform: {action} on resource: " in refused["cause"]
    served = run(twin, task, allow(action))
    assert "not authorized" not in served.get("cause", "")
    assert served["status"] == "SUCCEEDED" or kind in ("nested", "function")


def received(twin: TestTwin, queue: str, seconds: float = PATIENCE_SECONDS) -> bool:
    answer = twin.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=0)
    end = time.monotonic() + seconds
    while not answer.get("Messages") and time.monotonic() < end:
        time.sleep(0.1)
        answer = twin.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=0)
    return bool(answer.get("Messages"))


def queue_of(twin: TestTwin) -> tuple[str, str]:
    name = new("q")
    return twin.client("sqs").create_queue(QueueName=name)["QueueUrl"], f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def test_a_rule_reaches_a_queue_by_the_queues_policy_or_by_its_role(twin: TestTwin) -> None:
    events, sqs = twin.client("events"), twin.client("sqs")
    source, name = new("source"), new("rule")
    rule = events.put_rule(Name=name, EventPattern=json.dumps({"source": [source]}))["RuleArn"]
    (closed, closed_arn), (open_, open_arn), (with_role, role_queue_arn) = (queue_of(twin) for _ in range(3))
    named = allow(
        "sqs:SendMessage",
        open_arn,
        Principal={"Service": "events.amazonaws.com"},
        Condition={"ArnEquals": {"aws:SourceArn": rule}},
    )
    sqs.set_queue_attributes(QueueUrl=open_, Attributes={"Policy": document(named)})
    sender = role(twin, {"Service": "events.amazonaws.com"}, allow("sqs:SendMessage", role_queue_arn))
    targets = [
        {"Id": "closed", "Arn": closed_arn},
        {"Id": "open", "Arn": open_arn},
        {"Id": "role", "Arn": role_queue_arn, "RoleArn": sender},
    ]
    assert events.put_targets(Rule=name, Targets=targets)["FailedEntryCount"] == 0
    events.put_events(Entries=[{"Source": source, "DetailType": "x", "Detail": "{}"}])
    assert received(twin, open_)
    assert received(twin, with_role)
    assert not received(twin, closed, 0.3)


def test_a_schedule_reaches_its_target_as_its_role(twin: TestTwin) -> None:
    scheduler = twin.client("scheduler")
    (open_, open_arn), (closed, closed_arn) = queue_of(twin), queue_of(twin)
    sender = role(twin, {"Service": "scheduler.amazonaws.com"}, allow("sqs:SendMessage", open_arn))
    make: Callable[[str], Any] = lambda arn: scheduler.create_schedule(  # noqa: E731
        Name=new("schedule"),
        ScheduleExpression=f"at({time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(time.time() + 1))})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": sender, "Input": "{}"},
    )
    made = [make(closed_arn), make(open_arn)]
    assert all(each["ScheduleArn"] for each in made)
    assert received(twin, open_, 30)
    assert not received(twin, closed, 0.3)


def test_a_function_reads_its_source_as_its_role(twin: TestTwin) -> None:
    functions, iam = twin.client("lambda"), twin.client("iam")
    (reading, reading_arn), (results, results_arn) = queue_of(twin), queue_of(twin)
    executor = role(twin, {"Service": "lambda.amazonaws.com"}, allow("sqs:SendMessage", results_arn))
    send = f"boto3.client('sqs').send_message(QueueUrl='{results}', MessageBody='1')"
    code = f"import boto3\ndef run(event, context):\n    {send}\n"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("main.py", code)
    name = new("function")
    functions.create_function(
        FunctionName=name,
        Role=executor,
        Runtime="python3.11",
        Handler="main.run",
        Timeout=30,
        Code={"ZipFile": archive.getvalue()},
    )
    given = {"EventSourceArn": reading_arn, "FunctionName": name}
    told = message(functions.create_event_source_mapping, **given)
    assert "execution role does not have permissions to call ReceiveMessage on SQS" in told
    policy = document(allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], reading_arn))
    iam.put_role_policy(RoleName=executor.rsplit("/", 1)[-1], PolicyName="read", PolicyDocument=policy)
    mapping = functions.create_event_source_mapping(**given)["UUID"]
    twin.client("sqs").send_message(QueueUrl=reading, MessageBody="1")
    assert received(twin, results, 30)
    iam.delete_role_policy(RoleName=executor.rsplit("/", 1)[-1], PolicyName="read")
    twin.client("sqs").send_message(QueueUrl=reading, MessageBody="2")
    assert not received(twin, results, 2)
    assert "PROBLEM" in functions.get_event_source_mapping(UUID=mapping)["LastProcessingResult"]

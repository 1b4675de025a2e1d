"""State machines: what is refused, what is the same execution, what the history has, and tasks that are jobs."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.functional.twin.iam import code
from tests.functional.twin.test_event_rules import batch_queue
from tests.functional.twin.test_events import eventually

from trainworks.testing import TestTwin

PASS = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
WAIT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 30, "End": True}}}


@pytest.fixture
def name() -> str:
    return f"m-{secrets.token_hex(4)}"


def role(twin: TestTwin, name: str, *actions: str) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = twin.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    allowed = {"Effect": "Allow", "Action": [*actions, "kms:ListAliases"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    twin.client("iam").put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return arn


def machine(twin: TestTwin, name: str, definition: Any, *actions: str) -> str:
    text, who = json.dumps(definition), role(twin, name, *actions)
    made = twin.client("stepfunctions").create_state_machine(name=name, definition=text, roleArn=who)
    return made["stateMachineArn"]


def ended(twin: TestTwin, execution: str) -> Any:
    describe = twin.client("stepfunctions").describe_execution
    return eventually(lambda: (it := describe(executionArn=execution))["status"] != "RUNNING" and it, 60)


def refused(call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**params)
    return str(error.value.response["Error"]["Code"])


def test_an_execution_is_started_once_under_a_name_and_input(twin: TestTwin, name: str) -> None:
    states = twin.client("stepfunctions")
    arn = machine(twin, name, WAIT)
    first = states.start_execution(stateMachineArn=arn, name="one", input='{"a": 1}')
    again = states.start_execution(stateMachineArn=arn, name="one", input='{"a": 1}')
    assert (first["executionArn"], first["startDate"]) == (again["executionArn"], again["startDate"])
    start = states.start_execution
    assert refused(start, stateMachineArn=arn, name="one", input="{}") == "ExecutionAlreadyExists"
    assert refused(start, stateMachineArn=arn, input="{") == "InvalidExecutionInput"
    assert refused(start, stateMachineArn=arn, name="a b") == "InvalidName"
    states.stop_execution(executionArn=first["executionArn"])
    assert refused(start, stateMachineArn=arn, name="one", input='{"a": 1}') == "ExecutionAlreadyExists"
    states.delete_state_machine(stateMachineArn=arn)
    states.delete_state_machine(stateMachineArn=arn)


def test_activities_come_in_pages(twin: TestTwin, name: str) -> None:
    states = twin.client("stepfunctions")
    for number in range(3):
        states.create_activity(name=f"{name}-{number}")
    found: list[str] = []
    pages = states.get_paginator("list_activities").paginate(PaginationConfig={"PageSize": 2})
    for page in pages:
        assert len(page["activities"]) <= 2
        found += [each["name"] for each in page["activities"]]
    assert {f"{name}-{number}" for number in range(3)} <= set(found)


def task(resource: str) -> Any:
    return {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "End": True}}}


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        ("{", "InvalidDefinition"),
        ("[]", "InvalidDefinition"),
        ({"StartAt": "A", "States": {}}, "InvalidDefinition"),
        ({"StartAt": "A", "States": {"B": {"Type": "Succeed"}}}, "InvalidDefinition"),
        ({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}, "InvalidDefinition"),
        ({"StartAt": "A", "States": {"A": {"Type": "Pass"}}}, "InvalidDefinition"),
        ({"StartAt": "A", "States": {"A": {"Type": "Nap", "End": True}}}, "InvalidDefinition"),
        (task("arn:aws:states:::ecs:runTask.sync"), "NotImplemented"),
        (task("arn:aws:states:::glue:startJobRun.sync"), "NotImplemented"),
        (task("arn:aws:states:::sqs:sendMessage.sync"), "NotImplemented"),
        ({"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": True,
          "Branches": [task("arn:aws:states:::emr:createCluster")]}}}, "NotImplemented"),
    ],
)  # fmt: skip
def test_a_definition_that_cannot_run_is_not_stored(twin: TestTwin, name: str, definition: Any, code: str) -> None:
    states = twin.client("stepfunctions")
    text = definition if isinstance(definition, str) else json.dumps(definition)
    arn = role(twin, name)
    assert refused(states.create_state_machine, name=name, definition=text, roleArn=arn) == code
    assert states.validate_state_machine_definition(definition=text)["result"] == "FAIL"


def test_a_good_definition_is_told_so_and_a_bad_name_is_refused(twin: TestTwin, name: str) -> None:
    states = twin.client("stepfunctions")
    text = json.dumps(PASS)
    assert states.validate_state_machine_definition(definition=text)["result"] == "OK"
    arn = role(twin, name)
    assert refused(states.create_state_machine, name="a/b", definition=text, roleArn=arn) == "InvalidName"


def test_branches_and_iterations_are_in_the_history(twin: TestTwin, name: str) -> None:
    branch = {"StartAt": "B", "States": {"B": {"Type": "Pass", "Next": "C"}, "C": {"Type": "Succeed"}}}
    each = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
    definition = {
        "StartAt": "Both",
        "States": {
            "Both": {"Type": "Parallel", "Branches": [branch, branch], "Next": "Each"},
            "Each": {"Type": "Map", "ItemProcessor": each, "End": True},
        },
    }
    states = twin.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=machine(twin, name, definition))["executionArn"]
    assert json.loads(ended(twin, execution)["output"]) == [{}, {}]
    events = states.get_execution_history(executionArn=execution)["events"]
    entered = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
    assert sorted(entered) == sorted(["Both", "B", "B", "C", "C", "Each", "I", "I"])
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert {"ParallelStateStarted", "ParallelStateSucceeded"} <= {event["type"] for event in events}


def submit(line: str, definition: str, job: str, **more: Any) -> Any:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::batch:submitJob.sync",
        "Parameters": {"JobName": job, "JobQueue": line, "JobDefinition": definition},
        "End": True,
    }
    return {"StartAt": "Job", "States": {"Job": {**task, **more}}}


def test_a_batch_job_is_a_task(twin: TestTwin, name: str) -> None:
    line, definition = batch_queue(twin, name)
    states, batch = twin.client("stepfunctions"), twin.client("batch")
    may = ("batch:SubmitJob", "batch:DescribeJobs", "batch:TerminateJob")
    good = machine(twin, f"{name}-g", submit(line, definition, "good"), *may)
    done = ended(twin, states.start_execution(stateMachineArn=good)["executionArn"])
    assert done["status"] == "SUCCEEDED", done
    assert json.loads(done["output"])["Status"] == "SUCCEEDED"
    bad = submit(line, definition, "bad")
    bad["States"]["Job"]["Parameters"]["ContainerOverrides"] = {"Command": ["false"]}
    failed = ended(twin, states.start_execution(stateMachineArn=machine(twin, f"{name}-b", bad, *may))["executionArn"])
    assert (failed["status"], failed["error"]) == ("FAILED", "States.TaskFailed")
    slow = submit(line, definition, "slow", TimeoutSeconds=300)
    slow["States"]["Job"]["Parameters"]["ContainerOverrides"] = {"Command": ["sleep", "300"]}
    execution = states.start_execution(stateMachineArn=machine(twin, f"{name}-s", slow, *may))["executionArn"]
    filters: Any = [{"name": "JOB_NAME", "values": ["slow"]}]
    (job,) = eventually(lambda: batch.list_jobs(jobQueue=line, filters=filters)["jobSummaryList"])
    states.stop_execution(executionArn=execution)

    def stopped() -> bool:
        return batch.describe_jobs(jobs=[job["jobId"]])["jobs"][0]["status"] == "FAILED"

    assert eventually(stopped, 40)
    denied = machine(twin, f"{name}-d", submit(line, definition, "denied"), "sqs:SendMessage")
    assert ended(twin, states.start_execution(stateMachineArn=denied)["executionArn"])["status"] == "FAILED"


@pytest.mark.parametrize(
    "text", ["1e999", "[]", "null", '"States"', "{", "[" * 20_000, '{"Type": 5}', '{"States": []}', "9" * 6_000]
)
def test_a_state_to_be_tested_is_a_document_of_one(twin: TestTwin, text: str) -> None:
    states = twin.client("stepfunctions", inject_host_prefix=False)
    good = '{"Type": "Pass", "End": true}'
    for given, codes in (
        ({"definition": text}, {"InvalidDefinition"}),
        ({"definition": good, "context": text}, {"InvalidExecutionInput", "OK"}),
        ({"definition": good, "input": text}, {"InvalidExecutionInput", "OK"}),
    ):
        assert code(states.test_state, **given) in codes, given

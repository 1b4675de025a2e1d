"""How executions of state machines run: iterations in the history, limits, time, pauses, tokens and training jobs."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.functional.twin.test_events import eventually, queue
from tests.functional.twin.test_last_lines import training_role
from tests.patience import PATIENCE_SECONDS

from trainworks.testing import TestTwin
from trainworks.twin.emulator.step_functions.machine_runs import pause_before

PASS: dict[str, Any] = {"Type": "Pass", "End": True}
LONG = {"Type": "Wait", "Seconds": 3600, "End": True}


class Machines:
    def __init__(self, twin: TestTwin) -> None:
        self.twin = twin
        self.states = twin.client("stepfunctions")

    def role(self, name: str, *actions: str) -> str:
        iam = self.twin.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust))["Role"]["Arn"]
        allowed = {"Effect": "Allow", "Action": actions or ("kms:ListAliases",), "Resource": "*"}
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_document(allowed))
        return str(arn)

    def start(self, states: Any, given: Any = None, *actions: str, **more: Any) -> str:
        """The ARN of an execution of a new machine whose first state is the first of `states`."""
        name = f"run-{secrets.token_hex(4)}"
        definition = {"StartAt": next(iter(states)), "States": states, **more}
        machine = self.states.create_state_machine(
            name=name, definition=json.dumps(definition), roleArn=self.role(name, *actions)
        )["stateMachineArn"]
        return str(self.states.start_execution(stateMachineArn=machine, input=json.dumps(given or {}))["executionArn"])

    def ended(self, arn: str, seconds: float = PATIENCE_SECONDS) -> Any:
        def probe() -> Any:
            found = self.states.describe_execution(executionArn=arn)
            return None if found["status"] == "RUNNING" else found

        return eventually(probe, seconds)

    def history(self, arn: str) -> list[Any]:
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]


@pytest.fixture
def machines(twin: TestTwin) -> Machines:
    return Machines(twin)


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_iterations_are_in_the_history_with_their_number_and_end(machines: Machines) -> None:
    nested = {"Type": "Parallel", "Branches": [{"StartAt": "P", "States": {"P": PASS}}], "Next": "C"}
    rule = {"Variable": "$[0]", "NumericEquals": 7, "Next": "F"}
    choice = {"Type": "Choice", "Choices": [rule], "Default": "E"}
    inner = {"StartAt": "N", "States": {"N": nested, "C": choice, "F": {"Type": "Fail", "Error": "Seven"}, "E": PASS}}
    arn = machines.start({"M": {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": inner, "End": True}}, [1, 7])
    assert machines.ended(arn)["error"] == "Seven"
    events = machines.history(arn)
    (length,) = [
        event["mapStateStartedEventDetails"]["length"] for event in events if event["type"] == "MapStateStarted"
    ]
    assert length == 2
    iterations = [
        (
            event["type"].removeprefix("MapIteration"),
            *next(v for k, v in event.items() if k.startswith("mapIt")).values(),
        )
        for event in events
        if event["type"].startswith("MapIteration")
    ]
    assert iterations == [("Started", "M", 0), ("Succeeded", "M", 0), ("Started", "M", 1), ("Failed", "M", 1)]
    assert [event["type"] for event in events][-2:] == ["MapStateFailed", "ExecutionFailed"]


def test_a_distributed_map_is_a_map_run_in_the_history(machines: Machines) -> None:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    inner = {"ProcessorConfig": config, "StartAt": "P", "States": {"P": PASS}}
    arn = machines.start({"M": {"Type": "Map", "ItemProcessor": inner, "End": True}}, [1, 2, 3])
    assert json.loads(machines.ended(arn)["output"]) == [1, 2, 3]
    (run,) = machines.states.list_map_runs(executionArn=arn)["mapRuns"]
    events = machines.history(arn)
    started = next(event for event in events if event["type"] == "MapRunStarted")
    assert started["mapRunStartedEventDetails"]["mapRunArn"] == run["mapRunArn"]
    assert "MapRunSucceeded" in {event["type"] for event in events}


def test_data_and_events_have_their_limits(machines: Machines) -> None:
    doubled = {"Type": "Pass", "Parameters": {"a.$": "$.a", "b.$": "$.a"}, "End": True}
    small = {"Type": "Pass", "Parameters": {"a.$": "$.a"}, "End": True}
    assert machines.ended(machines.start({"Small": small}, {"a": "é" * 43_000}))["status"] == "SUCCEEDED"
    failed = machines.ended(machines.start({"Double": doubled}, {"a": "x" * 140_000}))
    assert failed["error"] == "States.DataLimitExceeded"
    assert "'Double' returned a result with a size exceeding the maximum number of bytes" in failed["cause"]
    loop = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}
    arn = machines.start(loop)
    assert "maximum number of history events (25000)" in machines.ended(arn)["cause"]
    last = machines.states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=1)["events"][0]
    assert (last["id"], last["type"]) == (25_000, "ExecutionFailed")


def test_time_that_is_over_and_a_stop_end_an_execution_where_it_waits(machines: Machines) -> None:
    arn = machines.start({"W": LONG}, TimeoutSeconds=1)
    assert machines.ended(arn)["status"] == "TIMED_OUT"
    assert machines.history(arn)[-1]["type"] == "ExecutionTimedOut"
    branch = {"StartAt": "W", "States": {"W": LONG}}
    arn = machines.start({"B": {"Type": "Parallel", "Branches": [branch, branch], "End": True}})
    eventually(lambda: sum(event["type"] == "WaitStateEntered" for event in machines.history(arn)) == 2)
    machines.states.stop_execution(executionArn=arn, error="Enough", cause="of it")
    time.sleep(1.0)
    found = machines.ended(arn)
    assert (found["status"], found["error"]) == ("ABORTED", "Enough")
    assert machines.history(arn)[-1]["type"] in ("ExecutionAborted", "ParallelStateFailed")


def test_a_token_is_waited_for_while_heartbeats_come(machines: Machines) -> None:
    url, _ = queue(machines.twin, f"beats-{secrets.token_hex(4)}")
    message = {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}}
    task = {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Parameters": message,
        "HeartbeatSeconds": 3, "End": True,
    }  # fmt: skip

    def token() -> str:
        sqs = machines.twin.client("sqs")
        (got,) = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
        return str(json.loads(got["Body"])["token"])

    silent = machines.start({"T": task}, {}, "sqs:SendMessage")
    token()
    assert machines.ended(silent)["error"] == "States.HeartbeatTimeout"
    arn = machines.start({"T": task}, {}, "sqs:SendMessage")
    beating = token()
    began = time.monotonic()
    while time.monotonic() - began < 4:
        time.sleep(0.1)
        machines.states.send_task_heartbeat(taskToken=beating)
    machines.states.send_task_success(taskToken=beating, output='{"done": true}')
    assert json.loads(machines.ended(arn)["output"]) == {"done": True}


def test_pauses_between_tries_grow_up_to_a_most_and_jitter_below_it() -> None:
    retrier = {"IntervalSeconds": 3, "BackoffRate": 2.0, "MaxDelaySeconds": 20}
    assert [pause_before(retrier, tries, lambda: 0.5) for tries in range(5)] == [3, 6, 12, 20, 20]
    assert pause_before({**retrier, "JitterStrategy": "FULL"}, 2, lambda: 0.5) == 6
    assert pause_before({}, 5000, lambda: 1.0) > 0


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "a field": ({"Type": "Pass", "Foo": 1, "End": True}, "InvalidDefinition", "'Foo' is not supported by a Pass state"),
    "a function": (
        {"Type": "Pass", "Parameters": {"a.$": "States.Nope($.a)"}, "End": True}, "InvalidDefinition", "States.Nope",
    ),
    "a retrier": (
        {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True,
         "Retry": [{"ErrorEquals": ["E"], "BackoffRate": 0.5}]}, "InvalidDefinition", "BackoffRate",
    ),
    "a jitter": (
        {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True,
         "Retry": [{"ErrorEquals": ["E"], "JitterStrategy": "SOME"}]}, "InvalidDefinition", "JitterStrategy",
    ),
    "a batcher": (
        {"Type": "Map", "ItemBatcher": {"MaxItemsPerBatch": 2}, "End": True,
         "ItemProcessor": {"StartAt": "P", "States": {"P": PASS}}}, "NotImplemented", "ItemBatcher",
    ),
    "a variable": ({"Type": "Pass", "Assign": {"a": 1}, "End": True}, "NotImplemented", "Assign"),
    "a language": ({"Type": "Pass", "Output": "{% 1 %}", "End": True}, "InvalidDefinition", "JSONata alone"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_fields_are_run_or_refused_by_their_name(machines: Machines, what: str) -> None:
    state, code, words = BAD[what]
    with pytest.raises(ClientError) as error:
        machines.start({"S": state})
    assert error.value.response["Error"]["Code"] == code
    assert words in str(error.value)
    definition = json.dumps({"StartAt": "P", "States": {"P": PASS, "Q": PASS}})
    told = machines.states.validate_state_machine_definition(definition=definition)
    assert 'State "Q" is not reachable.' in told["diagnostics"][0]["message"]


def test_a_training_job_is_a_task_of_the_machines_role(machines: Machines) -> None:
    twin, name = machines.twin, f"trains-{secrets.token_hex(4)}"
    role = training_role(twin)
    job = {
        "TrainingJobName": name, "RoleArn": role,
        "AlgorithmSpecification": {
            "TrainingImage": "python:3", "TrainingInputMode": "File", "ContainerEntrypoint": ["python3", "-c"],
            "ContainerArguments": ["print('trained')"],
        },
        "OutputDataConfig": {"S3OutputPath": "s3://last-lines/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }  # fmt: skip
    task = {
        "Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync", "Parameters": job, "End": True,
    }  # fmt: skip
    may = ("sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob", "iam:PassRole")
    done = machines.ended(machines.start({"Train": task}, {}, *may), 60)
    assert done["status"] == "SUCCEEDED", done
    output = json.loads(done["output"])
    assert (output["TrainingJobStatus"], output["TrainingJobName"]) == ("Completed", name)
    denied = machines.ended(machines.start({"Train": task}, {}, *may[:3]))
    assert (denied["error"], "iam:PassRole" in denied["cause"]) == ("SageMaker.SageMakerException", True), denied
    slow = {**job, "TrainingJobName": f"{name}-slow"}
    slow["AlgorithmSpecification"] = {
        **job["AlgorithmSpecification"], "ContainerArguments": ["import time; time.sleep(300)"],  # type: ignore[dict-item]
    }  # fmt: skip
    arn = machines.start({"Train": {**task, "Parameters": slow}}, {}, *may)
    sagemaker = twin.client("sagemaker")

    def status() -> str:
        try:
            return str(sagemaker.describe_training_job(TrainingJobName=f"{name}-slow")["SecondaryStatus"])
        except ClientError:
            return ""

    eventually(lambda: status() == "Training", 30)
    machines.states.stop_execution(executionArn=arn)
    eventually(lambda: status() == "Stopped", 30)
    assert machines.ended(arn)["status"] == "ABORTED"

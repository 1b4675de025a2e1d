"""EventBridge's rules, entries and targets: what is refused, what fails alone, and what is delivered."""

from __future__ import annotations

import json
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.functional.twin.test_events import eventually, queue, received

from trainworks.testing import TestTwin

ACCOUNT = "000000000000"


@pytest.fixture
def name() -> str:
    return f"e-{secrets.token_hex(4)}"


def refused(call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**params)
    return str(error.value.response["Error"]["Code"])


def role(twin: TestTwin, name: str, *actions: str) -> str:
    services = {"Service": ["events.amazonaws.com", "scheduler.amazonaws.com", "ecs-tasks.amazonaws.com"]}
    trust = {"Effect": "Allow", "Principal": services, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = twin.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    allowed = {"Effect": "Allow", "Action": [*actions, "kms:ListAliases"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    twin.client("iam").put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return arn


def batch_queue(twin: TestTwin, name: str) -> tuple[str, str]:
    """(ARN of a job queue, definition) to submit to."""
    ec2, batch = twin.client("ec2"), twin.client("batch")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"]
    resources: Any = {"type": "FARGATE", "maxvCpus": 1, "subnets": [subnet], "securityGroupIds": [group]}
    batch.create_compute_environment(computeEnvironmentName=name, type="MANAGED", computeResources=resources)
    order: Any = [{"order": 1, "computeEnvironment": name}]
    arn = batch.create_job_queue(jobQueueName=name, priority=1, computeEnvironmentOrder=order)["jobQueueArn"]
    container: Any = {
        "image": "public.ecr.aws/docker/library/python:3.11",
        "resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}],
        "command": ["true"],
        "executionRoleArn": role(twin, f"{name}-x", "logs:*"),
    }
    batch.register_job_definition(
        jobDefinitionName=name, type="container", platformCapabilities=["FARGATE"], containerProperties=container
    )
    return arn, name


def jobs(twin: TestTwin, line: str, name: str) -> list[Any]:
    listed = twin.client("batch").list_jobs(jobQueue=line, filters=[{"name": "JOB_NAME", "values": [name]}])
    return listed["jobSummaryList"]


def test_rules_of_a_bus_by_its_name_and_its_arn(twin: TestTwin, name: str) -> None:
    events = twin.client("events")
    bus = events.create_event_bus(Name=name)["EventBusArn"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern='{"source": ["a"]}')
    assert events.describe_rule(Name=name, EventBusName=name)["EventBusName"] == name
    assert [rule["Name"] for rule in events.list_rules(EventBusName=bus)["Rules"]] == [name]
    schedule = {"Name": name, "EventBusName": name, "ScheduleExpression": "rate(1 hour)"}
    assert refused(events.put_rule, **schedule) == "ValidationException"
    events.delete_rule(Name=name, EventBusName=bus)
    assert events.list_rules(EventBusName=name)["Rules"] == []
    events.delete_rule(Name=name, EventBusName=name)
    for call in (events.enable_rule, events.disable_rule, events.list_targets_by_rule):
        key = "Rule" if call == events.list_targets_by_rule else "Name"
        assert refused(call, **{key: name}) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "expression", ["rate(1 minutes)", "rate(2 minute)", "rate(0 days)", "rate(5)", "cron(* * * * *)", "at(now)"]
)
def test_schedules_that_are_none(twin: TestTwin, name: str, expression: str) -> None:
    assert refused(twin.client("events").put_rule, Name=name, ScheduleExpression=expression) == "ValidationException"


def test_a_rule_with_targets_stays_and_takes_five(twin: TestTwin, name: str) -> None:
    events = twin.client("events")
    _, arn = queue(twin, name)
    events.put_rule(Name=name, EventPattern='{"source": ["a"]}')
    targets: Any = [{"Id": str(number), "Arn": arn} for number in range(6)]
    assert refused(events.put_targets, Rule=name, Targets=targets) == "LimitExceededException"
    events.put_targets(Rule=name, Targets=targets[:5])
    events.put_targets(Rule=name, Targets=targets[:1])
    assert refused(events.delete_rule, Name=name) == "ValidationException"
    first = events.list_targets_by_rule(Rule=name, Limit=3)
    second = events.list_targets_by_rule(Rule=name, Limit=3, NextToken=first["NextToken"])
    assert (len(first["Targets"]), len(second["Targets"]), "NextToken" in second) == (3, 2, False)
    assert len(events.list_event_buses(Limit=1)["EventBuses"]) == 1
    events.remove_targets(Rule=name, Ids=[target["Id"] for target in targets])
    events.delete_rule(Name=name)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ({"Arn": "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p", "RoleArn": "r" * 20}, "NotImplemented"),
        ({"Arn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}, "NotImplemented"),
        ({"Arn": "arn:aws:ecs:us-east-1:000000000000:cluster/c"}, "NotImplemented"),
        ({"Arn": "arn:aws:batch:us-east-1:000000000000:job-queue/q"}, "ValidationException"),
        ({"Arn": "arn:aws:sqs:us-east-1:000000000000:q", "Input": "{"}, "ValidationException"),
        ({"Arn": "arn:aws:sqs:us-east-1:000000000000:q", "Input": "{}", "InputPath": "$"}, "ValidationException"),
        ({"Arn": "no arn"}, "ValidationException"),
    ],
)
def test_targets_that_are_not_reached_are_refused(twin: TestTwin, name: str, target: Any, code: str) -> None:
    events = twin.client("events")
    events.put_rule(Name=name, EventPattern='{"source": ["a"]}')
    assert refused(events.put_targets, Rule=name, Targets=[{"Id": "t", **target}]) == code
    assert events.list_targets_by_rule(Rule=name)["Targets"] == []


def test_an_entry_that_is_no_event_fails_alone(twin: TestTwin, name: str) -> None:
    events = twin.client("events")
    url, arn = queue(twin, name)
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": arn}])
    whole = {"Source": name, "DetailType": "t", "Detail": '{"n": 1}'}
    bad: Any = [{**whole, "Detail": detail} for detail in ("no", "[1]", "NaN", "")]
    bad += [{member: value for member, value in whole.items() if member != left} for left in whole]
    answer = events.put_events(Entries=[*bad, whole])
    assert answer["FailedEntryCount"] == 7
    codes = ["MalformedDetail"] * 3 + ["InvalidArgument"] * 4
    assert [entry.get("ErrorCode") for entry in answer["Entries"]] == [*codes, None]
    assert received(twin, url)["detail"] == {"n": 1}
    assert "Messages" not in twin.client("sqs").receive_message(QueueUrl=url)
    large = {**whole, "Detail": json.dumps({"n": "x" * 262_144})}
    assert refused(events.put_events, Entries=[large]) == "ValidationException"


def test_a_rule_submits_a_batch_job_and_a_schedule_calls_an_api(twin: TestTwin, name: str) -> None:
    events, scheduler = twin.client("events"), twin.client("scheduler")
    line, definition = batch_queue(twin, name)
    who = role(twin, name, "batch:SubmitJob")
    soon = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
    job = json.dumps({"JobName": f"{name}-s", "JobQueue": line, "JobDefinition": definition})
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression=f"at({soon})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:scheduler:::aws-sdk:batch:submitJob", "RoleArn": who, "Input": job},
    )
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    target: Any = {
        "Id": "b",
        "Arn": line,
        "RoleArn": who,
        "BatchParameters": {"JobDefinition": definition, "JobName": f"{name}-r"},
        "Input": json.dumps({"ContainerOverrides": {"Environment": [{"Name": "A", "Value": "b"}]}}),
    }
    events.put_targets(Rule=name, Targets=[target])
    events.put_events(Entries=[{"Source": name, "DetailType": "t", "Detail": "{}"}])
    (by_rule,) = eventually(lambda: jobs(twin, line, f"{name}-r"))
    described = twin.client("batch").describe_jobs(jobs=[by_rule["jobId"]])["jobs"][0]
    assert {"name": "A", "value": "b"} in described["container"]["environment"]
    assert len(eventually(lambda: jobs(twin, line, f"{name}-s"), 20)) == 1


def test_a_target_that_fails_is_counted_goes_to_its_dead_letters_and_hurts_no_other(twin: TestTwin, name: str) -> None:
    events, cloudwatch = twin.client("events"), twin.client("cloudwatch")
    line, definition = batch_queue(twin, name)
    dead, dead_arn = queue(twin, f"{name}-dead")
    url, arn = queue(twin, f"{name}-live")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    targets: Any = [
        {
            "Id": "a",
            "Arn": line,
            "RoleArn": role(twin, name, "sqs:SendMessage"),
            "BatchParameters": {"JobDefinition": definition, "JobName": name},
            "DeadLetterConfig": {"Arn": dead_arn},
        },
        {"Id": "b", "Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:gone"},
        {"Id": "c", "Arn": arn},
    ]
    events.put_targets(Rule=name, Targets=targets)
    events.put_events(Entries=[{"Source": name, "DetailType": "t", "Detail": '{"n": 1}'}])
    assert received(twin, url)["detail"] == {"n": 1}
    message = eventually(
        lambda: twin.client("sqs").receive_message(QueueUrl=dead, MessageAttributeNames=["All"]).get("Messages")
    )[0]
    assert json.loads(message["Body"])["detail"] == {"n": 1}
    assert message["MessageAttributes"]["TARGET_ARN"]["StringValue"] == line

    def failed() -> float:
        found = cloudwatch.get_metric_statistics(
            Namespace="AWS/Events", MetricName="FailedInvocations", Dimensions=[{"Name": "RuleName", "Value": name}],
            StartTime=time.time() - 600, EndTime=time.time() + 60, Period=60, Statistics=["Sum"],
        )["Datapoints"]  # fmt: skip
        return sum(point["Sum"] for point in found)

    assert eventually(lambda: failed() == 2)


def test_deliveries_that_wait_outlive_the_server(own_twin: TestTwin) -> None:
    line, definition = batch_queue(own_twin, "later")
    events = own_twin.client("events")
    events.put_rule(Name="later", EventPattern='{"source": ["later"]}')
    arn = role(own_twin, "later", "batch:SubmitJob")
    parameters = {"JobDefinition": definition, "JobName": "later"}
    events.put_targets(Rule="later", Targets=[{"Id": "b", "Arn": line, "RoleArn": arn, "BatchParameters": parameters}])
    entry = {"Source": "later", "DetailType": "d", "Detail": "{}"}
    for _ in range(4):
        assert events.put_events(Entries=[entry] * 10)["FailedEntryCount"] == 0
    own_twin.kill()
    own_twin.start()
    # At least once: a job that was submitted when the server died may be submitted again.
    eventually(lambda: 40 <= len(jobs(own_twin, line, "later")) <= 44, seconds=30)

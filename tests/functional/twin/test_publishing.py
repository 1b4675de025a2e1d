"""What services publish by themselves: only where a topic's policy and its key's policy let them, and counted."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import pytest
from tests.functional.twin.test_events import eventually, queue, received

from trainworks.testing import TestTwin

ACCOUNT = "000000000000"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(service: str, actions: list[str], condition: dict[str, Any] | None = None) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": actions, "Resource": "*"}
    return {**statement, "Condition": condition} if condition else statement


EVENTS = allow("events.amazonaws.com", ["sns:Publish"])
BOUND_EVENTS = allow("events.amazonaws.com", ["sns:Publish"], {"StringEquals": {"aws:SourceAccount": ACCOUNT}})
ROOT_KEY = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
EVENTS_KEY = allow("events.amazonaws.com", ["kms:GenerateDataKey", "kms:Decrypt"])


def count(twin: TestTwin, rule_name: str, metric: str) -> float:
    """Sum of a metric of a rule."""
    dimensions = [{"Name": "RuleName", "Value": rule_name}]
    points = twin.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Events",
        MetricName=metric,
        Dimensions=dimensions,
        StartTime=time.time() - 86_400,
        EndTime=time.time() + 86_400,
        Period=86_400,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))


class Rule:
    """A rule on a source of its own whose target is a topic with the given policies, read through a queue."""

    def __init__(self, twin: TestTwin, topic_policy: str, key_policy: str | None) -> None:
        self.twin, self.name = twin, f"p-{secrets.token_hex(4)}"
        attributes = {"Policy": topic_policy}
        if key_policy is not None:
            key = twin.client("kms").create_key(Policy=key_policy)["KeyMetadata"]["Arn"]
            attributes["KmsMasterKeyId"] = key
        self.topic = twin.client("sns").create_topic(Name=self.name, Attributes=attributes)["TopicArn"]
        self.queue_url, queue_arn = queue(twin, self.name)
        twin.client("sns").subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=queue_arn)
        events = twin.client("events")
        events.put_rule(Name=self.name, EventPattern=json.dumps({"source": [self.name]}))
        events.put_targets(Rule=self.name, Targets=[{"Id": "topic", "Arn": self.topic}])
        events.put_events(Entries=[{"Source": self.name, "DetailType": "change", "Detail": "{}"}])

    def count(self, metric: str) -> float:
        return count(self.twin, self.name, metric)


@pytest.mark.parametrize(
    ("topic_policy", "key_policy"),
    [
        pytest.param(document(EVENTS), None, id="topic"),
        pytest.param(document(EVENTS), document(ROOT_KEY, EVENTS_KEY), id="topic-and-key"),
    ],
)
def test_a_rule_reaches_a_topic_that_allows_it(twin: TestTwin, topic_policy: str, key_policy: str | None) -> None:
    rule = Rule(twin, topic_policy, key_policy)
    assert json.loads(received(twin, rule.queue_url)["Message"])["source"] == rule.name
    assert (rule.count("MatchedEvents"), rule.count("Invocations"), rule.count("FailedInvocations")) == (1, 1, 0)


@pytest.mark.parametrize(
    ("topic_policy", "key_policy"),
    [
        pytest.param(document(allow("sqs.amazonaws.com", ["sns:Publish"])), None, id="another-service"),
        pytest.param(document(BOUND_EVENTS), None, id="source-condition"),
        pytest.param(document(EVENTS), document(ROOT_KEY), id="key-without-events"),
        pytest.param(
            document(EVENTS),
            document(ROOT_KEY, {**EVENTS_KEY, "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}),
            id="key-with-source-condition",
        ),
    ],
)
def test_a_rule_does_not_reach_a_topic_that_does_not(twin: TestTwin, topic_policy: str, key_policy: str | None) -> None:
    rule = Rule(twin, topic_policy, key_policy)
    assert eventually(lambda: rule.count("FailedInvocations")) == 1
    assert rule.count("MatchedEvents") == 1
    assert "Messages" not in twin.client("sqs").receive_message(QueueUrl=rule.queue_url)


def test_an_alarm_on_matches_of_a_rule_goes_off_and_says_so_where_it_may(twin: TestTwin) -> None:
    bound = {"ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:*"}}
    rule = Rule(twin, document(allow("cloudwatch.amazonaws.com", ["sns:Publish"], bound)), None)
    twin.client("cloudwatch").put_metric_alarm(
        AlarmName=rule.name,
        Namespace="AWS/Events",
        MetricName="MatchedEvents",
        Dimensions=[{"Name": "RuleName", "Value": rule.name}],
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[rule.topic],
    )
    # The rule itself may not publish; the alarm, which says who it is, may.
    message = json.loads(received(twin, rule.queue_url)["Message"])
    assert (message["AlarmName"], message["NewStateValue"]) == (rule.name, "ALARM")


@pytest.mark.parametrize(
    ("action", "trusted", "started"),
    [
        ("states:StartExecution", "events.amazonaws.com", 1),
        ("states:StopExecution", "events.amazonaws.com", 0),
        ("states:StartExecution", "lambda.amazonaws.com", 0),
    ],
)
def test_a_rule_starts_a_state_machine_as_its_targets_role(
    twin: TestTwin, action: str, trusted: str, started: int
) -> None:
    name = f"s-{secrets.token_hex(4)}"
    iam, machines, events = (twin.client(service) for service in ("iam", "stepfunctions", "events"))
    services = ["events.amazonaws.com", "states.amazonaws.com"]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    allowed = document({"Effect": "Allow", "Action": action, "Resource": "*"})
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=allowed)
    definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    machine = machines.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "machine", "Arn": machine, "RoleArn": role}])
    trust["Principal"] = {"Service": trusted}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=document(trust))
    events.put_events(Entries=[{"Source": name, "DetailType": "change", "Detail": "{}"}])
    failed = count(twin, name, "FailedInvocations")
    assert (len(machines.list_executions(stateMachineArn=machine)["executions"]), failed) == (started, 1 - started)

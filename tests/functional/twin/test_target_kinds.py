"""Every kind of place that something is sent to: reached, or refused by its name, by the API and in a stack alike."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.functional.twin.iam import trusting
from tests.functional.twin.test_async_invocations import function, role_of, take
from tests.functional.twin.test_event_rules import role
from tests.functional.twin.test_events import eventually, queue

from trainworks.testing import TestTwin

ACCOUNT = "000000000000"
ECS, KINESIS = f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/c", f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s"
MSK = f"arn:aws:kafka:us-east-1:{ACCOUNT}:cluster/c/1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"
ALARM = {
    "Namespace": "n", "MetricName": "m", "ComparisonOperator": "GreaterThanThreshold", "Threshold": 1, "Period": 60,
    "EvaluationPeriods": 1, "Statistic": "Sum",
}  # fmt: skip
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a rule's cluster": (
        "AWS::Events::Rule", {"EventPattern": {"source": ["a"]}, "Targets": [{"Id": "t", "Arn": ECS}]}, ECS,
    ),
    "a rule's stream": (
        "AWS::Events::Rule",
        {"EventPattern": {"source": ["a"]}, "Targets": [{"Id": "t", "Arn": KINESIS, "RoleArn": ROLE}]}, KINESIS,
    ),
    "a rule's pattern": (
        "AWS::Events::Rule", {"EventPattern": {"source": [{"like": "a"}]}}, "InvalidEventPatternException",
    ),
    "a rule's template": (
        "AWS::Events::Rule",
        {"EventPattern": {"source": ["a"]}, "Targets": [{
            "Id": "t", "Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q",
            "InputTransformer": {"InputPathsMap": {"a": "$.a"}, "InputTemplate": "<b>"},
        }]}, "invalid placeholder b",
    ),
    "a schedule's cluster": (
        "AWS::Scheduler::Schedule",
        {"ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"},
         "Target": {"Arn": ECS, "RoleArn": ROLE}}, ECS,
    ),
    "a schedule's group": (
        "AWS::Scheduler::Schedule",
        {"ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"}, "GroupName": "nowhere",
         "Target": {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", "RoleArn": ROLE}}, "nowhere",
    ),
    "a subscription's protocol": (
        "AWS::SNS::Subscription", {"TopicArn": "TOPIC", "Protocol": "firehose", "Endpoint": "arn:aws:firehose:::x"},
        "firehose",
    ),
    "a subscription's topic": (
        "AWS::SNS::Subscription",
        {"TopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:nowhere", "Protocol": "email", "Endpoint": "a@b.example"},
        "Topic does not exist",
    ),
    "a topic's subscription": (
        "AWS::SNS::Topic", {"Subscription": [{"Protocol": "application", "Endpoint": "x"}]}, "application",
    ),
    "an alarm's action": (
        "AWS::CloudWatch::Alarm", {**ALARM, "AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "automate",
    ),
    "a function's source": (
        "AWS::Lambda::EventSourceMapping",
        {"FunctionName": "f", "EventSourceArn": KINESIS, "StartingPosition": "LATEST"}, KINESIS,
    ),
    "a function's cluster": (
        "AWS::Lambda::EventSourceMapping",
        {"FunctionName": "f", "EventSourceArn": MSK, "StartingPosition": "LATEST"}, MSK,
    ),
    "a function's dead letters": (
        "AWS::Lambda::Function",
        {"Role": ROLE, "Runtime": "python3.11", "Handler": "index.h", "Code": {"ZipFile": "def h(e, c): pass"},
         "DeadLetterConfig": {"TargetArn": ECS}}, "dead letter",
    ),
    "a log group's subscription": (
        "AWS::Logs::SubscriptionFilter",
        {"LogGroupName": "GROUP", "FilterPattern": "", "DestinationArn": KINESIS, "RoleArn": ROLE}, "kinesis",
    ),
    "a bucket's queue": (
        "AWS::S3::Bucket",
        {"NotificationConfiguration": {"QueueConfigurations": [
            {"Event": "s3:ObjectCreated:*", "Queue": f"arn:aws:sqs:us-east-1:{ACCOUNT}:nowhere"}]}}, "",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def places(twin: TestTwin) -> dict[str, str]:
    name = f"kinds-{secrets.token_hex(4)}"
    twin.client("logs").create_log_group(logGroupName=name)
    services = {"Service": ["events.amazonaws.com", "scheduler.amazonaws.com", "lambda.amazonaws.com"]}
    twin.client("iam").create_role(RoleName=ROLE.rsplit("/", 1)[-1], AssumeRolePolicyDocument=trusting(services))
    return {"TOPIC": twin.client("sns").create_topic(Name=name)["TopicArn"], "GROUP": name}


def ended(twin: TestTwin, name: str) -> str:
    def status() -> str:
        found = str(twin.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        return "" if found.endswith("PROGRESS") else found

    return str(eventually(status, seconds=30))


def create(twin: TestTwin, resources: dict[str, Any]) -> tuple[str, str]:
    """(name, how it ended) of a new stack."""
    name = f"kinds-{secrets.token_hex(4)}"
    twin.client("cloudformation").create_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": resources}), Capabilities=["CAPABILITY_IAM"]
    )
    return name, ended(twin, name)


@pytest.mark.parametrize("what", REFUSED)
def test_a_stack_that_sends_where_nothing_arrives_fails_and_says_where(
    twin: TestTwin, places: dict[str, str], what: str
) -> None:
    kind, properties, words = REFUSED[what]
    given = {key: places.get(str(value), value) for key, value in properties.items()}
    try:
        name, status = create(twin, {"It": {"Type": kind, "Properties": given}})
    except ClientError as refused:  # before anything was made
        assert words in str(refused)
        return
    assert status == "ROLLBACK_COMPLETE"
    events = twin.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    assert any(words in each.get("ResourceStatusReason", "") for each in events), events


def test_what_a_stack_sends_arrives(twin: TestTwin) -> None:
    """A rule with a part of the event, a schedule, an alarm's topic, a subscription, and a function's dead letters."""
    name = f"sends-{secrets.token_hex(4)}"
    urls, arns = {}, {}
    for part in ("rule", "schedule", "topic", "dead"):
        urls[part], arns[part] = queue(twin, f"{name}-{part}")
    soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 2))
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}"
    statement = {
        "Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish",
        "Resource": topic,
    }  # fmt: skip
    resources = {
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {"source": [name]},
                "Targets": [{"Id": "t", "Arn": arns["rule"], "InputPath": "$.detail.items[1]['a-b']"}],
            },
        },
        "Schedule": {
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "ScheduleExpression": f"at({soon})", "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": arns["schedule"], "RoleArn": role(twin, name, "sqs:SendMessage"), "Input": '"due"'},
            },
        },
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}},
        "Policy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {
                "Topics": [{"Ref": "Topic"}],
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
            },
        },
        "Subscription": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "sqs", "Endpoint": arns["topic"]},
        },
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "DependsOn": ["Policy", "Subscription"],
            "Properties": {
                **ALARM, "Namespace": name, "TreatMissingData": "breaching", "AlarmActions": [{"Ref": "Topic"}],
            },
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": name, "Runtime": "python3.11", "Handler": "index.h",
                "Role": role_of(twin, f"{name}-f", ["sqs:SendMessage"]), "ReservedConcurrentExecutions": 0,
                "DeadLetterConfig": {"TargetArn": arns["dead"]}, "Code": {"ZipFile": "def h(e, c): pass"},
            },
        },
    }  # fmt: skip
    stack, status = create(twin, resources)
    assert status == "CREATE_COMPLETE"
    detail = json.dumps({"items": [0, {"a-b": {"deep": 1}}]})
    twin.client("events").put_events(Entries=[{"Source": name, "DetailType": "d", "Detail": detail}])
    assert json.loads(take(twin, urls["rule"])["Body"]) == {"deep": 1}
    twin.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b'"gone"')
    assert take(twin, urls["dead"])["Body"] == '"gone"'
    assert json.loads(json.loads(take(twin, urls["topic"])["Body"])["Message"])["NewStateValue"] == "ALARM"
    assert take(twin, urls["schedule"])["Body"] == '"due"'
    twin.client("cloudformation").delete_stack(StackName=stack)


def test_a_mapping_in_a_stack_reads_its_source_as_the_functions_role(twin: TestTwin) -> None:
    name = f"reads-{secrets.token_hex(4)}"
    _, source = queue(twin, name)
    function(twin, name, role_of(twin, name, []))
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping", "Properties": {"FunctionName": name, "EventSourceArn": source},
    }  # fmt: skip
    assert create(twin, {"Mapping": mapping})[1] == "ROLLBACK_COMPLETE"
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    twin.client("iam").put_role_policy(RoleName=name, PolicyName="reads", PolicyDocument=document)
    assert create(twin, {"Mapping": mapping})[1] == "CREATE_COMPLETE"
    (found,) = twin.client("lambda").list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    assert found["EventSourceArn"] == source


def test_an_event_has_the_time_that_it_was_given(twin: TestTwin) -> None:
    name = f"time-{secrets.token_hex(4)}"
    url, arn = queue(twin, name)
    events = twin.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": arn}])
    entry = {"Source": name, "DetailType": "d", "Detail": "{}"}
    answer = events.put_events(Entries=[{**entry, "Time": 1_600_000_000}, entry, {**entry, "Detail": "[]"}])
    assert [each.get("ErrorCode") for each in answer["Entries"]] == [None, None, "MalformedDetail"]
    times = sorted(json.loads(take(twin, url)["Body"])["time"] for _ in range(2))
    assert times[0] == "2020-09-13T12:26:40Z"
    assert times[1] > time.strftime("%Y")


MATCHING = [
    ('{"a": ["x"]}', {"a": "x"}, {"a": "y"}),
    ('{"a": [null]}', {"a": None}, {"a": "null"}),
    ('{"a": [{"prefix": "xy"}]}', {"a": "xyz"}, {"a": "zxy"}),
    ('{"a": [{"prefix": {"equals-ignore-case": "XY"}}]}', {"a": "xyz"}, {"a": "zxy"}),
    ('{"a": [{"suffix": ".png"}]}', {"a": "b.png"}, {"a": "b.pn"}),
    ('{"a": [{"suffix": {"equals-ignore-case": ".PNG"}}]}', {"a": "b.png"}, {"a": "b.pn"}),
    ('{"a": [{"anything-but": ["x", "y"]}]}', {"a": "z"}, {"a": "x"}),
    ('{"a": [{"anything-but": {"prefix": "x"}}]}', {"a": "z"}, {"a": "xz"}),
    ('{"a": [{"anything-but": {"suffix": ["x", "y"]}}]}', {"a": "z"}, {"a": "zy"}),
    ('{"a": [{"anything-but": {"equals-ignore-case": ["x"]}}]}', {"a": "z"}, {"a": "X"}),
    ('{"a": [{"anything-but": {"wildcard": "*x*"}}]}', {"a": "z"}, {"a": "zxz"}),
    ('{"a": [{"numeric": [">", 0, "<=", 5]}]}', {"a": 5}, {"a": 0}),
    ('{"a": [{"numeric": ["=", 3.0e2]}]}', {"a": 300}, {"a": 301}),
    ('{"a": [{"cidr": "10.0.0.0/24"}]}', {"a": "10.0.0.9"}, {"a": "10.0.1.9"}),
    ('{"a": [{"cidr": "2001:db8::/32"}]}', {"a": "2001:db8::1"}, {"a": "2001:db9::1"}),
    ('{"a": [{"exists": false}]}', {"b": 1}, {"a": 1}),
    ('{"a": {"b": [{"exists": true}]}}', {"a": {"b": 0}}, {"a": {"c": 0}}),
    ('{"a": [{"equals-ignore-case": "Xy"}]}', {"a": "xY"}, {"a": "xz"}),
    ('{"a": [{"wildcard": "x*/y/*"}]}', {"a": "xx/y/z"}, {"a": "x/z"}),
    ('{"$or": [{"a": [1]}, {"b": [{"numeric": [">", 1]}]}]}', {"b": 2}, {"a": 2, "b": 1}),
    ('{"a": ["x", {"prefix": "y"}], "b": ["z"]}', {"a": ["q", "yy"], "b": "z"}, {"a": "yy", "b": "q"}),
]
BAD = [
    "", "[]", "{", '"x"', "{}", '{"a": "x"}', '{"a": []}', '{"a": [{"like": "x"}]}', '{"a": [{"prefix": 1}]}',
    '{"a": [{"numeric": ["~", 1]}]}', '{"a": [{"numeric": [">", "1"]}]}', '{"a": [{"numeric": []}]}',
    '{"a": [{"cidr": "10.0.0.0/99"}]}', '{"a": [{"exists": "yes"}]}', '{"a": [{"anything-but": []}]}',
    '{"a": [{"wildcard": "a**b"}]}', '{"$or": [{"a": [1]}]}', '{"a": [["x"]]}', '{"a": [NaN]}',
]  # fmt: skip


def test_patterns_match_as_documented_and_bad_ones_are_refused(twin: TestTwin) -> None:
    events = twin.client("events")
    envelope = {
        "id": "1", "account": ACCOUNT, "source": "s", "time": "2026-01-01T00:00:00Z", "region": "us-east-1",
        "resources": [], "detail-type": "d",
    }  # fmt: skip
    for pattern, matching, other in MATCHING:
        for detail, expected in ((matching, True), (other, False)):
            answer = events.test_event_pattern(
                EventPattern=f'{{"detail": {pattern}}}', Event=json.dumps({**envelope, "detail": detail})
            )
            assert answer["Result"] is expected, (pattern, detail)
    taken = []
    for pattern in BAD:
        try:
            events.put_rule(Name="bad-pattern", EventPattern=pattern)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("InvalidEventPatternException", "ValidationException"):
                continue
            raise
        taken.append(pattern)
    assert taken == []

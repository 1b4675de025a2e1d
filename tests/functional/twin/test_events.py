"""Events reach their targets, alarms change by themselves, and CloudWatch speaks all its protocols."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session
from tests.patience import PATIENCE_SECONDS

from trainworks.testing import TestTwin
from trainworks.twin.wire.protocols.cbor import decode, encode

ACCOUNT = "000000000000"


@pytest.fixture
def name() -> str:
    return f"n-{uuid.uuid4().hex[:8]}"


def eventually(probe: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return found


def queue(twin: TestTwin, name: str) -> tuple[str, str]:
    """(URL, ARN) of a new queue that services may send to."""
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
    policy = allow_services("sqs:SendMessage", arn)
    url = twin.client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    return url, arn


def allow_services(action: str, resource: str) -> str:
    principal = {"Service": ["events.amazonaws.com", "sns.amazonaws.com", "cloudwatch.amazonaws.com"]}
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def subscribed_topic(twin: TestTwin, name: str, queue_arn: str) -> str:
    """The ARN of a new topic that services may publish to and that sends on to a queue."""
    sns = twin.client("sns")
    arn = f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}"
    sns.create_topic(Name=name, Attributes={"Policy": allow_services("sns:Publish", arn)})
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
    return arn


def received(twin: TestTwin, url: str) -> dict[str, Any]:
    sqs = twin.client("sqs")
    messages = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    document: dict[str, Any] = json.loads(messages[0]["Body"])
    return document


def test_a_rule_delivers_to_queue_topic_and_log_group(twin: TestTwin, name: str) -> None:
    events, logs = twin.client("events"), twin.client("logs")
    direct_url, direct_arn = queue(twin, f"{name}-direct")
    topic_url, topic_queue_arn = queue(twin, f"{name}-topic")
    topic = subscribed_topic(twin, name, topic_queue_arn)
    group = f"/aws/events/{name}"
    logs.create_log_group(logGroupName=group)
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name], "detail": {"state": ["FAILED"]}}))
    arns = [direct_arn, topic, f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}"]
    events.put_targets(Rule=name, Targets=[{"Id": str(number), "Arn": arn} for number, arn in enumerate(arns)])
    for state in ("RUNNING", "FAILED"):
        entry = {"Source": name, "DetailType": "change", "Detail": json.dumps({"state": state})}
        events.put_events(Entries=[entry])
    assert received(twin, direct_url)["detail"] == {"state": "FAILED"}
    assert json.loads(received(twin, topic_url)["Message"])["detail"] == {"state": "FAILED"}
    found = eventually(lambda: logs.filter_log_events(logGroupName=group)["events"])
    assert [json.loads(event["message"])["detail"] for event in found] == [{"state": "FAILED"}]


def test_an_alarm_goes_off_without_anybody_asking(twin: TestTwin, name: str) -> None:
    cloudwatch = twin.client("cloudwatch")
    url, arn = queue(twin, name)
    topic = subscribed_topic(twin, name, arn)
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace=name,
        MetricName="failures",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[topic],
    )
    cloudwatch.put_metric_data(Namespace=name, MetricData=[{"MetricName": "failures", "Value": 2.0}])
    message = json.loads(received(twin, url)["Message"])
    assert (message["AlarmName"], message["NewStateValue"]) == (name, "ALARM")


def test_an_alarm_looks_at_its_own_dimensions_and_at_missing_data(twin: TestTwin, name: str) -> None:
    cloudwatch = twin.client("cloudwatch")
    for suffix, missing in (("mine", "missing"), ("silent", "notBreaching"), ("dead", "breaching")):
        cloudwatch.put_metric_alarm(
            AlarmName=f"{name}-{suffix}",
            Namespace=name,
            MetricName="failures",
            Dimensions=[{"Name": "job", "Value": suffix}],
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData=missing,
        )
    value = {"MetricName": "failures", "Value": 2.0, "Dimensions": [{"Name": "job", "Value": "another"}]}
    cloudwatch.put_metric_data(Namespace=name, MetricData=[value])

    def states() -> list[str]:
        alarms = cloudwatch.describe_alarms(AlarmNamePrefix=name)["MetricAlarms"]
        return [alarm["StateValue"] for alarm in sorted(alarms, key=lambda alarm: alarm["AlarmName"])]

    assert eventually(lambda: states() == ["ALARM", "INSUFFICIENT_DATA", "OK"])


def call(twin: TestTwin, path: str, headers: dict[str, str], body: bytes) -> Any:
    root = twin.home.credentials()
    request = AWSRequest("POST", f"{twin.endpoint_url}{path}", data=body, headers=headers)
    SigV4Auth(Credentials(root.access_key_id, root.secret_access_key), "monitoring", "us-east-1").add_auth(request)
    return URLLib3Session().send(request.prepare())


def test_cloudwatch_answers_in_query_json_and_cbor(twin: TestTwin, name: str) -> None:
    data = {"Namespace": name, "MetricData": [{"MetricName": "cbor", "Value": 1.0}]}
    smithy = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", "Accept": "application/cbor"}
    prefix = "/service/GraniteServiceVersion20100801/operation"
    assert call(twin, f"{prefix}/PutMetricData", smithy, encode(data)).status_code == 200
    answer = call(twin, f"{prefix}/ListMetrics", smithy, encode({"Namespace": name}))
    assert [metric["MetricName"] for metric in decode(answer.content)["Metrics"]] == ["cbor"]
    target = {"X-Amz-Target": "GraniteServiceVersion20100801.ListMetrics", "Content-Type": "application/x-amz-json-1.0"}
    answer = call(twin, "/", target, json.dumps({"Namespace": name}).encode())
    assert json.loads(answer.content)["Metrics"][0]["MetricName"] == "cbor"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = call(twin, "/", form, f"Action=ListMetrics&Version=2010-08-01&Namespace={name}".encode())
    assert b"<MetricName>cbor</MetricName>" in answer.content

"""GetMetricData and GetMetricStatistics as CloudWatch answers them: order, pages, expressions, limits."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.functional.twin.test_events import queue, received, subscribed_topic

from trainworks.testing import TestTwin

MINUTE = timedelta(minutes=1)


class Metrics:
    def __init__(self, twin: TestTwin) -> None:
        self.cloudwatch = twin.client("cloudwatch")
        self.namespace = f"q-{secrets.token_hex(4)}"
        self.start = (datetime.now(UTC) - timedelta(minutes=20)).replace(second=0, microsecond=0)
        data: list[Any] = [
            {"MetricName": "m", "Value": float(minute), "Timestamp": self.start + minute * MINUTE}
            for minute in (0, 1, 3)
        ]
        data.append({**data[0], "Value": 100.0, "Dimensions": [{"Name": "D", "Value": "v"}]})
        data.append({**data[0], "Value": 7.0, "Unit": "Seconds", "MetricName": "units"})
        data.append({**data[0], "Value": 9.0, "Unit": "Bytes", "MetricName": "units"})
        self.cloudwatch.put_metric_data(Namespace=self.namespace, MetricData=data)

    def stat(self, name: str, metric: str = "m", stat: str = "Sum", **more: Any) -> dict[str, Any]:
        wanted = {"Namespace": self.namespace, "MetricName": metric, "Dimensions": more.pop("dimensions", [])}
        return {"Id": name, "MetricStat": {"Metric": wanted, "Period": 60, "Stat": stat, **more.pop("of", {})}, **more}

    def ask(self, *queries: dict[str, Any], **more: Any) -> Any:
        given = {
            "StartTime": self.start,
            "EndTime": self.start + 5 * MINUTE,
            "MetricDataQueries": list(queries),
            **more,
        }
        return self.cloudwatch.get_metric_data(**given)

    def refused(self, *queries: dict[str, Any], **more: Any) -> str:
        with pytest.raises(ClientError) as error:
            self.ask(*queries, **more)
        return str(error.value)


@pytest.fixture(scope="module")
def metrics(twin: TestTwin) -> Metrics:
    return Metrics(twin)


def test_the_newest_come_first_unless_the_oldest_are_asked_for(metrics: Metrics) -> None:
    (found,) = metrics.ask(metrics.stat("a"))["MetricDataResults"]
    assert (found["Values"], found["Label"], found["StatusCode"]) == ([3.0, 1.0, 0.0], "m", "Complete")
    assert found["Timestamps"][0] == metrics.start + 3 * MINUTE
    (found,) = metrics.ask(metrics.stat("a"), ScanBy="TimestampAscending")["MetricDataResults"]
    assert found["Values"] == [0.0, 1.0, 3.0]


def test_dimensions_and_units_are_those_that_are_asked_for(metrics: Metrics) -> None:
    queries = [
        metrics.stat("a", dimensions=[{"Name": "D", "Value": "v"}]),
        metrics.stat("b", "units", of={"Unit": "Bytes"}),
        metrics.stat("c", "units"),
        metrics.stat("d", dimensions=[{"Name": "D", "Value": "other"}]),
    ]
    found = {each["Id"]: each["Values"] for each in metrics.ask(*queries)["MetricDataResults"]}
    assert found == {"a": [100.0], "b": [9.0], "c": [16.0], "d": []}


def test_expressions_are_computed_over_other_queries(metrics: Metrics) -> None:
    queries = [
        metrics.stat("m1", ReturnData=False),
        {"Id": "filled", "Expression": "FILL(m1, 10)", "ReturnData": False},
        {"Id": "twice", "Expression": "filled * 2", "Label": "twice as much"},
        {"Id": "total", "Expression": "SUM(METRICS())"},
        {"Id": "each", "Expression": "METRICS() / 2"},
    ]
    found = {each["Id"]: each for each in metrics.ask(*queries, ScanBy="TimestampAscending")["MetricDataResults"]}
    assert set(found) == {"twice", "total", "each"}
    assert found["twice"]["Values"] == [0.0, 2.0, 20.0, 6.0, 20.0]
    assert found["twice"]["Label"] == "twice as much"
    assert found["total"]["Values"] == [0.0, 1.0, 3.0]
    assert found["each"]["Values"] == [0.0, 0.5, 1.5]


def test_pages_hold_as_many_points_as_are_asked_for(metrics: Metrics) -> None:
    queries = [metrics.stat("a"), metrics.stat("b", "nothing"), {"Id": "c", "Expression": "a + 1"}]
    pages = list(
        metrics.cloudwatch.get_paginator("get_metric_data").paginate(
            StartTime=metrics.start, EndTime=metrics.start + 5 * MINUTE, MetricDataQueries=queries, MaxDatapoints=2,
        )
    )  # fmt: skip
    assert all(sum(len(each["Values"]) for each in page["MetricDataResults"]) <= 2 for page in pages)
    merged: dict[str, list[float]] = {}
    for page in pages:
        for each in page["MetricDataResults"]:
            merged.setdefault(each["Id"], []).extend(each["Values"])
    assert merged == {"a": [3.0, 1.0, 0.0], "b": [], "c": [4.0, 2.0, 1.0]}
    assert pages[0]["MetricDataResults"][0]["StatusCode"] == "PartialData"
    assert "InvalidNextToken" in metrics.refused(metrics.stat("a"), NextToken="nothing")


def test_what_cannot_be_answered_is_refused(metrics: Metrics) -> None:
    one = metrics.stat("a")
    assert "does not compute SEARCH" in metrics.refused({"Id": "e", "Expression": "SEARCH('{x}', 'Sum')"})
    assert "does not compute SELECT" in metrics.refused({"Id": "e", "Expression": "SELECT AVG(m) FROM n"})
    assert "'b' is not an id" in metrics.refused(one, {"Id": "e", "Expression": "a + b"})
    assert "refers to itself" in metrics.refused({"Id": "e", "Expression": "f"}, {"Id": "f", "Expression": "e"})
    assert "not unique" in metrics.refused(one, one)
    assert "lowercase" in metrics.refused({**one, "Id": "A"})
    assert "multiple of 60" in metrics.refused(metrics.stat("a", of={"Period": 90}))
    assert "StartTime must be less than" in metrics.refused(one, EndTime=metrics.start)


@pytest.mark.parametrize("way", ["api", "stack"])
def test_an_alarm_on_an_expression_is_evaluated_and_tells_its_topic(twin: TestTwin, metrics: Metrics, way: str) -> None:
    name = f"math-{way}-{secrets.token_hex(3)}"
    url, arn = queue(twin, name)
    topic = subscribed_topic(twin, name, arn)
    for metric, value in (("errors", 3.0), ("calls", 10.0)):
        metrics.cloudwatch.put_metric_data(
            Namespace=metrics.namespace, MetricData=[{"MetricName": f"{name}-{metric}", "Value": value}]
        )
    alarm: dict[str, Any] = {
        "AlarmName": name, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 25, "EvaluationPeriods": 1,
        "AlarmActions": [topic],
        "Metrics": [
            metrics.stat("errors", f"{name}-errors", ReturnData=False),
            metrics.stat("calls", f"{name}-calls", ReturnData=False),
            {"Id": "share", "Expression": "100 * errors / calls", "Label": "share", "ReturnData": True},
        ],
    }  # fmt: skip
    if way == "api":
        metrics.cloudwatch.put_metric_alarm(**alarm)
    else:
        template = {"Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm}}}
        twin.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))
    told = json.loads(received(twin, url)["Message"])
    assert (told["AlarmName"], told["NewStateValue"]) == (name, "ALARM")
    (found,) = metrics.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert [each["Id"] for each in found["Metrics"]] == ["errors", "calls", "share"]
    assert "MetricName" not in found


def test_an_alarms_metrics_have_one_result_and_known_ids(metrics: Metrics) -> None:
    alarm = {"AlarmName": "bad", "ComparisonOperator": "GreaterThanThreshold", "Threshold": 1.0, "EvaluationPeriods": 1}
    for queries, words in (
        ([metrics.stat("a"), metrics.stat("b")], "should return data"),
        ([metrics.stat("a", ReturnData=False), {"Id": "e", "Expression": "a + b"}], "refers to b"),
        ([metrics.stat("a", ReturnData=False), {"Id": "e", "Expression": "a $ 1"}], "Invalid metrics list"),
    ):
        with pytest.raises(ClientError, match=words):
            metrics.cloudwatch.put_metric_alarm(**alarm, Metrics=queries)
    assert metrics.cloudwatch.describe_alarms(AlarmNames=["bad"])["MetricAlarms"] == []


def test_statistics_have_at_most_1440_points(metrics: Metrics) -> None:
    given = {"Namespace": metrics.namespace, "MetricName": "m", "Statistics": ["Sum"]}

    def ask(days: int, period: int) -> Any:
        end = metrics.start + 5 * MINUTE
        return metrics.cloudwatch.get_metric_statistics(
            **given, StartTime=end - timedelta(days=days), EndTime=end, Period=period
        )

    assert sum(point["Sum"] for point in ask(1, 60)["Datapoints"]) >= 4.0
    for days, period, words in ((2, 60, "up to 2,880 datapoints"), (1, 61, "multiple of 60"), (0, 60, "StartTime")):
        with pytest.raises(ClientError, match=words):
            ask(days, period)

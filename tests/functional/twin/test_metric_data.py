"""CloudWatch metric data as clients put and read it, in every protocol."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from trainworks.testing import TestTwin

BAD: list[dict[str, Any]] = [
    {"Value": math.nan},
    {"Value": math.inf},
    {"Value": -math.inf},
    {"Value": 2.0**361},
    {"Value": 1e-200},
    {"Value": 1.0, "Values": [1.0]},
    {"Values": [1.0, math.nan]},
    {"Values": [1.0], "Counts": [1.0, 2.0]},
    {"Values": [float(n) for n in range(151)]},
    {"StatisticValues": {"SampleCount": 1.0, "Sum": math.nan, "Minimum": 0.0, "Maximum": 0.0}},
    {"StatisticValues": {"SampleCount": 0.0, "Sum": 0.0, "Minimum": 0.0, "Maximum": 0.0}},
    {"Value": 1.0, "Timestamp": datetime.now(UTC) - timedelta(days=20)},
    {"Value": 1.0, "Timestamp": datetime.now(UTC) + timedelta(hours=4)},
    {"Value": 1.0, "Dimensions": [{"Name": f"d{n}", "Value": "v"} for n in range(31)]},
    {"Value": 1.0, "Unit": "Parsecs"},
    {"Value": 1.0, "StorageResolution": 7},
    {},
]


@pytest.fixture
def name() -> str:
    return f"space-{uuid.uuid4().hex[:8]}"


def statistics(twin: TestTwin, namespace: str, **more: Any) -> list[dict[str, Any]]:
    asked = {
        "Namespace": namespace,
        "MetricName": "m",
        "StartTime": datetime.now(UTC) - timedelta(minutes=10),
        "EndTime": datetime.now(UTC) + timedelta(minutes=10),
        "Period": 3600,
        "Statistics": ["Sum", "SampleCount", "Minimum", "Maximum"],
        **more,
    }
    points: list[dict[str, Any]] = twin.client("cloudwatch").get_metric_statistics(**asked)["Datapoints"]
    return points


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_a_bad_datum_fails_its_own_call_whole_and_no_other(twin: TestTwin, name: str, bad: dict[str, Any]) -> None:
    client = twin.client("cloudwatch")
    with pytest.raises(ClientError, match=r"MetricData\.member\.2|metricData\.2\.member"):
        client.put_metric_data(
            Namespace=name, MetricData=[{"MetricName": "m", "Value": 7.0}, {"MetricName": "m", **bad}]
        )
    assert client.list_metrics(Namespace=name)["Metrics"] == []
    client.put_metric_data(Namespace=name, MetricData=[{"MetricName": "m", "Value": 1.0}])
    assert sum(point["Sum"] for point in statistics(twin, name)) == 1.0


@pytest.mark.parametrize("body", ["Value=NaN", "Value=Infinity", "Value=1e999", "Value=x"])
def test_the_query_door_is_as_narrow(twin: TestTwin, name: str, body: str) -> None:
    text = f"Action=PutMetricData&Version=2010-08-01&Namespace={name}&MetricData.member.1.MetricName=m"
    form = {"content-type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", twin.endpoint_url + "/", data=f"{text}&MetricData.member.1.{body}", headers=form)
    SigV4Auth(twin.session().get_credentials(), "monitoring", "us-east-1").add_auth(request)
    answer = URLLib3Session().send(request.prepare())
    assert answer.status_code == 400, answer.text
    assert "MetricData.member.1.Value" in answer.text or "is not a number" in answer.text
    assert twin.client("cloudwatch").list_metrics(Namespace=name)["Metrics"] == []


def test_values_of_one_second_are_added_up_and_percentiles_known(twin: TestTwin, name: str) -> None:
    client, at = twin.client("cloudwatch"), datetime.now(UTC)
    for value in range(1, 101):
        client.put_metric_data(
            Namespace=name, MetricData=[{"MetricName": "m", "Value": float(value), "Timestamp": at}]
        )  # fmt: skip
    client.put_metric_data(
        Namespace=name, MetricData=[{"MetricName": "m", "Values": [1000.0], "Counts": [3.0], "Timestamp": at}]
    )
    (point,) = statistics(twin, name, ExtendedStatistics=["p50"])
    assert (point["Sum"], point["SampleCount"], point["Minimum"], point["Maximum"]) == (8050.0, 103.0, 1.0, 1000.0)
    assert point["ExtendedStatistics"]["p50"] == pytest.approx(52.0)


def test_metrics_are_listed_page_by_page_and_by_dimension(twin: TestTwin, name: str) -> None:
    client = twin.client("cloudwatch")
    for first in range(0, 1200, 600):
        data = [
            {"MetricName": f"m{n % 2}", "Value": 1.0, "Dimensions": [{"Name": "<Job>", "Value": f"j&{n}"}]}
            for n in range(first, first + 600)
        ]
        client.put_metric_data(Namespace=name, MetricData=data)
    pages = list(client.get_paginator("list_metrics").paginate(Namespace=name))
    assert [len(page["Metrics"]) for page in pages] == [500, 500, 200]
    assert len({metric["Dimensions"][0]["Value"] for page in pages for metric in page["Metrics"]}) == 1200
    found = client.list_metrics(Dimensions=[{"Name": "<Job>", "Value": "j&7"}], Namespace=name)["Metrics"]
    assert [(each["MetricName"], each["Dimensions"]) for each in found] == [
        ("m1", [{"Name": "<Job>", "Value": "j&7"}])
    ]  # fmt: skip
    assert client.list_metrics(Namespace=name, MetricName="m2")["Metrics"] == []


def test_metric_data_survives_the_death_of_the_server(own_twin: TestTwin) -> None:
    own_twin.client("cloudwatch").put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 5.0}])
    own_twin.kill()
    own_twin.start()
    assert [point["Sum"] for point in statistics(own_twin, "n")] == [5.0]

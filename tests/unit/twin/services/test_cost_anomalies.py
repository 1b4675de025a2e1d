"""Anomaly monitors and subscriptions: what is refused, what is listed, what tags do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.twin.services.fakes import FakeControlPlane
from trainworks.twin.ports import ApiError, Caller
from trainworks.twin.recorded import RecordedStore
from trainworks.twin.services.cost_anomalies import CostAnomalies
from trainworks.twin.store import Database

CALLER = Caller("arn:aws:iam::000000000000:root", "000000000000", "us-east-1", "AKIA", is_root=True)
BY_TAG = {"MonitorType": "CUSTOM", "MonitorSpecification": {"Tags": {"Key": "user:Platform", "Values": ["p"]}}}
BY_SERVICE = {"MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"}
Invoke = Callable[..., Mapping[str, Any]]


@pytest.fixture
def invoke(tmp_path: Path) -> Iterator[Invoke]:
    database = Database(tmp_path / "twin.db")
    endpoint = CostAnomalies(RecordedStore(database, clock=lambda: 0.0), FakeControlPlane()).endpoint
    yield lambda operation, **params: endpoint.invoke(operation, params, CALLER)
    database.close()


def monitor(invoke: Invoke, name: str = "m", **kind: Any) -> str:
    made = invoke("CreateAnomalyMonitor", AnomalyMonitor={"MonitorName": name, **(kind or BY_TAG)})
    return str(made["MonitorArn"])


def test_an_account_has_one_monitor_by_dimension_and_many_by_tag(invoke: Invoke) -> None:
    monitor(invoke, **BY_SERVICE)
    with pytest.raises(ApiError, match="LimitExceededException"):
        monitor(invoke, **BY_SERVICE)
    assert monitor(invoke, "a") != monitor(invoke, "b")


@pytest.mark.parametrize("kind", [{"MonitorType": "CUSTOM"}, {**BY_TAG, "MonitorType": "DIMENSIONAL"}])
def test_a_monitor_takes_what_belongs_to_its_kind(invoke: Invoke, kind: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="ValidationException"):
        monitor(invoke, **kind)


def test_a_subscription_needs_monitors_that_are_there(invoke: Invoke) -> None:
    subscription = {
        "SubscriptionName": "s",
        "MonitorArnList": ["arn:aws:ce::000000000000:anomalymonitor/none"],
        "Frequency": "DAILY",
        "Subscribers": [{"Type": "EMAIL", "Address": "a@example.org"}],
    }
    with pytest.raises(ApiError, match="UnknownMonitorException"):
        invoke("CreateAnomalySubscription", AnomalySubscription=subscription)


def test_monitors_are_listed_page_by_page(invoke: Invoke) -> None:
    arns = sorted(monitor(invoke, str(number)) for number in range(3))
    first = invoke("GetAnomalyMonitors", MaxResults=2)
    second = invoke("GetAnomalyMonitors", MaxResults=2, NextPageToken=first["NextPageToken"])
    assert [each["MonitorArn"] for each in (*first["AnomalyMonitors"], *second["AnomalyMonitors"])] == arns
    assert "NextPageToken" not in second


def test_a_renamed_monitor_keeps_the_rest_and_a_deleted_one_is_unknown(invoke: Invoke) -> None:
    arn = monitor(invoke)
    invoke("UpdateAnomalyMonitor", MonitorArn=arn, MonitorName="n")
    (found,) = invoke("GetAnomalyMonitors", MonitorArnList=[arn])["AnomalyMonitors"]
    assert (found["MonitorName"], found["MonitorSpecification"]) == ("n", BY_TAG["MonitorSpecification"])
    invoke("DeleteAnomalyMonitor", MonitorArn=arn)
    with pytest.raises(ApiError, match="UnknownMonitorException"):
        invoke("GetAnomalyMonitors", MonitorArnList=[arn])


def test_tags_are_added_and_taken_away(invoke: Invoke) -> None:
    arn = monitor(invoke)
    invoke("TagResource", ResourceArn=arn, ResourceTags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    invoke("UntagResource", ResourceArn=arn, ResourceTagKeys=["a"])
    assert invoke("ListTagsForResource", ResourceArn=arn) == {"ResourceTags": [{"Key": "b", "Value": "2"}]}


@pytest.mark.parametrize("most", [0, -1, -(10**9)])
@pytest.mark.parametrize("operation", ["GetAnomalyMonitors", "GetAnomalySubscriptions"])
def test_a_page_of_nothing_is_refused(invoke: Invoke, operation: str, most: int) -> None:
    with pytest.raises(ApiError, match="MaxResults is at least 1"):
        invoke(operation, MaxResults=most)


def test_those_that_are_named_are_listed_once_each_page_by_page(invoke: Invoke) -> None:
    arns = sorted(monitor(invoke, str(number)) for number in range(3))
    named = [arns[2], arns[0], arns[0]]
    first = invoke("GetAnomalyMonitors", MonitorArnList=named, MaxResults=1)
    second = invoke("GetAnomalyMonitors", MonitorArnList=named, MaxResults=1, NextPageToken=first["NextPageToken"])
    found = [*first["AnomalyMonitors"], *second["AnomalyMonitors"]]
    assert [each["MonitorArn"] for each in found] == [arns[0], arns[2]]
    assert "NextPageToken" not in second


def test_of_many_by_dimension_at_once_one_is_made(invoke: Invoke) -> None:
    outcomes: list[str] = []

    def create() -> None:
        try:
            outcomes.append(monitor(invoke, **BY_SERVICE))
        except ApiError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=create) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("LimitExceededException") == 11


def test_a_resource_has_at_most_200_tags_and_its_tags_go_with_it(invoke: Invoke) -> None:
    arn = monitor(invoke)
    tags = [{"Key": f"k{number}", "Value": ""} for number in range(200)]
    invoke("TagResource", ResourceArn=arn, ResourceTags=tags)
    with pytest.raises(ApiError, match="TooManyTagsException"):
        invoke("TagResource", ResourceArn=arn, ResourceTags=[{"Key": "more", "Value": ""}])
    invoke("DeleteAnomalyMonitor", MonitorArn=arn)
    with pytest.raises(ApiError, match="ResourceNotFoundException"):
        invoke("ListTagsForResource", ResourceArn=arn)

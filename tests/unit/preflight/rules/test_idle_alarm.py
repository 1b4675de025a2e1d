from __future__ import annotations

from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, nothing, only
from tests.unit.preflight.rules.watched import watched
from trainworks.preflight.rules.idle_alarm import RULE


def test_no_action() -> None:
    draft = watched()
    del draft.properties("Alarm")["AlarmActions"]
    assert "notifies nobody" in only(draft, RULE)[0].message


@pytest.mark.parametrize("value", [False, "false"])
def test_actions_switched_off(value: object) -> None:
    draft = watched()
    draft.properties("Alarm")["ActionsEnabled"] = value
    assert "switched off" in only(draft, RULE)[0].message


def test_a_composite_alarm_without_action() -> None:
    draft = watched()
    draft.add("Both", "AWS::CloudWatch::CompositeAlarm", {"AlarmRule": {"Fn::Sub": 'ALARM("${Alarm}")'}})
    (found,) = only(draft, RULE)
    assert found.place == "Both"


def test_an_alarm_that_a_composite_one_reads_needs_no_action() -> None:
    draft = watched()
    actions = draft.properties("Alarm").pop("AlarmActions")
    rule = {"Fn::Sub": 'ALARM("${Alarm}")'}
    draft.add("Both", "AWS::CloudWatch::CompositeAlarm", {"AlarmRule": rule, "AlarmActions": actions})
    assert RULE.code not in {each.code for each in draft.findings()}


def test_search_in_an_alarm() -> None:
    draft = watched()
    properties = draft.properties("Alarm")
    for name in ("Namespace", "MetricName", "Dimensions"):
        del properties[name]
    expression = "MAX(SEARCH('{AWS/SQS,QueueName} NumberOfMessagesSent', 'Sum', 60))"
    properties["Metrics"] = [{"Id": "e", "Expression": expression}]
    assert "refuses in alarms" in only(draft, RULE)[0].message


def test_a_disabled_rule_matches_nothing() -> None:
    draft = watched()
    draft.properties("Rule")["State"] = "DISABLED"
    assert "the rule Rule is disabled" in only(draft, RULE)[0].message


def _on(type_: str, properties: dict[str, Any], **alarm: Any) -> Draft:
    draft = watched()
    draft.add("Source", type_, properties)
    draft.properties("Alarm").update(alarm)
    return draft


def _metric(namespace: str, metric_name: str, **dimensions: Any) -> dict[str, Any]:
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": metric_name, "Dimensions": named}


SOURCE = {"Ref": "Source"}
GROUP = {"MinSize": "0", "MaxSize": "1"}
SWITCHED_ON: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        "AWS::AutoScaling::AutoScalingGroup",
        _metric("AWS/AutoScaling", "GroupInServiceInstances", AutoScalingGroupName=SOURCE),
        GROUP,
        {**GROUP, "MetricsCollection": [{"Granularity": "1Minute"}]},
    ),
    (
        "AWS::ECS::Cluster",
        _metric("ECS/ContainerInsights", "TaskCount", ClusterName=SOURCE),
        {},
        {"ClusterSettings": [{"Name": "containerInsights", "Value": "enabled"}]},
    ),
]


@pytest.mark.parametrize(("type_", "metric", "off", "on"), SWITCHED_ON)
def test_a_metric_that_is_not_switched_on(
    type_: str, metric: dict[str, Any], off: dict[str, Any], on: dict[str, Any]
) -> None:
    draft = _on(type_, off, **metric)
    found = [each for each in draft.findings() if each.code == RULE.code]
    assert ["never emitted" in each.message for each in found] == [True]
    draft.properties("Alarm")["TreatMissingData"] = "breaching"
    assert RULE.code not in {each.code for each in draft.findings()}
    assert RULE.code not in {each.code for each in _on(type_, on, **metric).findings()}


@pytest.mark.parametrize(("filter_id", "is_fault"), [("other", True), ("all", False)])
def test_request_metrics_of_a_bucket(filter_id: str, is_fault: bool) -> None:
    bucket = {"MetricsConfigurations": [{"Id": filter_id}]}
    draft = _on("AWS::S3::Bucket", bucket, **_metric("AWS/S3", "4xxErrors", BucketName=SOURCE, FilterId="all"))
    assert (RULE.code in {each.code for each in draft.findings()}) is is_fault


def test_another_action_will_do() -> None:
    draft = watched()
    properties = draft.properties("Alarm")
    properties["OKActions"] = properties.pop("AlarmActions")
    nothing(draft)

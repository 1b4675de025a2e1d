from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, nothing, only
from tests.unit.preflight.rules.watched import DASHBOARD, watched
from trainworks.preflight.finding import Severity
from trainworks.preflight.rules.widget_metric import RULE


def _with(*rows: list[Any]) -> Draft:
    widgets = [
        *DASHBOARD["widgets"],
        {"type": "metric", "properties": {"title": "new", "metrics": list(rows)}},
        {"type": "text", "properties": {"markdown": "ALL"}},
    ]
    draft = watched()
    draft.properties("Dashboard")["DashboardBody"] = json.dumps({"widgets": widgets})
    return draft


def _search(terms: str) -> list[Any]:
    return [{"expression": f"SUM(SEARCH('{terms}', 'Sum', 60))", "id": "e"}]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([["AWS/SageMaker", "TrainingJobsCount", {"stat": "Sum"}]], "no metric TrainingJobsCount"),
        ([["AWS/SageMaker", "ModelLatency", "EndpointName", "e"]], "not emitted by {EndpointName}"),
        ([["AWS/SQS", "NumberOfMessagesSent", "QueueName", "ALL"]], "QueueName is ALL, which is not a wildcard"),
        ([["AWS/SQS", "NumberOfMessagesSent", "QueueName", "*"]], "QueueName is *, which is not a wildcard"),
        ([["AWS/SQS", "NumberOfMessagesSent", "QueueName", "q"], [".", "Sent", ".", "."]], "no metric Sent"),
        ([["AWS/SQS", "NumberOfMessagesSent", "QueueName", "q"], ["...", "ALL"]], "QueueName is ALL"),
        ([_search('{AWS/SageMaker,Host} MetricName="CPUUtilization"')], "no metric CPUUtilization"),
        ([_search('{/aws/sagemaker/TrainingJobs,Job} MetricName="CPUUtilization"')], "not emitted by {Job}"),
        ([_search('{AWS/SQS,QueueName} MetricName=("NumberOfMessagesSent" OR "Sent")')], "no metric Sent"),
        ([_search("{AWS/SQS,Name}")], "AWS/SQS metrics are not emitted by {Name}"),
        ([[{"expression": 'SELECT SUM(Sent) FROM SCHEMA("AWS/SQS", QueueName)'}]], "no metric Sent"),
    ],
)
def test_a_widget_without_data(rows: list[list[Any]], told: str) -> None:
    (found,) = only(_with(*rows), RULE)
    assert found.is_error
    assert found.message.startswith("widget new stays empty")
    assert told in found.message


def test_the_fix_of_a_wildcard_is_a_search() -> None:
    (found,) = only(_with(["AWS/SQS", "NumberOfMessagesSent", "QueueName", "ALL"]), RULE)
    assert found.fix == "SEARCH('{AWS/SQS,QueueName} MetricName=\"NumberOfMessagesSent\"', 'Average', 60)"


def test_a_namespace_of_nobody_is_doubtful() -> None:
    (found,) = only(_with(["Acme/Jobs", "Errors"]), RULE)
    assert found.severity is Severity.WARNING


@pytest.mark.parametrize(
    "rows",
    [
        [["AWS/Lambda", "Errors", "FunctionName", "f"], ["...", "g"], [".", "Throttles", ".", "g", {"stat": "Sum"}]],
        [["AWS/SQS", "NumberOfMessagesSent", "QueueName", "q", {"id": "m1"}], [{"expression": "m1 * 2"}]],
        [
            _search(
                '{"AWS/PrivateLinkEndpoints","VPC Id","VPC Endpoint Id","Endpoint Type","Service Name"} BytesProcessed'
            )
        ],
        [[{"expression": 'SELECT SUM(NumberOfMessagesSent) FROM SCHEMA("AWS/SQS", QueueName) GROUP BY QueueName'}]],
        [[{"expression": "METRICS()"}]],
    ],
)
def test_widgets_with_data(rows: list[list[Any]]) -> None:
    nothing(_with(*rows))


def test_a_body_that_is_no_json_is_somebody_elses_fault() -> None:
    draft = watched()
    draft.properties("Dashboard")["DashboardBody"] = "{"
    assert RULE.code not in {each.code for each in draft.findings()}


def test_the_platforms_own_dashboard(platform: Callable[[str], Draft]) -> None:
    draft = platform("prod")
    bodies = [each for each in draft.graph().resources if each.type == "AWS::CloudWatch::Dashboard"]
    assert bodies, "prod has a dashboard"
    properties = draft.properties(bodies[0].place)
    body = properties["DashboardBody"]
    parts = body["Fn::Join"][1] if isinstance(body, dict) else [body]
    edited = [
        part.replace("{/aws/sagemaker/TrainingJobs,Host}", "{AWS/SageMaker,Host}") if isinstance(part, str) else part
        for part in parts
    ]
    assert edited != parts
    properties["DashboardBody"] = {"Fn::Join": ["", edited]}
    assert all(each.is_error for each in only(draft, RULE))

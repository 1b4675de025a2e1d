from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.assembly.graph import graph_of_template
from trainworks.preflight.metric_uses import MetricUse, metrics_of_dashboard


def _read(*rows: Any) -> list[MetricUse]:
    widgets = [{"type": "metric", "properties": {"title": "w", "metrics": list(rows)}}]
    body = json.dumps({"widgets": widgets})
    properties = {"DashboardName": "d", "DashboardBody": body}
    graph = graph_of_template({"Resources": {"D": {"Type": "AWS::CloudWatch::Dashboard", "Properties": properties}}})
    return list(metrics_of_dashboard(graph.resource("D")))


def test_shorthand() -> None:
    found = _read(
        ["AWS/EC2", "CPUUtilization", "InstanceId", "i-1", {"stat": "Average"}],
        ["...", "i-2"],
        [".", "NetworkIn", ".", "i-3"],
        [".", ".", ".", "."],
    )
    assert [(use.metric_name, use.dimensions) for use in found] == [
        ("CPUUtilization", {"InstanceId": "i-1"}),
        ("CPUUtilization", {"InstanceId": "i-2"}),
        ("NetworkIn", {"InstanceId": "i-3"}),
        ("NetworkIn", {"InstanceId": "i-3"}),
    ]
    assert {use.namespace for use in found} == {"AWS/EC2"}


NAMES = st.sampled_from(["A", "B", "C"])


@given(st.lists(st.tuples(NAMES, NAMES, NAMES, NAMES), min_size=1, max_size=4))
def test_shorthand_means_what_is_written_out(rows: list[tuple[str, str, str, str]]) -> None:
    short: list[list[str]] = []
    previous: tuple[str, ...] = ()
    for row in rows:
        short.append(["." if previous and each == previous[index] else each for index, each in enumerate(row)])
        previous = row
    assert _read(*short) == _read(*(list(row) for row in rows))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("SEARCH('{AWS/SQS,QueueName} MetricName=\"Sent\"', 'Sum', 60)", [("AWS/SQS", "Sent", {"QueueName"})]),
        ("SEARCH('{AWS/SQS,QueueName} MetricName=Sent jobs', 'Sum')", [("AWS/SQS", "Sent", {"QueueName"})]),
        ("SEARCH('{\"AWS/X\",\"VPC Id\"}', 'Sum')", [("AWS/X", "", {"VPC Id"})]),
        ("SEARCH(' MetricName=\"Sent\" ', 'Sum')", []),
        ('SELECT MAX(Sent) FROM SCHEMA("AWS/SQS", QueueName)', [("AWS/SQS", "Sent", {"QueueName"})]),
        ('SELECT MAX("Sent") FROM "AWS/SQS" GROUP BY QueueName', [("AWS/SQS", "Sent", set())]),
        ("m1 / m2", []),
    ],
)
def test_expressions(expression: str, expected: list[tuple[str, str, set[str]]]) -> None:
    found = _read([{"expression": expression}])
    assert [(use.namespace, use.metric_name, set(use.dimensions or ())) for use in found] == expected


def test_a_query_over_a_namespace_does_not_say_which_dimensions() -> None:
    (use,) = _read([{"expression": 'SELECT MAX(Sent) FROM "AWS/SQS"'}])
    assert use.dimensions is None

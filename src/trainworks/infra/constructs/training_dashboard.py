"""The dashboard of the training platform."""

from __future__ import annotations

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

_JOBS = "/aws/sagemaker/TrainingJobs"


class TrainingDashboard(Construct):
    """Utilisation per instance, the jobs' own metrics, failures, and endpoint latency.

    SageMaker's metrics carry the job's or instance's name as dimension, which no template can know: `SEARCH` finds
    them. Nothing is drawn from metrics that AWS does not emit.
    """

    def __init__(self, scope: Construct, id: str, *, rule_name: str) -> None:
        super().__init__(scope, id)
        failures = [["AWS/Events", "MatchedEvents", "RuleName", rule_name, {"stat": "Sum", "label": "Failed jobs"}]]
        rows = [
            [
                ("CPU utilization", _search(f"{{{_JOBS},Host}}", "CPUUtilization")),
                ("Memory utilization", _search(f"{{{_JOBS},Host}}", "MemoryUtilization")),
            ],
            [
                ("Disk utilization", _search(f"{{{_JOBS},Host}}", "DiskUtilization")),
                ("GPU utilization", _search(f"{{{_JOBS},Host}}", "GPUUtilization")),
            ],
            [
                ("Metrics of the jobs", _search(f"{{{_JOBS},TrainingJobName}}", None)),
                ("Failed training jobs", failures),
            ],
            [("Endpoint latency", _search("{AWS/SageMaker,EndpointName,VariantName}", "ModelLatency"))],
        ]
        stack = Stack.of(self)
        widgets = [
            _widget(title, metrics, column, row, stack.region)
            for row, cells in enumerate(rows)
            for column, (title, metrics) in enumerate(cells)
        ]
        dashboard = cloudwatch.CfnDashboard(self, "Resource", dashboard_body=stack.to_json_string({"widgets": widgets}))
        self.dashboard_name = dashboard.ref


def _search(schema: str, metric_name: str | None) -> list[list[Any]]:
    """A metric math search over all metrics of `schema`, or those called `metric_name`."""
    terms = f'{schema} MetricName="{metric_name}"' if metric_name else schema
    return [[{"expression": f"SEARCH('{terms}', 'Average', 60)", "id": "found"}]]


def _widget(title: str, metrics: list[list[Any]], column: int, row: int, region: str) -> dict[str, Any]:
    return {
        "type": "metric",
        "width": 12,
        "height": 6,
        "x": 12 * column,
        "y": 6 * row,
        "properties": {"title": title, "view": "timeSeries", "region": region, "period": 60, "metrics": metrics},
    }

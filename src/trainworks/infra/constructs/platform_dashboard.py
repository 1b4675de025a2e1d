"""The dashboard of the platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Fn, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

_JOBS = "/aws/sagemaker/TrainingJobs"
_ENDPOINTS = '{AWS/PrivateLinkEndpoints,"Endpoint Type","Service Name","VPC Endpoint Id","VPC Id"}'

Metrics = list[list[Any]]


@dataclass(frozen=True, slots=True)
class DashboardContent:
    """What can be drawn. `rule_names` of EventBridge rules by the label of what they match."""

    rule_names: Mapping[str, str]
    compute_environment_arns: Sequence[str] = ()
    nat_gateway_ids: Sequence[str] = ()
    endpoints_vpc_id: str | None = None


class PlatformDashboard(Construct):
    """Utilisation of training hosts, the jobs' own metrics, failures, Batch hosts, endpoint latency, traffic.

    Metrics of SageMaker, of the clusters that Batch makes and of VPC endpoints carry names as dimensions that no
    template can know: `SEARCH` finds them. Batch has no metrics of queues or jobs; rules that match its events do.
    """

    def __init__(self, scope: Construct, id: str, *, content: DashboardContent, region: str) -> None:
        super().__init__(scope, id)
        cells = [
            ("Training: CPU, % of one core", _search(f"{{{_JOBS},Host}}", "CPUUtilization")),
            ("Training: memory, %", _search(f"{{{_JOBS},Host}}", "MemoryUtilization")),
            ("Training: disk, %", _search(f"{{{_JOBS},Host}}", "DiskUtilization")),
            ("Training: GPU, %", _search(f"{{{_JOBS},Host}}", "GPUUtilization")),
            ("Training: metrics of the jobs", _search(f"{{{_JOBS},TrainingJobName}}", None)),
            ("What went wrong", _matches(content.rule_names)),
            *_batch(content.compute_environment_arns),
            ("Endpoints: latency, microseconds", _search("{AWS/SageMaker,EndpointName,VariantName}", "ModelLatency")),
            *_traffic(content),
        ]
        widgets = [_widget(title, metrics, number, region) for number, (title, metrics) in enumerate(cells)]
        dashboard = cloudwatch.CfnDashboard(
            self, "Resource", dashboard_body=Stack.of(self).to_json_string({"widgets": widgets})
        )
        self.dashboard_name = dashboard.ref


def _batch(compute_environment_arns: Sequence[str]) -> list[tuple[str, Metrics]]:
    """Reservation of the ECS clusters of compute environments, whose names contain those of the environments.

    Without quotes, then: in quotes a search finds names that are the same from end to end.
    """
    names = [Fn.select(1, Fn.split("/", arn)) for arn in compute_environment_arns]
    return [
        (
            f"Batch: reserved {what}, %",
            [
                [
                    {
                        "expression": _expression("{AWS/ECS,ClusterName}", metric, "Average", f"ClusterName={name}"),
                        "id": f"e{n}",
                    }
                ]
                for n, name in enumerate(names)
            ],
        )
        for what, metric in (("CPU", "CPUReservation"), ("memory", "MemoryReservation"))
        if names
    ]


def _traffic(content: DashboardContent) -> list[tuple[str, Metrics]]:
    cells: list[tuple[str, Metrics]] = []
    if content.nat_gateway_ids:
        cells.append(
            (
                "NAT gateway: bytes out",
                [
                    ["AWS/NATGateway", "BytesOutToDestination", "NatGatewayId", gateway_id, {"stat": "Sum"}]
                    for gateway_id in content.nat_gateway_ids
                ],
            )
        )
    if content.endpoints_vpc_id is not None:
        only = f'"VPC Id"="{content.endpoints_vpc_id}"'
        expression = _expression(_ENDPOINTS, "BytesProcessed", "Sum", only)
        cells.append(("Interface endpoints: bytes", [[{"expression": expression, "id": "found"}]]))
    return cells


def _matches(rule_names: Mapping[str, str]) -> Metrics:
    return [
        ["AWS/Events", "MatchedEvents", "RuleName", name, {"stat": "Sum", "label": label}]
        for label, name in rule_names.items()
    ]


def _search(schema: str, metric_name: str | None) -> Metrics:
    """A metric math search over all metrics of `schema`, or those called `metric_name`."""
    return [[{"expression": _expression(schema, metric_name, "Average"), "id": "found"}]]


def _expression(schema: str, metric_name: str | None, statistic: str, only: str = "") -> str:
    terms = [schema, f'MetricName="{metric_name}"' if metric_name else "", only]
    return f"SEARCH('{' '.join(term for term in terms if term)}', '{statistic}', 60)"


def _widget(title: str, metrics: Metrics, number: int, region: str) -> dict[str, Any]:
    row, column = divmod(number, 2)
    return {
        "type": "metric",
        "width": 12,
        "height": 6,
        "x": 12 * column,
        "y": 6 * row,
        "properties": {"title": title, "view": "timeSeries", "region": region, "period": 60, "metrics": metrics},
    }

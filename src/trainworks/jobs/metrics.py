"""Metrics of a training job from CloudWatch: its own (`MetricDefinitions`) and those of its hosts.

SageMaker publishes both in `/aws/sagemaker/TrainingJobs`: the job's own by `TrainingJobName`, a host's by
`Host=<job>/algo-<n>` ("Monitor Amazon SageMaker AI with Amazon CloudWatch" in the developer guide).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

NAMESPACE = "/aws/sagemaker/TrainingJobs"
HOST_METRICS = ("CPUUtilization", "MemoryUtilization", "DiskUtilization", "GPUUtilization", "GPUMemoryUtilization")
_QUERIES_AT_ONCE = 500
_FINE_FOR = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Point:
    """One value; `at` is UTC."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True, repr=False)
class MetricSeries:
    """One metric over time, oldest point first. `host` is `algo-<n>` for a host's, else None."""

    name: str
    host: str | None
    points: tuple[Point, ...]

    def __repr__(self) -> str:
        last = f", last {self.points[-1].value:.6g}" if self.points else ""
        return f"MetricSeries({self.name!r}, host={self.host!r}, {len(self.points)} points{last})"


def training_job_metrics(
    cloudwatch: CloudWatchClient, described: Mapping[str, Any], now: datetime | None = None
) -> list[MetricSeries]:
    """The metrics that have values, of the job that `DescribeTrainingJob` answered. One value a second where CloudWatch
    still keeps them (3 hours), else one a minute."""
    moment = now or datetime.now(UTC)
    start = described["CreationTime"] - timedelta(minutes=1)
    period = 1 if moment - start < _FINE_FOR else 60
    wanted = list(_wanted(described))
    queries = [
        {
            "Id": f"m{index}",
            "MetricStat": {
                "Metric": {
                    "Namespace": NAMESPACE,
                    "MetricName": name,
                    "Dimensions": [{"Name": dimension, "Value": value}],
                },
                "Period": period,
                "Stat": "Average",
            },
        }
        for index, (name, dimension, value) in enumerate(wanted)
    ]
    end = described.get("TrainingEndTime", moment) + timedelta(minutes=2)
    points = _values(cloudwatch, queries, start, end)
    return [
        MetricSeries(name, value.rpartition("/")[2] if dimension == "Host" else None, tuple(points[f"m{index}"]))
        for index, (name, dimension, value) in enumerate(wanted)
        if points.get(f"m{index}")
    ]


def _wanted(described: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(metric, dimension, its value) of every metric that such a job can have."""
    job = described["TrainingJobName"]
    for definition in described["AlgorithmSpecification"].get("MetricDefinitions", []):
        yield definition["Name"], "TrainingJobName", job
    for number in range(1, described["ResourceConfig"]["InstanceCount"] + 1):
        for name in HOST_METRICS:
            yield name, "Host", f"{job}/algo-{number}"


def _values(
    cloudwatch: CloudWatchClient, queries: list[dict[str, Any]], start: datetime, end: datetime
) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for first in range(0, len(queries), _QUERIES_AT_ONCE):
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries[first : first + _QUERIES_AT_ONCE],  # type: ignore[arg-type]
            StartTime=start,
            EndTime=end,
            ScanBy="TimestampAscending",
        )
        for result in (result for page in pages for result in page["MetricDataResults"]):
            found.setdefault(result["Id"], []).extend(
                Point(at, value) for at, value in zip(result["Timestamps"], result["Values"], strict=True)
            )
    return {key: sorted(points, key=lambda point: point.at) for key, points in found.items()}

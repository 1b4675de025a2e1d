"""Alarms, dashboards, log groups, budgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trainworks.assembly.graph import Graph, Resource
from trainworks.cost.metering import BY_USE, Assumptions, Meter, Reading, Unmetered, items, meter, whole_number
from trainworks.cost.money import DAYS_PER_MONTH

_ANOMALY_METRICS = 3
"""An anomaly alarm counts the metric and the two ends of its band ("Amazon CloudWatch pricing", alarms)."""


def alarm(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """Billed for each metric that it looks at, three times for a band, and thrice for periods below a minute."""
    del graph, assumptions
    queries = items(resource.get("Metrics"))
    if any(str(query.get("Expression", "")).lstrip().upper().startswith("SELECT") for query in queries):
        yield Unmetered("a Metrics Insights query is billed by the metrics that it finds")
        return
    stats = [query["MetricStat"] for query in queries if isinstance(query.get("MetricStat"), Mapping)]
    count = len(stats) or 1
    if any("ANOMALY_DETECTION_BAND" in str(query.get("Expression", "")) for query in queries):
        count *= _ANOMALY_METRICS
    periods = [whole_number(each) for each in (resource.get("Period"), *(stat.get("Period") for stat in stats))]
    is_fast = any(period is not None and period < 60 for period in periods)
    resolution = "high_resolution" if is_fast else "standard"
    what = f"{resolution.replace('_', ' ')} alarm" + (f" on {count} metrics" if count > 1 else "")
    yield meter(what, f"cloudwatch.alarm.{resolution}", count)


def composite_alarm(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield meter("composite alarm", "cloudwatch.alarm.composite", 1)


def dashboard(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield meter("dashboard", "cloudwatch.dashboard", 1)


def log_group(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del graph, assumptions
    if resource.get("LogGroupClass", default="STANDARD") != "STANDARD":
        yield Meter("lines written and stored", (), BY_USE)
        return
    yield meter("lines written", "logs.ingestion")
    yield meter("lines stored", "logs.storage")


def metric_filter(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    """The filter is free; its metrics are custom metrics, billed for the hours in which they have a value."""
    del resource, graph, assumptions
    yield meter("custom metric", "cloudwatch.metric")


def budget_action(resource: Resource, graph: Graph, assumptions: Assumptions) -> Iterator[Reading]:
    del resource, graph, assumptions
    yield Meter("budget with an action", ("budgets.action_budget",), DAYS_PER_MONTH, "an account's first two are free")

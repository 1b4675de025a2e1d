"""TW15: a widget that stays empty."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource
from trainworks.preflight.finding import Severity
from trainworks.preflight.metric_catalogue import objection
from trainworks.preflight.metric_uses import MetricUse, metrics_of_dashboard
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for dashboard in graph.of_type("AWS::CloudWatch::Dashboard"):
        for use in metrics_of_dashboard(dashboard):
            yield from _faults(graph, dashboard, use)


def _faults(graph: Graph, dashboard: Resource, use: MetricUse) -> Iterator[Fault]:
    if use.dimensions is None:
        return
    against = objection(graph, use.namespace, use.metric_name, tuple(use.dimensions))
    no_wildcard = f"{use.wildcard} is {use.dimensions[use.wildcard]}, which is not a wildcard" if use.wildcard else ""
    if against:
        also = f"; {no_wildcard}, but SEARCH finds all" if no_wildcard else ""
        yield Fault(
            dashboard,
            f"{use.where} stays empty: {against.message}{also}",
            _value(use),
            against.fix,
            against.severity,
        )
    elif no_wildcard:
        names = ",".join(use.dimensions)
        yield Fault(
            dashboard,
            f"{use.where} stays empty: {no_wildcard}",
            _value(use),
            f"SEARCH('{{{use.namespace},{names}}} MetricName=\"{use.metric_name}\"', 'Average', 60)",
        )


def _value(use: MetricUse) -> dict[str, object]:
    return {"Namespace": use.namespace, "MetricName": use.metric_name, "Dimensions": dict(use.dimensions or {})}


RULE = Rule(
    code="TW15",
    severity=Severity.ERROR,
    title="a dashboard's widget on a metric that nothing emits, or with ALL or * as a wildcard",
    origin="A dashboard without a single data point looks like a platform without load.",
    find=find,
)

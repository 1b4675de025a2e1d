"""TW14: an alarm on a metric that does not exist."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph
from trainworks.preflight.finding import Severity
from trainworks.preflight.metric_catalogue import objection
from trainworks.preflight.metric_uses import metrics_of_alarm
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for alarm in graph.of_type("AWS::CloudWatch::Alarm"):
        for use in metrics_of_alarm(alarm):
            if use.wildcard:
                yield Fault(
                    alarm,
                    f"watches {use.namespace} {use.metric_name} where {use.wildcard} is "
                    f"{(use.dimensions or {})[use.wildcard]}, which is not a wildcard: it can never fire",
                    dict(use.dimensions or {}),
                    "the name of one resource, or a metric query (SELECT ... FROM SCHEMA(...)) over all",
                )
                continue
            against = (
                objection(graph, use.namespace, use.metric_name, tuple(use.dimensions))
                if use.dimensions is not None
                else None
            )
            if against:
                yield Fault(
                    alarm,
                    f"can never fire: {against.message}",
                    {
                        "Namespace": use.namespace,
                        "MetricName": use.metric_name,
                        "Dimensions": dict(use.dimensions or {}),
                    },
                    against.fix,
                    against.severity,
                )


RULE = Rule(
    code="TW14",
    severity=Severity.ERROR,
    title="an alarm on a metric, or on dimensions, that nothing emits",
    origin="SageMaker has no metric of failed jobs; an alarm on one is green for ever.",
    find=find,
)

"""TW16: an alarm that notifies nobody, or that its own settings keep from firing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from trainworks.assembly.graph import Graph, Resource
from trainworks.preflight.finding import Severity
from trainworks.preflight.metric_uses import MetricUse, expressions_of_alarm, metrics_of_alarm
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads.values import flag, tables, text, texts

_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
_DISPLAYS = frozenset({"AWS::CloudWatch::Dashboard", "AWS::SNS::TopicPolicy", "AWS::KMS::Key", "AWS::IAM::Policy"})
_STORAGE_METRICS = frozenset({"BucketSizeBytes", "NumberOfObjects"})


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for alarm in graph.of_type(*_ALARMS):
        yield from _without_effect(graph, alarm)
    for alarm in graph.of_type("AWS::CloudWatch::Alarm"):
        yield from _searching(alarm)
        yield from _silent(graph, alarm)


def _without_effect(graph: Graph, alarm: Resource) -> Iterator[Fault]:
    if flag(alarm.get("ActionsEnabled")) is False:
        yield Fault(
            alarm,
            "its actions are switched off: it notifies nobody",
            "ActionsEnabled: false",
            "leave it out",
            Severity.WARNING,
        )
    elif not any(texts(alarm.get(name)) for name in _ACTIONS) and not _read_by_others(graph, alarm):
        yield Fault(
            alarm,
            "has no action, and nothing else reads it: it notifies nobody",
            "AlarmActions",
            "an SNS topic in AlarmActions",
            Severity.WARNING,
        )


def _read_by_others(graph: Graph, alarm: Resource) -> bool:
    """Whether a composite alarm, a deployment or something similar acts on its state."""
    return any(
        reference.source is not None and reference.source.type not in _DISPLAYS for reference in graph.users_of(alarm)
    )


def _searching(alarm: Resource) -> Iterator[Fault]:
    for expression in expressions_of_alarm(alarm):
        if "SEARCH(" in expression.upper().replace(" ", ""):
            yield Fault(
                alarm,
                "uses SEARCH, which CloudWatch refuses in alarms: the deployment fails",
                expression,
                "a metric query: SELECT ... FROM SCHEMA(...)",
            )


def _silent(graph: Graph, alarm: Resource) -> Iterator[Fault]:
    """Missing data counts as well, and the metric's source is not switched on."""
    if alarm.get("TreatMissingData") == "breaching":
        return
    for use in metrics_of_alarm(alarm):
        for name, value in (use.dimensions or {}).items():
            source = graph.owner(value)
            reason = _SOURCES.get((use.namespace, name), _always)(source, use) if source else ""
            if reason:
                yield Fault(
                    alarm,
                    f"watches {use.namespace} {use.metric_name}, which is never emitted: {reason}; "
                    "missing data counts as no alarm",
                    {"TreatMissingData": text(alarm.get("TreatMissingData")) or "missing"},
                    "switch the metric on, or watch one that is emitted",
                )


def _always(source: Resource, use: MetricUse) -> str:
    del source, use
    return ""


def _of_group(source: Resource, use: MetricUse) -> str:
    if source.type != "AWS::AutoScaling::AutoScalingGroup":
        return ""
    for each in tables(source.get("MetricsCollection", default=[])):
        if not texts(each.get("Metrics")) or use.metric_name in texts(each.get("Metrics")):
            return ""
    return f"{source.place} does not collect it (MetricsCollection)"


def _of_bucket(source: Resource, use: MetricUse) -> str:
    wanted = (use.dimensions or {}).get("FilterId")
    if source.type != "AWS::S3::Bucket" or use.metric_name in _STORAGE_METRICS or wanted is None:
        return ""
    filters = [text(each.get("Id")) for each in tables(source.get("MetricsConfigurations", default=[]))]
    return "" if wanted in filters else f"{source.place} has no request metrics called {wanted}"


def _of_rule(source: Resource, use: MetricUse) -> str:
    del use
    disabled = source.type == "AWS::Events::Rule" and source.get("State") == "DISABLED"
    return f"the rule {source.place} is disabled" if disabled else ""


def _of_function(source: Resource, use: MetricUse) -> str:
    if source.type != "AWS::Lambda::Function" or use.metric_name != "DeadLetterErrors":
        return ""
    return "" if source.get("DeadLetterConfig") else f"{source.place} has no dead-letter target"


def _of_cluster(source: Resource, use: MetricUse) -> str:
    del use
    if source.type != "AWS::ECS::Cluster":
        return ""
    for each in tables(source.get("ClusterSettings", default=[])):
        if each.get("Name") == "containerInsights" and each.get("Value") in ("enabled", "enhanced"):
            return ""
    return f"{source.place} does not have containerInsights enabled"


_SOURCES: Mapping[tuple[str, str], Callable[[Resource, MetricUse], str]] = {
    ("AWS/AutoScaling", "AutoScalingGroupName"): _of_group,
    ("AWS/S3", "BucketName"): _of_bucket,
    ("AWS/Events", "RuleName"): _of_rule,
    ("AWS/Lambda", "FunctionName"): _of_function,
    ("ECS/ContainerInsights", "ClusterName"): _of_cluster,
}
"""By namespace and dimension: why the resource that the dimension names emits nothing; empty if it does emit."""

RULE = Rule(
    code="TW16",
    severity=Severity.ERROR,
    title="an alarm without action, on a metric that is switched off, or with SEARCH",
    origin="The alarm is red for a week before somebody opens the console.",
    find=find,
)

"""Faults of what watches: failures that nobody is told of, metrics that do not exist, logs that are never written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.snapshot.platform import Stacks

TRAINING_LOG_GROUP = "/aws/sagemaker/TrainingJobs"
HOST_METRICS = ("CPUUtilization", "MemoryUtilization", "DiskUtilization", "GPUUtilization", "GPUMemoryUtilization")
WILDCARDS = {"ALL", "*"}


def failures_nobody_hears_of(platform: Stacks) -> Iterator[str]:
    rules = [platform.properties(each) for each in platform.resources("AWS::Events::Rule")]
    topics = {each.arn() for each in platform.resources("AWS::SNS::Topic")}
    failed = [
        rule
        for rule in rules
        if "SageMaker Training Job State Change" in (pattern := rule.get("EventPattern", {})).get("detail-type", [])
        and "Failed" in pattern.get("detail", {}).get("TrainingJobStatus", [])
    ]
    if not any(target["Arn"] in topics for rule in failed for target in rule["Targets"]):
        yield "no rule sends failed training jobs to a topic"
    for topic in platform.resources("AWS::SNS::Topic"):
        if "KmsMasterKeyId" not in topic.properties:
            yield f"{topic.logical_id} is not encrypted"
    for alarm in platform.resources("AWS::CloudWatch::Alarm"):
        if not alarm.properties.get("AlarmActions"):
            yield f"{alarm.logical_id} notifies nobody"
        if "MetricName" in alarm.properties:
            dimensions = {each["Name"] for each in alarm.properties.get("Dimensions", [])}
            yield from _unknown(
                alarm.logical_id, alarm.properties["Namespace"], alarm.properties["MetricName"], dimensions
            )


def widgets_without_data(platform: Stacks) -> Iterator[str]:
    for dashboard in platform.resources("AWS::CloudWatch::Dashboard"):
        body = json.loads(platform.properties(dashboard)["DashboardBody"])
        for metric in (m for w in body["widgets"] for m in w.get("properties", {}).get("metrics", [])):
            yield from _without_data(dashboard.logical_id, metric)


def _without_data(place: str, metric: list[Any]) -> Iterator[str]:
    words = [each for each in metric if isinstance(each, str)]
    if not words:  # an expression
        return
    namespace, name, *pairs = words
    dimensions = dict(zip(pairs[::2], pairs[1::2], strict=True))
    for key, value in dimensions.items():
        if value in WILDCARDS:
            yield f"{place}: {key} {value} is not a wildcard in {namespace} {name}"
    yield from _unknown(place, namespace, name, set(dimensions))


def _unknown(place: str, namespace: str, name: str, dimensions: set[str]) -> Iterator[str]:
    """What SageMaker's namespaces are known not to have; `preflight` has the whole catalogue."""
    if namespace == "AWS/SageMaker" and not dimensions:
        yield f"{place}: {namespace} has no metric {name} without dimensions"
    elif namespace == "AWS/SageMaker" and name in HOST_METRICS:
        yield f"{place}: {name} of a job's hosts is in {TRAINING_LOG_GROUP}, not in {namespace}"
    elif namespace == "AWS/SageMaker" and "EndpointName" in dimensions and "VariantName" not in dimensions:
        yield f"{place}: {name} needs EndpointName and VariantName"


def logs_that_are_never_written(platform: Stacks) -> Iterator[str]:
    known = {TRAINING_LOG_GROUP}
    for group in platform.resources("AWS::Logs::LogGroup"):
        name = platform.properties(group).get("LogGroupName")
        if isinstance(name, str) and name.startswith("/aws/sagemaker/") and name not in known:
            yield f"{group.logical_id}: SageMaker never writes to {name}"
    text = json.dumps([platform.properties(each) for each in platform.resources()])
    if not re.search(rf'"LogGroupName\\*": ?\\*"{TRAINING_LOG_GROUP}\\*"', text):
        yield f"nothing sets the retention of {TRAINING_LOG_GROUP}"

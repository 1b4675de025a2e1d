"""Which metrics exist: AWS's, from `data/metrics.json`, and those that the templates themselves bring about."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from trainworks.assembly.graph import Graph, Unknown
from trainworks.aws.iam.partial.conditions import tests_of
from trainworks.aws.wildcards import covers
from trainworks.preflight.finding import Severity
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.workloads import workloads_of
from trainworks.preflight.workloads.values import tables, text

_ANY = "*"
_PUT = "cloudwatch:PutMetricData"
_MAX_SHOWN = 3
Dimensions = frozenset[str]


@dataclass(frozen=True, slots=True)
class MetricGroup:
    """Metrics that are emitted under the same sets of dimensions."""

    metrics: frozenset[str]
    dimensions: frozenset[Dimensions]

    def has(self, metric_name: str) -> bool:
        return metric_name in self.metrics or _ANY in self.metrics


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a metric has no data, and the severity with which that is certain."""

    message: str
    fix: str
    severity: Severity


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(files(__package__).joinpath("data/metrics.json").read_text(encoding="utf-8"))
    return data


@lru_cache(maxsize=1)
def _namespaces() -> Mapping[str, tuple[MetricGroup, ...]]:
    return {
        namespace: tuple(
            MetricGroup(frozenset(group["metrics"]), frozenset(frozenset(names) for names in group["dimensions"]))
            for group in groups
        )
        for namespace, groups in _data()["namespaces"].items()
    }


def objection(graph: Graph, namespace: str, metric_name: str, dimensions: Collection[str]) -> Objection | None:
    """What speaks against data for the metric under exactly these dimensions; None if it exists or may exist.

    An empty `metric_name` stands for all metrics of the namespace under these dimensions.
    """
    if any(isinstance(each, Unknown) for each in (namespace, metric_name, *dimensions)):
        return None
    groups = _namespaces().get(namespace)
    if groups is None:
        return _unlisted(graph, namespace, metric_name)
    named = [group for group in groups if not metric_name or group.has(metric_name)]
    exact = frozenset(dimensions)
    if any(exact in group.dimensions for group in named):
        return None
    if _from_filters(graph, namespace, metric_name):
        return None
    exact_names = [group for group in named if metric_name in group.metrics] or named
    if not exact_names or (metric_name and not any(metric_name in group.metrics for group in named)):
        return _no_such_metric(namespace, metric_name, exact)
    known = sorted({names for group in exact_names for names in group.dimensions}, key=_order)
    return Objection(
        f"{namespace} {metric_name or 'metrics'} {'are' if not metric_name else 'is'} not emitted by "
        f"{_listed(exact)}: no data point ever has these dimensions",
        f"use the dimensions that it is emitted by: {' or '.join(_listed(names) for names in known[:_MAX_SHOWN])}",
        Severity.ERROR,
    )


def _no_such_metric(namespace: str, metric_name: str, dimensions: Dimensions) -> Objection:
    elsewhere = [
        f"{other} (by {' or '.join(sorted(_listed(names) for names in group.dimensions))})"
        for other, groups in _namespaces().items()
        for group in groups
        if metric_name in group.metrics and (not dimensions or dimensions in group.dimensions)
    ]
    return Objection(
        f"{namespace} has no metric {metric_name}: there will never be data",
        f"it is in {' and in '.join(elsewhere)}" if elsewhere else f"a metric that {namespace} emits",
        Severity.ERROR,
    )


def _unlisted(graph: Graph, namespace: str, metric_name: str) -> Objection | None:
    if namespace in _data()["unlisted"]:
        return None
    if namespace in _data()["absent"]:
        return Objection(
            f"no service of AWS writes the namespace {namespace}", str(_data()["absent"][namespace]), Severity.ERROR
        )
    if namespace.startswith(("AWS/", "/aws/")):
        return Objection(
            f"no service of AWS is known to write the namespace {namespace}",
            "the namespace as AWS's guide of the service writes it, case included",
            Severity.WARNING,
        )
    if _from_filters(graph, namespace, metric_name) or _may_be_written(graph, namespace):
        return None
    return Objection(
        f"nothing in these templates writes {namespace} {metric_name}: no metric filter, and no role that may",
        "a metric filter, or a role that may cloudwatch:PutMetricData into the namespace",
        Severity.WARNING,
    )


def _order(names: Dimensions) -> tuple[int, list[str]]:
    return len(names), sorted(names)


def _listed(names: Iterable[str]) -> str:
    return "{" + ", ".join(sorted(names)) + "}"


@lru_cache(maxsize=4)
def _filtered(graph: Graph) -> frozenset[tuple[str, str]]:
    """(namespace, name) of every metric filter."""
    return frozenset(
        (text(each.get("MetricNamespace")), text(each.get("MetricName")))
        for resource in graph.of_type("AWS::Logs::MetricFilter")
        for each in tables(resource.get("MetricTransformations", default=[]))
    )


def _from_filters(graph: Graph, namespace: str, metric_name: str) -> bool:
    return any(
        isinstance(name, Unknown) or isinstance(space, Unknown) or (space == namespace and metric_name in ("", name))
        for space, name in _filtered(graph)
    )


@lru_cache(maxsize=4)
def _written_namespaces(graph: Graph) -> tuple[str, ...]:
    """Patterns of the namespaces that roles may put metrics into; a function may write any, by what it logs."""
    if workloads_of(graph).functions:
        return (_ANY,)
    permissions = permissions_of(graph)
    patterns: dict[str, None] = {}
    for role in graph.of_type("AWS::IAM::Role"):
        for statement in permissions.of(role).statements:
            if not statement.allows or _ANY in statement.actions or statement.speaks_of(_PUT).value == "false":
                continue
            bounds = [values for _, key, values in tests_of(statement.condition or {}) if key == "cloudwatch:namespace"]
            patterns.update(dict.fromkeys(value for values in bounds or [(_ANY,)] for value in values))
    return tuple(patterns)


def _may_be_written(graph: Graph, namespace: str) -> bool:
    return any(isinstance(each, Unknown) or covers(each, namespace) for each in _written_namespaces(graph))

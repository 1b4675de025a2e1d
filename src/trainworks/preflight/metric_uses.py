"""Metrics that alarms and dashboards read.

CloudWatch User Guide, "Dashboard body structure and syntax" and "Use search expressions in graphs".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainworks.assembly.graph import Resource, Unknown
from trainworks.preflight.workloads.values import table, tables, text

_SEARCH = re.compile(r"SEARCH\(\s*(?:'([^']*)'|\"([^\"]*)\")", re.IGNORECASE)
_SCHEMA = re.compile(r"\{([^}]*)\}")
_METRIC_NAME = re.compile(r'MetricName\s*=\s*(?:"([^"]+)"|\(([^)]*)\)|([\w.%-]+))', re.IGNORECASE)
_QUOTED = re.compile(r'"([^"]+)"')
_QUERY = re.compile(
    r"SELECT\s+\w+\(\s*\"?([^\")]+?)\"?\s*\)\s+FROM\s+(?:SCHEMA\(\s*\"([^\"]+)\"([^)]*)\)|\"([^\"]+)\")", re.IGNORECASE
)
_WILDCARDS = ("ALL", "*")


@dataclass(frozen=True, slots=True)
class MetricUse:
    """A metric by its full name, or a search for metrics of a schema (`is_search`, then without values).

    `dimensions` is None if an expression does not name them; an empty `metric_name` is every metric.
    """

    namespace: str
    metric_name: str
    dimensions: Mapping[str, str] | None
    where: str = ""
    is_search: bool = False

    @property
    def wildcard(self) -> str:
        """The first dimension whose value is meant as a wildcard, which CloudWatch does not know."""
        if self.is_search or not self.dimensions:
            return ""
        return next((name for name, value in self.dimensions.items() if value in _WILDCARDS), "")


def metrics_of_alarm(alarm: Resource) -> Iterator[MetricUse]:
    """The metric, or those of the metric math, that an `AWS::CloudWatch::Alarm` watches."""
    if alarm.get("MetricName") is not None:
        yield MetricUse(text(alarm.get("Namespace")), text(alarm.get("MetricName")), _pairs(alarm.get("Dimensions")))
    for query in tables(alarm.get("Metrics", default=[])):
        metric = table(table(query.get("MetricStat")).get("Metric"))
        if metric:
            yield MetricUse(
                text(metric.get("Namespace")), text(metric.get("MetricName")), _pairs(metric.get("Dimensions"))
            )
        yield from _of_expression(text(query.get("Expression")), "")


def expressions_of_alarm(alarm: Resource) -> Iterator[str]:
    """The metric math of an alarm."""
    for query in tables(alarm.get("Metrics", default=[])):
        if "Expression" in query:
            yield text(query["Expression"])


def _pairs(dimensions: object) -> dict[str, str]:
    return {text(each.get("Name")): text(each.get("Value")) for each in tables(dimensions)}


def metrics_of_dashboard(dashboard: Resource) -> Iterator[MetricUse]:
    """The metrics of all widgets of an `AWS::CloudWatch::Dashboard`; none of a body that is not JSON.

    A body that is known in part still has its own words; what stands for the rest is a sentence, and left out.
    """
    body = dashboard.get("DashboardBody")
    try:
        parsed = json.loads(body) if isinstance(body, str) else body
    except ValueError:
        return
    for index, widget in enumerate(tables(table(parsed).get("widgets"))):
        properties = table(widget.get("properties"))
        title = text(properties.get("title")) or str(index)
        rows = properties.get("metrics")
        if widget.get("type") == "metric" and isinstance(rows, list):
            for use in _of_rows(rows, f"widget {title}"):
                if not isinstance(body, Unknown) or " " not in use.namespace + use.metric_name:
                    yield use


def _of_rows(rows: Sequence[Any], where: str) -> Iterator[MetricUse]:
    previous: list[str] = []
    for row in rows:
        if not isinstance(row, list):
            continue
        options = next((each for each in row if isinstance(each, Mapping)), {})
        named = _written_out([each for each in row if isinstance(each, str)], previous)
        if len(named) >= 2:
            previous = named
            names = named[2:]
            yield MetricUse(named[0], named[1], dict(zip(names[::2], names[1::2], strict=False)), where)
        yield from _of_expression(text(options.get("expression")), where)


def _written_out(row: list[str], previous: Sequence[str]) -> list[str]:
    """`.` repeats what the row before has at the place, `...` all that the row does not say itself."""
    if "..." in row:
        at = row.index("...")
        rest = row[at + 1 :]
        row = [*row[:at], *previous[at : max(at, len(previous) - len(rest))], *rest]
    return [previous[index] if each == "." and index < len(previous) else each for index, each in enumerate(row)]


def _of_expression(expression: str, where: str) -> Iterator[MetricUse]:
    if not expression or isinstance(expression, Unknown):
        return
    for match in _SEARCH.finditer(expression):
        yield from _of_search(match[1] or match[2] or "", where)
    query = _QUERY.search(expression)
    if query:
        metric_name, schema, dimensions, namespace = query.groups()
        names = [each.strip().strip('"') for each in (dimensions or "").split(",") if each.strip()]
        yield MetricUse(
            schema or namespace, metric_name, dict.fromkeys(names, "") if schema else None, where, is_search=True
        )


def _of_search(terms: str, where: str) -> Iterator[MetricUse]:
    schema = _SCHEMA.search(terms)
    if not schema:
        return
    namespace, *dimensions = [part.strip().strip('"') for part in schema[1].split(",")]
    names = []
    for quoted, several, bare in _METRIC_NAME.findall(terms):
        names += [quoted or bare] if quoted or bare else _QUOTED.findall(several)
    for name in names or [""]:
        yield MetricUse(namespace, name, dict.fromkeys(dimensions, ""), where, is_search=True)

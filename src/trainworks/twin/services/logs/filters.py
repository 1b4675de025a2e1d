"""Metric filters and subscription filters: put, described, tested, deleted. `derive` applies them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from sqlite3 import Row
from typing import Any

from trainworks.twin.ports import ApiError, ControlPlane
from trainworks.twin.services.logs.blocks import SQL
from trainworks.twin.services.logs.patterns import Fields, compile_pattern
from trainworks.twin.services.logs.request import Requests, decode_token, encode_token, group_arn, invalid, scope_of
from trainworks.twin.wire import Call, Operation, executed

METRIC, SUBSCRIPTION = "metric", "subscription"
PRINCIPAL = "logs.amazonaws.com"
_MOST = {METRIC: 100, SUBSCRIPTION: 2}
_PAGE = 50
_NOT_HERE = ("applyOnTransformedLogs", "fieldSelectionCriteria")


class Filters:
    """The operations on filters."""

    def __init__(self, requests: Requests, control_plane: ControlPlane) -> None:
        self._requests = requests
        self._store = requests.store
        self._control_plane = control_plane

    def operations(self) -> Mapping[str, Operation]:
        return {
            "PutMetricFilter": executed(
                self.put_metric_filter, refused_members=(*_NOT_HERE, "emitSystemFieldDimensions")
            ),
            "DescribeMetricFilters": executed(self.describe_metric_filters),
            "DeleteMetricFilter": executed(self.delete_metric_filter),
            "TestMetricFilter": executed(self.test_metric_filter),
            "PutSubscriptionFilter": executed(
                self.put_subscription_filter,
                "Delivers to Lambda functions; other destinations are refused.",
                refused_members=(*_NOT_HERE, "emitSystemFields"),
            ),
            "DescribeSubscriptionFilters": executed(self.describe_subscription_filters),
            "DeleteSubscriptionFilter": executed(self.delete_subscription_filter),
        }

    def put_metric_filter(self, call: Call) -> dict[str, Any]:
        """Raises `InvalidParameterException` for a pattern or a value that says nothing."""
        group = self._requests.group(call)
        compile_pattern(call.params["filterPattern"])
        transformations = call.params["metricTransformations"]
        for each in transformations:
            _check_transformation(each)
        spec = {"filterPattern": call.params["filterPattern"], "metricTransformations": transformations}
        return self._put(call, group, METRIC, spec)

    def describe_metric_filters(self, call: Call) -> dict[str, Any]:
        params = call.params
        metric, namespace = params.get("metricName"), params.get("metricNamespace")
        if (metric is None) != (namespace is None):
            raise invalid("Describe Metric Filters request must contain both MetricName and MetricNamespace")
        if "logGroupName" in params:
            group = self._requests.group(call)
            rows = [(row, group["name"]) for row in self._rows(group, METRIC)]
        else:
            self._requests.authorize(call, "")
            query = (*scope_of(call.caller), METRIC)
            rows = [(row, row["group_name"]) for row in self._store.database.read(SQL["filters_of_account"], query)]
        prefix = params.get("filterNamePrefix", "")
        shown = [
            {
                "filterName": row["name"],
                "logGroupName": name,
                "creationTime": row["created_ms"],
                **json.loads(row["spec"]),
            }
            for row, name in rows
            if row["name"].startswith(prefix)
        ]
        if metric is not None:
            shown = [
                each
                for each in shown
                if any(
                    (one["metricName"], one["metricNamespace"]) == (metric, namespace)
                    for one in each["metricTransformations"]
                )
            ]
        return _paged(call, "metricFilters", shown)

    def delete_metric_filter(self, call: Call) -> dict[str, Any]:
        return self._delete(call, METRIC)

    def test_metric_filter(self, call: Call) -> dict[str, Any]:
        self._requests.authorize(call, "")
        pattern = compile_pattern(call.params["filterPattern"])
        matches = []
        for number, message in enumerate(call.params["logEventMessages"], 1):
            fields = pattern.match(message)
            if fields is not None:
                matches.append({"eventNumber": number, "eventMessage": message, "extractedValues": dict(fields)})
        return {"matches": matches}

    def put_subscription_filter(self, call: Call) -> dict[str, Any]:
        group, destination = self._requests.group(call), call.params["destinationArn"]
        compile_pattern(call.params["filterPattern"])
        parts = destination.split(":")
        if len(parts) < 7 or parts[2] != "lambda" or parts[5] != "function":
            raise invalid(
                f"trainworks delivers log events to Lambda functions only, not to {destination}; "
                "see docs/reference/fidelity.md"
            )
        source = f"{group_arn(call.caller, group['name'])}:*"
        if refusal := self._control_plane.function_refusal(destination, PRINCIPAL, source):
            raise invalid(
                "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute "
                f"your function. {refusal}"
            )
        spec = {
            "filterPattern": call.params["filterPattern"],
            "destinationArn": destination,
            "distribution": call.params.get("distribution", "ByLogStream"),
        }
        if "roleArn" in call.params:
            spec["roleArn"] = call.params["roleArn"]
        return self._put(call, group, SUBSCRIPTION, spec)

    def describe_subscription_filters(self, call: Call) -> dict[str, Any]:
        group, prefix = self._requests.group(call), call.params.get("filterNamePrefix", "")
        shown = [
            {
                "filterName": row["name"],
                "logGroupName": group["name"],
                "creationTime": row["created_ms"],
                **json.loads(row["spec"]),
            }
            for row in self._rows(group, SUBSCRIPTION)
            if row["name"].startswith(prefix)
        ]
        return _paged(call, "subscriptionFilters", shown)

    def delete_subscription_filter(self, call: Call) -> dict[str, Any]:
        return self._delete(call, SUBSCRIPTION)

    def _rows(self, group: Row, kind: str) -> list[Row]:
        return self._store.database.read(SQL["filters"], (group["group_id"], kind))

    def _put(self, call: Call, group: Row, kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        name, group_id = call.params["filterName"], group["group_id"]
        if ":" in name or "*" in name:
            raise invalid(
                f"1 validation error detected: Value '{name}' at 'filterName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [^:*]*"
            )
        with self._store.database.transaction() as tx:
            others = [row for row in tx.execute(SQL["filters"], (group_id, kind)) if row["name"] != name]
            if len(others) >= _MOST[kind]:
                raise ApiError("LimitExceededException", f"Resource limit exceeded: {_MOST[kind]} {kind} filters.")
            self._store.put_filter(group, kind, name, spec, self._store.now_ms())
        return {}

    def _delete(self, call: Call, kind: str) -> dict[str, Any]:
        group = self._requests.group(call)
        with self._store.database.transaction() as tx:
            key = (group["group_id"], kind, call.params["filterName"])
            if tx.execute(SQL["delete_filter"], key).rowcount == 0:
                raise ApiError("ResourceNotFoundException", f"The specified {kind} filter does not exist.")
            tx.execute(SQL["set_has_filters"], {"group_id": group["group_id"]})
        return {}


def value_of(text: str, fields: Fields) -> float | None:
    """The value of a transformation: a number, or `$field`; None if the event has none."""
    found = fields.get(text) if text.startswith("$") else text
    try:
        return float(found) if found is not None else None
    except ValueError:
        return None


def _check_transformation(each: Mapping[str, Any]) -> None:
    value, dimensions = each["metricValue"], each.get("dimensions", {})
    number = value_of(value, {})
    if not value.startswith("$") and (number is None or not math.isfinite(number)):
        raise invalid(f"Invalid metric transformation: the metric value '{value}' is neither a number nor a $field")
    if dimensions and "defaultValue" in each:
        raise invalid("Invalid metric transformation: dimensions and default value are mutually exclusive.")
    if len(dimensions) > 3:
        raise invalid("Invalid metric transformation: a metric filter has at most 3 dimensions.")


def _paged(call: Call, member: str, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A page of filters by name; few, as a group has at most a hundred."""
    start = max(0, (decode_token(call, int) or [0])[0])
    limit = call.params.get("limit", _PAGE)
    answer: dict[str, Any] = {member: items[start : start + limit]}
    if start + limit < len(items):
        answer["nextToken"] = encode_token([start + limit], call)
    return answer

"""Alarms on an expression: `Metrics` of `PutMetricAlarm`, by the API and in stacks; stock drops or refuses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainworks.twin.emulator.cloudwatch.metric_checks import request_of
from trainworks.twin.emulator.cloudwatch.metric_math import MathError, names_in
from trainworks.twin.ports import ApiError

Queries = Sequence[Mapping[str, Any]]

_CODE = "ValidationError"
_OF_ONE_METRIC = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit")


def install(cloudwatch: Any) -> None:
    """CloudWatch was loaded."""
    stock = cloudwatch._put_metric_alarm

    def put_metric_alarm(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        try:
            given = request_of(cloudwatch, "PutMetricAlarm", params, cbor_data, is_document=is_cbor or is_json)
            queries = checked(given)
        except ApiError as error:
            return cloudwatch._error(error.code, error.message, error.status, use_json=is_json, use_cbor=is_cbor)
        response = stock(params, cbor_data, is_cbor, is_json)
        if queries and response[0] == 200:
            alarm = _on_queries(cloudwatch._alarms[given["AlarmName"]], queries)
            cloudwatch._alarms[given["AlarmName"]] = alarm
            cloudwatch._evaluate_alarm(alarm)
        return response

    cloudwatch._put_metric_alarm = put_metric_alarm


def install_type(provisioners: Any) -> None:
    """CloudFormation was loaded: an alarm of a stack may have `Metrics` as well."""
    stock: Callable[[str, dict[str, Any]], dict[str, Any]] = provisioners._cw_metric_alarm_record

    def record(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        if not properties.get("Metrics"):
            return stock(name, properties)
        queries = checked({**properties, "Metrics": [_plain(each) for each in properties["Metrics"]]})
        bare = {key: value for key, value in properties.items() if key != "Metrics"}
        return _on_queries(stock(name, {**bare, "MetricName": "-", "Namespace": "-"}), queries)

    provisioners._cw_metric_alarm_record = record


def queries_of(alarm: Mapping[str, Any]) -> Queries:
    """The queries of an alarm on an expression; empty for one on a metric."""
    return alarm.get("Metrics") or ()


def end_of(queries: Queries) -> str:
    """The id of the query whose values are compared: the one that returns data."""
    return next(str(each["Id"]) for each in queries if each.get("ReturnData", True))


def period_of(queries: Queries) -> int:
    """Seconds of one evaluated period."""
    periods = [int((each.get("MetricStat") or each).get("Period") or 0) for each in queries]
    return max([*periods, 1])


def checked(given: Mapping[str, Any]) -> Queries:
    """The queries of a request, or none for an alarm on a metric. Raises `ApiError`."""
    queries: Queries = given.get("Metrics") or ()
    if not queries:
        return ()
    if given.get("MetricName"):
        raise ApiError(_CODE, "An alarm is either on MetricName or on Metrics, not on both.")
    returned = [each["Id"] for each in queries if each.get("ReturnData", True)]
    if len(returned) != 1:
        raise ApiError(_CODE, f"Exactly one element of the metrics list should return data, not {len(returned)}.")
    known = {each["Id"] for each in queries}
    if len(known) < len(queries):
        raise ApiError(_CODE, "The values for parameter id in Metrics are not unique.")
    for each in queries:
        if ("Expression" in each) == ("MetricStat" in each):
            raise ApiError(_CODE, f"Exactly one of MetricStat and Expression must be given for {each['Id']}.")
        _check_expression(each, known)
    return queries


def _check_expression(query: Mapping[str, Any], known: set[str]) -> None:
    if "Expression" not in query:
        return
    try:
        missing = sorted(names_in(query["Expression"]) - known)
    except MathError as error:
        raise ApiError(_CODE, f"Invalid metrics list: {query['Expression']}: {error}") from error
    if missing:
        raise ApiError(_CODE, f"Invalid metrics list: {query['Expression']} refers to {', '.join(missing)}.")


def _on_queries(alarm: Mapping[str, Any], queries: Queries) -> dict[str, Any]:
    kept = {name: value for name, value in alarm.items() if name not in _OF_ONE_METRIC}
    return {**kept, "Metrics": [dict(each) for each in queries]}


def _plain(query: Mapping[str, Any]) -> dict[str, Any]:
    """A query of a template, whose numbers and booleans may be texts."""
    found = dict(query)
    if isinstance(found.get("ReturnData"), str):
        found["ReturnData"] = found["ReturnData"].lower() == "true"
    if "MetricStat" in found:
        found["MetricStat"] = {**found["MetricStat"], "Period": int(found["MetricStat"]["Period"])}
    return found

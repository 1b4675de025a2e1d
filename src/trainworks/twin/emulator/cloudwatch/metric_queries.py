"""`GetMetricData`, and the limits of `GetMetricStatistics`.

Stock answers the oldest first whatever is asked, knows no expression and no page, mixes what was published with
dimensions into what has none, and computes any number of points. After the API's documentation of both operations.
"""

from __future__ import annotations

import base64
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from trainworks.twin.emulator.cloudwatch.metric_checks import request_of
from trainworks.twin.emulator.cloudwatch.metric_data import MetricData, dims_key
from trainworks.twin.emulator.cloudwatch.metric_math import (
    Array,
    Frame,
    MathError,
    Series,
    beginning,
    compute,
    names_in,
    times,
)
from trainworks.twin.ports import ApiError

_MOST_POINTS, _MOST_STATISTICS, _MOST_QUERIES = 100_800, 1_440, 500
_FINE = (1, 5, 10, 20, 30)
_VALIDATION = "ValidationError"


def install(cloudwatch: Any, data: MetricData) -> None:
    """CloudWatch was loaded, and its data is ours."""
    stock = cloudwatch._get_metric_statistics

    def get_metric_data(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        try:
            given = request_of(cloudwatch, "GetMetricData", params, cbor_data, is_document=is_cbor or is_json)
            results, token = MetricDataRequest(cloudwatch, data, given).page()
        except ApiError as error:
            return cloudwatch._error(error.code, error.message, error.status, use_json=is_json, use_cbor=is_cbor)
        document: dict[str, Any] = {"MetricDataResults": results, "Messages": []}
        if token:
            document["NextToken"] = token
        if is_cbor:
            cbor = [cloudwatch._cbor_metric_data_result(each) for each in results]
            return cloudwatch._cbor_ok({**document, "MetricDataResults": cbor})
        return cloudwatch._json_ok(document) if is_json else _xml(cloudwatch, results, token)

    def get_metric_statistics(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        def given(name: str) -> Any:
            return cbor_data.get(name) if is_cbor or is_json else cloudwatch._p(params, name) or None

        try:
            start, end = cloudwatch._parse_ts(given("StartTime")), cloudwatch._parse_ts(given("EndTime"))
            _check_range(start, end, "InvalidParameterValue")
            period = int(given("Period") or 60)
            _check_period(period, "InvalidParameterValue")
            if (asked := math.ceil((end - start) / period)) > _MOST_STATISTICS:
                raise ApiError(
                    "InvalidParameterCombination",
                    f"You have requested up to {asked:,} datapoints, which exceeds the limit of {_MOST_STATISTICS:,}. "
                    "You may reduce the datapoints requested by increasing Period, or decreasing the time range.",
                )
        except ApiError as error:
            return cloudwatch._error(error.code, error.message, error.status, use_json=is_json, use_cbor=is_cbor)
        return stock(params, cbor_data, is_cbor, is_json)

    cloudwatch._get_metric_data = get_metric_data
    cloudwatch._get_metric_statistics = get_metric_statistics


class MetricDataRequest:
    """One request: its queries checked, computed once each, and cut into a page.

    Periods begin at multiples of their length after `origin`. Raises `ApiError`, as its methods do.
    """

    def __init__(self, cloudwatch: Any, data: MetricData, given: Mapping[str, Any], origin: int = 0) -> None:
        self._origin = origin
        self._cloudwatch = cloudwatch
        self._data = data
        self._given = given
        self._start, self._end = (int(given[name].timestamp()) for name in ("StartTime", "EndTime"))
        _check_range(self._start, self._end, _VALIDATION)
        self._queries: dict[str, Mapping[str, Any]] = {}
        for query in given["MetricDataQueries"]:
            self._check(query)
            self._queries[query["Id"]] = query
        self._values: dict[str, Any] = {}
        self._periods: dict[str, int] = {}
        self._computing: list[str] = []

    def page(self) -> tuple[list[dict[str, Any]], str]:
        """The results of this page, and the token of the next or nothing."""
        newest_first = self._given.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        most = min(int(self._given.get("MaxDatapoints") or _MOST_POINTS), _MOST_POINTS)
        skip = _offset(self._given.get("NextToken"))
        results: list[dict[str, Any]] = []
        seen, left, more = 0, most, False
        for label, name, series in self._returned():
            points = sorted(series.items(), reverse=newest_first)
            begin = min(max(skip - seen, 0), len(points))
            seen += len(points)
            if begin == len(points) and points:
                continue  # on a page before
            part = points[begin : begin + left]
            left -= len(part)
            more |= begin + len(part) < len(points)
            if part or not points:
                results.append(_result(name, label, part, complete=begin + len(part) == len(points)))
        return results, _token(skip + most - left) if more else ""

    def value_at(self, name: str, moments: Sequence[int]) -> list[float | None]:
        """What the query gives for the periods that begin at these times; None if there is no data."""
        value = self._value(name)
        if isinstance(value, Array):
            raise ApiError(_VALIDATION, f"The query {name} gives more than one time series")
        if isinstance(value, dict):
            return [value.get(at) for at in moments]
        return [None if math.isnan(float(value)) else float(value) for _ in moments]

    def _check(self, query: Mapping[str, Any]) -> None:
        name = query["Id"]
        if not name[:1].islower():
            raise ApiError(_VALIDATION, f"The value {name} for parameter Id does not begin with a lowercase letter.")
        if name in self._queries:
            raise ApiError(_VALIDATION, f"The values for parameter id are not unique: {name}.")
        if ("Expression" in query) == ("MetricStat" in query):
            raise ApiError(_VALIDATION, f"Exactly one of MetricStat and Expression must be given for {name}.")
        if "MetricStat" in query:
            _check_period(int(query["MetricStat"]["Period"]), _VALIDATION)
        if len(self._queries) >= _MOST_QUERIES:
            raise ApiError(_VALIDATION, f"The collection MetricDataQueries must not have more than {_MOST_QUERIES}.")

    def _returned(self) -> Any:
        """(label, id, series) of each result; an array gives a result for each of its series."""
        for name, query in self._queries.items():
            if query.get("ReturnData", True) is False:
                continue
            value, label = self._value(name), query.get("Label")
            if not isinstance(value, dict):
                number = float(value)
                value = {} if math.isnan(number) else dict.fromkeys(self._moments(name), number)
            if isinstance(value, Array):
                for member, series in value.items():
                    yield f"{label} {member}" if label else member, name, series
                continue
            metric = (query.get("MetricStat") or {}).get("Metric") or {}
            yield label or metric.get("MetricName") or name, name, value

    def _moments(self, name: str) -> range:
        try:
            return times(self._start, self._end, self._periods[name], self._origin)
        except MathError as error:
            raise ApiError(_VALIDATION, f"Error in expression '{name}': {error}") from error

    def _value(self, name: str) -> Any:
        if name not in self._values:
            query = self._queries[name]
            if "MetricStat" in query:
                self._periods[name] = int(query["MetricStat"]["Period"])
                self._values[name] = self._series(query["MetricStat"])
            else:
                self._values[name] = self._computed(name, query)
        return self._values[name]

    def _computed(self, name: str, query: Mapping[str, Any]) -> Any:
        if name in self._computing:
            raise ApiError(_VALIDATION, f"Error in expression '{name}': it refers to itself")
        self._computing.append(name)
        text = query["Expression"]
        metrics = tuple(each for each, other in self._queries.items() if "MetricStat" in other)
        try:
            used = names_in(text) & set(self._queries)
            if "METRICS" in text:
                used |= set(metrics)
            values = {each: self._value(each) for each in sorted(used)}
            periods = [self._periods[each] for each in used]
            self._periods[name] = int(query.get("Period") or max(periods, default=60))
            frame = Frame(values, metrics, self._periods[name], self._start, self._end, self._origin)
            return compute(text, frame)
        except MathError as error:
            raise ApiError(_VALIDATION, f"Error in expression '{name}' [{text}]: {error}") from error
        finally:
            self._computing.pop()

    def _series(self, stat: Mapping[str, Any]) -> Series:
        metric, period, unit = stat["Metric"], int(stat["Period"]), stat.get("Unit")
        dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions") or []}
        row = self._data.find((metric["Namespace"], metric["MetricName"], dims_key(dimensions)))
        buckets: dict[int, list[Any]] = defaultdict(list)
        for point in self._data.points(row, self._start, self._end) if row is not None else ():
            if unit is None or point["Unit"] == unit:
                buckets[beginning(point["Timestamp"], period, self._origin)].append(point)
        found = {
            at: self._cloudwatch._stat_value(self._cloudwatch._calc_stats(points), stat["Stat"], points)
            for at, points in buckets.items()
        }
        return {at: float(value) for at, value in found.items() if value is not None}


def _check_range(start: float | None, end: float | None, code: str) -> None:
    if start is None or end is None or start >= end:
        raise ApiError(code, "The parameter StartTime must be less than the parameter EndTime.")


def _check_period(period: int, code: str) -> None:
    if period not in _FINE and (period < 60 or period % 60):
        raise ApiError(code, f"The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, not {period}.")


def _result(name: str, label: str, points: list[tuple[int, float]], *, complete: bool) -> dict[str, Any]:
    return {
        "Id": name,
        "Label": label,
        "Timestamps": [datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": "Complete" if complete else "PartialData",
    }


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode()


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except ValueError:
        raise ApiError("InvalidNextToken", f"The NextToken {token} is invalid.") from None


def _xml(cloudwatch: Any, results: list[dict[str, Any]], token: str) -> Any:
    members = ""
    for each in results:
        times = "".join(f"<member>{time}</member>" for time in each["Timestamps"])
        values = "".join(f"<member>{value}</member>" for value in each["Values"])
        members += (
            f"<member><Id>{each['Id']}</Id><Label>{escape(each['Label'])}</Label>"
            f"<StatusCode>{each['StatusCode']}</StatusCode><Timestamps>{times}</Timestamps><Values>{values}</Values>"
            "</member>"
        )
    more = f"<NextToken>{token}</NextToken>" if token else ""
    document = f"<MetricDataResults>{members}</MetricDataResults><Messages/>{more}"
    return cloudwatch._xml(200, "GetMetricDataResponse", f"<GetMetricDataResult>{document}</GetMetricDataResult>")

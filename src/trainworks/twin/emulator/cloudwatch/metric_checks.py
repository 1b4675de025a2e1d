"""What `cloudwatch:PutMetricData` refuses, in CloudWatch's words; stock stores whatever it is given.

One bad datum fails its own call before anything is stored, and nobody else's afterwards. Sources: the API's model, and
the documentation of `PutMetricData` and `MetricDatum` (range of values, two weeks back, two hours ahead, 150 values).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.cloudwatch.metric_data import MetricData
from trainworks.twin.ports import ApiError
from trainworks.twin.wire.call import Request
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.protocols.query import Query
from trainworks.twin.wire.validation import validate

_CODE = "InvalidParameterValue"
_LEAST, _MOST = 8.515920e-109, 1.174271e108
_BEHIND_SECONDS, _AHEAD_SECONDS = 14 * 86_400 + 3600, 2 * 3600 + 60
_MOST_DATA, _MOST_VALUES = 1000, 150


def install(cloudwatch: Any, data: MetricData) -> None:
    """CloudWatch was loaded: check first, then store all of a call in one commit."""

    def put_metric_data(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        try:
            given = request_of(cloudwatch, "PutMetricData", params, cbor_data, is_document=is_cbor or is_json)
            check(given, time.time())
        except ApiError as error:
            return cloudwatch._error(error.code, error.message, error.status, use_json=is_json, use_cbor=is_cbor)
        now = time.time()
        with data.transaction():
            for datum in given.get("MetricData", []):
                dimensions = {each["Name"]: each["Value"] for each in datum.get("Dimensions", [])}
                at = datum["Timestamp"].timestamp() if "Timestamp" in datum else now
                data.store(given["Namespace"], datum["MetricName"], dimensions, at, datum.get("Unit", "None"),
                           datum.get("Value"), datum.get("Values"), datum.get("Counts"),
                           datum.get("StatisticValues"))  # fmt: skip
        cloudwatch._evaluate_all_alarms()
        if is_cbor:
            return cloudwatch._cbor_ok({})
        return cloudwatch._json_ok({}) if is_json else cloudwatch._xml(200, "PutMetricDataResponse", "")

    cloudwatch._put_metric_data = put_metric_data


def request_of(
    cloudwatch: Any, operation_name: str, params: Any, cbor_data: Any, *, is_document: bool
) -> dict[str, Any]:
    """The members of a request, whichever protocol they came by, valid by the model. Raises `ApiError`."""
    operation = service_model("cloudwatch").operation_model(operation_name)
    if is_document:
        given = dict(cbor_data) if isinstance(cbor_data, dict) else {}
    else:
        form = urlencode({name: cloudwatch._p(params, name) for name in params})
        request = Request("POST", "/", {"content-type": "application/x-www-form-urlencoded"}, {}, form.encode())
        given = Query().parse(operation, request)
    given = _with_times(given, cloudwatch)
    validate(operation.input_shape, given, "ValidationError")
    return given


def check(params: Mapping[str, Any], now: float) -> None:
    """Raise `ApiError` for the first thing in a request that CloudWatch does not take."""
    for member in ("EntityMetricData", "StrictEntityValidation"):
        if params.get(member):
            raise ApiError(_CODE, f"trainworks does not implement {member} of cloudwatch:PutMetricData; leave it out")
    if params["Namespace"].startswith((":", "AWS/")):
        raise ApiError(_CODE, f"The value {params['Namespace']} for parameter Namespace is invalid.")
    data = params.get("MetricData", [])
    if not data:
        raise ApiError("MissingParameter", "The parameter MetricData is required.")
    if len(data) > _MOST_DATA:
        raise ApiError(_CODE, f"The collection MetricData must not have a size greater than {_MOST_DATA}.")
    for place, datum in enumerate(data, 1):
        _check_datum(datum, f"MetricData.member.{place}", now)


def _check_datum(datum: Mapping[str, Any], where: str, now: float) -> None:
    given = [name for name in ("Value", "Values", "StatisticValues") if name in datum]
    if not given:
        raise ApiError(
            "MissingParameter",
            f"At least one of the parameters {where}.Value, {where}.StatisticValues must be specified.",
        )
    if len(given) > 1:
        named = " and ".join(f"{where}.{name}" for name in given)
        raise ApiError(
            "InvalidParameterCombination", f"The parameters {named} are mutually exclusive and you have specified both."
        )
    if "Value" in datum:
        _check_number(datum["Value"], f"{where}.Value")
    if "Values" in datum:
        _check_values(datum, where)
    if "StatisticValues" in datum:
        _check_statistics(datum["StatisticValues"], f"{where}.StatisticValues")
    if "Timestamp" in datum:
        at = datum["Timestamp"].timestamp()
        if not now - _BEHIND_SECONDS <= at <= now + _AHEAD_SECONDS:
            raise ApiError(
                _CODE,
                f"The parameter {where}.Timestamp must specify a time no more than two weeks in the past and no more "
                "than two hours in the future.",
            )
    if datum.get("StorageResolution", 60) not in (1, 60):
        raise ApiError(
            _CODE, f"The value {datum['StorageResolution']} for parameter {where}.StorageResolution is invalid."
        )
    for number, dimension in enumerate(datum.get("Dimensions", []), 1):
        if dimension["Name"].startswith(":") or not dimension["Value"].strip():
            raise ApiError(_CODE, f"The dimension {where}.Dimensions.member.{number} is invalid: {dict(dimension)}")


def _check_values(datum: Mapping[str, Any], where: str) -> None:
    values, counts = datum["Values"], datum.get("Counts")
    if not values:
        raise ApiError("MissingParameter", f"The parameter {where}.Values must not be empty.")
    if len(values) > _MOST_VALUES:
        raise ApiError(_CODE, f"The collection {where}.Values must not have a size greater than {_MOST_VALUES}.")
    if counts is not None and len(counts) != len(values):
        raise ApiError(_CODE, f"The parameters {where}.Values and {where}.Counts must be of the same size.")
    for number, value in enumerate(values, 1):
        _check_number(value, f"{where}.Values.member.{number}")
    for number, count in enumerate(counts or [], 1):
        _check_number(count, f"{where}.Counts.member.{number}")
        if count <= 0:
            raise ApiError(_CODE, f"The value {count} for parameter {where}.Counts.member.{number} is invalid.")


def _check_statistics(statistics: Mapping[str, float], where: str) -> None:
    for name in ("SampleCount", "Sum", "Minimum", "Maximum"):
        _check_number(statistics[name], f"{where}.{name}")
    if statistics["SampleCount"] <= 0:
        raise ApiError(_CODE, f"The value {statistics['SampleCount']} for parameter {where}.SampleCount is invalid.")
    if statistics["Minimum"] > statistics["Maximum"]:
        raise ApiError(_CODE, f"The parameter {where}.Maximum must be greater than or equal to {where}.Minimum.")


def _check_number(value: float, where: str) -> None:
    if not math.isfinite(value) or (value != 0 and not _LEAST <= abs(value) <= _MOST):
        shown = {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN" if math.isnan(value) else repr(value))
        raise ApiError(_CODE, f"The value {shown} for parameter {where} is invalid.")


def _with_times(given: Mapping[str, Any], cloudwatch: Any) -> dict[str, Any]:
    """The request with its times as `datetime`, whichever protocol they came by. Raises `ApiError`."""
    utc = engine.module("services.cloudwatch").timezone.utc
    when = engine.module("services.cloudwatch").datetime
    changed = dict(given)
    for name in ("StartTime", "EndTime", "StartDate", "EndDate"):
        if changed.get(name) is not None:
            try:
                changed[name] = when.fromtimestamp(cloudwatch._parse_ts(changed[name]), utc)
            except (TypeError, ValueError, OverflowError, OSError):
                raise ApiError(_CODE, f"The value for parameter {name} is not a time.") from None
    data = given.get("MetricData")
    if isinstance(data, list):
        changed["MetricData"] = [dict(datum) if isinstance(datum, dict) else datum for datum in data]
        for place, datum in enumerate(changed["MetricData"], 1):
            if isinstance(datum, dict) and datum.get("Timestamp") is not None:
                try:
                    datum["Timestamp"] = when.fromtimestamp(cloudwatch._parse_ts(datum["Timestamp"]), utc)
                except (TypeError, ValueError, OverflowError, OSError):
                    raise ApiError(
                        _CODE, f"The value for parameter MetricData.member.{place}.Timestamp is not a time."
                    ) from None
    return changed

"""`cloudwatch:ListMetrics` page by page, by all its filters; stock answers everything at once and knows no tokens."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from sqlite3 import Row
from typing import Any
from xml.sax.saxutils import escape

from trainworks.twin.emulator.cloudwatch.metric_checks import request_of
from trainworks.twin.emulator.cloudwatch.metric_data import MetricData
from trainworks.twin.ports import ApiError

_PAGE = 500
_MOST_SEARCHED = 50_000
"""Series that one page looks at before it answers with what it found and a token."""
_RECENT_SECONDS = 4 * 3600
"""`RecentlyActive` is three hours; a series notes its activity once an hour."""


def install(cloudwatch: Any, data: MetricData) -> None:
    """CloudWatch was loaded."""

    def list_metrics(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        try:
            given = request_of(cloudwatch, "ListMetrics", params, cbor_data, is_document=is_cbor or is_json)
            if given.get("IncludeLinkedAccounts") or given.get("OwningAccount"):
                raise ApiError("InvalidParameterValue", "trainworks does not implement linked accounts; leave them out")
            answer = _page(data, given)
        except ApiError as error:
            return cloudwatch._error(error.code, error.message, error.status, use_json=is_json, use_cbor=is_cbor)
        if is_cbor:
            return cloudwatch._cbor_ok(answer)
        if is_json:
            return cloudwatch._json_ok(answer)
        return cloudwatch._xml(200, "ListMetricsResponse", f"<ListMetricsResult>{_as_xml(answer)}</ListMetricsResult>")

    cloudwatch._list_metrics = list_metrics


def _page(data: MetricData, given: Mapping[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    last: Row | None = None
    for count, row in enumerate(data.series_from(given.get("Namespace", ""), _place(given.get("NextToken"))), 1):
        if len(found) == _PAGE or count > _MOST_SEARCHED:
            break
        last = row
        if _matches(row, given):
            dimensions = [{"Name": name, "Value": value} for name, value in json.loads(row["dimensions"]).items()]
            found.append({"Namespace": row["namespace"], "MetricName": row["name"], "Dimensions": dimensions})
    else:
        last = None
    return {"Metrics": found} | ({"NextToken": _token(last)} if last is not None else {})


def _matches(row: Row, given: Mapping[str, Any]) -> bool:
    if given.get("MetricName", row["name"]) != row["name"]:
        return False
    if given.get("RecentlyActive") and row["last_at"] < time.time() - _RECENT_SECONDS:
        return False
    dimensions = json.loads(row["dimensions"])
    return all(
        each["Name"] in dimensions and each.get("Value", dimensions[each["Name"]]) == dimensions[each["Name"]]
        for each in given.get("Dimensions", [])
    )


def _token(row: Row) -> str:
    return base64.urlsafe_b64encode(json.dumps([row["namespace"], row["name"], row["dims"]]).encode()).decode()


def _place(token: str | None) -> tuple[str, str, str]:
    if not token:
        return "", "", ""
    try:
        namespace, name, dims = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, binascii.Error):
        raise ApiError("InvalidParameterValue", "The value for parameter NextToken is invalid.") from None
    return str(namespace), str(name), str(dims)


def _as_xml(answer: Mapping[str, Any]) -> str:
    members = []
    for metric in answer["Metrics"]:
        dimensions = "".join(
            f"<member><Name>{escape(each['Name'])}</Name><Value>{escape(each['Value'])}</Value></member>"
            for each in metric["Dimensions"]
        )
        members.append(
            f"<member><Namespace>{escape(metric['Namespace'])}</Namespace>"
            f"<MetricName>{escape(metric['MetricName'])}</MetricName><Dimensions>{dimensions}</Dimensions></member>"
        )
    token = f"<NextToken>{answer['NextToken']}</NextToken>" if "NextToken" in answer else ""
    return f"<Metrics>{''.join(members)}</Metrics>{token}"

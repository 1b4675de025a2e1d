"""What became of alarms: 30 days of it, as CloudWatch keeps it, also when the alarm is gone; read a page at a time.

Stock has one list for all alarms of a region, which is written and searched whole each time and has no end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.cloudwatch.metric_checks import request_of
from trainworks.twin.emulator.durable.change_tracking import TouchedDict
from trainworks.twin.emulator.durable.histories import (
    LAST_NUMBER,
    Histories,
    History,
    OldEntry,
    number_at,
    page_number,
    page_token,
)
from trainworks.twin.ports import ApiError

_STORE = "cloudwatch._alarm_history"
_DAYS = 30
_TYPES = ("MetricAlarm", "CompositeAlarm")
_PAGE = 50


def install(cloudwatch: Any, histories: Histories) -> None:
    """CloudWatch was loaded."""
    history = histories.open(_STORE, days=_DAYS)
    _bring_in(cloudwatch._alarm_history._data, history)
    kept = _Kept(history)
    cloudwatch._history_entries = lambda: kept

    def describe_alarm_history(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        try:
            given = request_of(cloudwatch, "DescribeAlarmHistory", params, cbor_data, is_document=is_cbor or is_json)
            answer = _page(history, given)
        except ApiError as error:
            return cloudwatch._error(error.code, error.message, error.status, use_json=is_json, use_cbor=is_cbor)
        if is_cbor:
            items = [cloudwatch._cbor_history_item(each) for each in answer["AlarmHistoryItems"]]
            return cloudwatch._cbor_ok(answer | {"AlarmHistoryItems": items})
        if is_json:
            return cloudwatch._json_ok(answer)
        body = f"<DescribeAlarmHistoryResult>{_as_xml(answer)}</DescribeAlarmHistoryResult>"
        return cloudwatch._xml(200, "DescribeAlarmHistoryResponse", body)

    cloudwatch._describe_alarm_history = describe_alarm_history


class _Kept:
    """The entries of the caller's account and region, to stock code."""

    def __init__(self, history: History) -> None:
        self._history = history

    def append(self, entry: dict[str, Any]) -> None:
        self._history.append(_owner(*engine.scope(), entry.get("AlarmType", "MetricAlarm")), entry, entry["AlarmName"])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for kind in _TYPES:
            yield from (entry for _, entry in self._history.all(_owner(*engine.scope(), kind)))


def _page(history: History, given: Mapping[str, Any]) -> dict[str, Any]:
    limit, descending = given.get("MaxRecords", _PAGE), given.get("ScanBy") != "TimestampAscending"
    low, high = 0, LAST_NUMBER
    if (start := given.get("StartDate")) is not None:
        low = number_at(start.timestamp())
    if (end := given.get("EndDate")) is not None:
        # An entry's time is told in whole seconds, so that one of the last second counts.
        high = number_at(end.timestamp() + 1) - 1
    if (place := _place(given.get("NextToken"))) is not None:
        low, high = (low, min(high, place)) if descending else (max(low, place), high)
    low = max(low, number_at(time.time() - _DAYS * 86_400))
    if low > high:
        return {"AlarmHistoryItems": []}
    owners = [_owner(*engine.scope(), kind) for kind in _TYPES if kind in (given.get("AlarmTypes") or ["MetricAlarm"])]
    found: list[tuple[int, Any]] = []
    for owner in owners:
        if given.get("HistoryItemType", "StateUpdate") == "StateUpdate":  # nothing else is recorded
            found += history.page(
                owner, limit + 1, newest_first=descending, subject=given.get("AlarmName"), low=low, high=high
            )
    found.sort(key=lambda each: each[0], reverse=descending)
    answer: dict[str, Any] = {"AlarmHistoryItems": [entry for _, entry in found[:limit]]}
    return answer | ({"NextToken": page_token(found[limit][0])} if len(found) > limit else {})


def _place(token: str | None) -> int | None:
    if not token:
        return None
    number = page_number(token)
    if number is None:
        raise ApiError("InvalidNextToken", f"Invalid NextToken : {token}")
    return number


def _as_xml(answer: Mapping[str, Any]) -> str:
    members = ("AlarmName", "AlarmType", "Timestamp", "HistoryItemType", "HistorySummary", "HistoryData")
    items = "".join(
        f"<member>{''.join(f'<{name}>{escape(str(item[name]))}</{name}>' for name in members if name in item)}</member>"
        for item in answer["AlarmHistoryItems"]
    )
    token = f"<NextToken>{answer['NextToken']}</NextToken>" if "NextToken" in answer else ""
    return f"<AlarmHistoryItems>{items}</AlarmHistoryItems>{token}"


def _owner(account: str, region: str, kind: str) -> str:
    return f"{account}/{region}/{kind}"


def _bring_in(old: TouchedDict, history: History) -> None:
    """What an earlier version kept in one row for each region."""
    entries = [
        OldEntry(
            _owner(account, region, entry.get("AlarmType", "MetricAlarm")),
            entry["AlarmName"],
            entry,
            datetime.strptime(entry["Timestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp(),
        )
        for (account, region, _), listed in dict.items(old)
        for entry in listed
    ]
    if entries:
        history.bring_in(entries, {_STORE: None})
    old.forget()

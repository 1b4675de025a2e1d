"""What happened in executions: on disk alone, a row per event, and read a page at a time.

Stock has all events of an execution in its record, copies them for every page, and keeps what continues a page in
memory. Here the token for the next page names the event at which it begins.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from trainworks.twin.emulator.durable.histories import LAST_NUMBER, Histories
from trainworks.twin.emulator.durable.record_histories import RecordHistories
from trainworks.twin.emulator.stock import StockResponse

_NAME = "stepfunctions.events"
_MOST, _USUAL = 1000, 100
_TOKEN_SECONDS = 86_400


def install(stepfunctions: Any, histories: Histories) -> None:
    """Step Functions was loaded."""
    RecordHistories(histories, _NAME, "events", _made_at).keep(stepfunctions._executions._data)

    def get_execution_history(data: Mapping[str, Any]) -> StockResponse:
        arn = data.get("executionArn")
        execution = stepfunctions._executions.get(arn)
        if execution is None:
            return _refused("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        limit, newest_first = data.get("maxResults") or _USUAL, bool(data.get("reverseOrder", False))
        if not isinstance(limit, int) or isinstance(limit, bool) or not 0 < limit <= _MOST:
            return _refused("ValidationException", f"maxResults is {limit}; it has to be from 0 to {_MOST}.")
        asked = [arn, limit, newest_first, data.get("includeExecutionData") is not False]
        place = _place(data.get("nextToken"), asked)
        if place is None:
            return _refused("InvalidToken", f"Invalid Token: '{data['nextToken']}'")
        bound = {"high" if newest_first else "low": place} if place else {}
        page = execution["events"].page(limit + 1, newest_first=newest_first, **bound)
        events = [event for _, event in page[:limit]]
        answer: dict[str, Any] = {"events": events if asked[3] else list(map(_without_data, events))}
        if len(page) > limit:
            answer["nextToken"] = _token(page[limit][0], asked)
        answered: StockResponse = stepfunctions.json_response(answer)
        return answered

    def _refused(code: str, message: str) -> StockResponse:
        answered: StockResponse = stepfunctions.error_response_json(code, message, 400)
        return answered

    stepfunctions._get_execution_history = get_execution_history


def _without_data(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {each: value for each, value in details.items() if each not in ("input", "output")}
        if name.endswith("EventDetails") and isinstance(details, dict)
        else details
        for name, details in event.items()
    }


def _token(number: int, asked: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([number, time.time() + _TOKEN_SECONDS, asked]).encode()).decode()


def _place(token: Any, asked: list[Any]) -> int | None:
    """The number at which a page begins, 0 for the first one; None for a token of another question, or an old one."""
    if token is None:
        return 0
    try:
        number, expires, of = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError):
        return None
    known = type(number) is int and 0 < number <= LAST_NUMBER and isinstance(expires, int | float)
    return number if known and expires > time.time() and of == asked else None


def _made_at(execution: Mapping[str, Any], event: Mapping[str, Any]) -> float:
    at = event["timestamp"]
    return datetime.fromisoformat(at).astimezone(UTC).timestamp() if isinstance(at, str) else float(at)

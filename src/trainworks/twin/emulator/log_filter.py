"""`logs:FilterLogEvents` by stream prefix and page by page: stock ignores the prefix and ends after 10,000 events."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from trainworks.twin.emulator import engine

_MOST_EVENTS = 10_000


def install(logs: Any) -> None:
    """Logs was loaded: answer FilterLogEvents here, with stock's own filter patterns."""

    def filter_log_events(data: dict[str, Any]) -> Any:
        group = logs._resolve_log_group_name(data)
        if group not in logs._log_groups:
            message = f"The specified log group does not exist: {group}"
            return _error("ResourceNotFoundException", message)
        if data.get("logStreamNames") and data.get("logStreamNamePrefix"):
            return _error("InvalidParameterException", "logStreamNames and logStreamNamePrefix exclude each other.")
        token = data.get("nextToken")
        if token is not None and not str(token).isdecimal():
            return _error("InvalidParameterException", "The specified nextToken is invalid.")
        matches = logs._compile_filter_pattern(data.get("filterPattern", ""))
        events = (event for event in _events(logs._log_groups[group]["streams"], data) if matches(event["message"]))
        start, limit = int(token or 0), min(data.get("limit", _MOST_EVENTS), _MOST_EVENTS)
        page = list(islice(events, start, start + limit + 1))
        following = {"nextToken": str(start + limit)} if len(page) > limit else {}
        answer = {"events": page[:limit], "searchedLogStreams": [], **following}
        return engine.module("core.responses").json_response(answer)

    logs._filter_log_events = filter_log_events


def _events(streams: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The events of the wanted streams in the wanted time, in order of time."""
    prefix = wanted.get("logStreamNamePrefix", "")
    names = wanted.get("logStreamNames") or [name for name in streams if name.startswith(prefix)]
    first, last = wanted.get("startTime", 0), wanted.get("endTime")
    chosen = (
        [
            {**event, "logStreamName": name}
            for event in list(streams[name]["events"])
            if event["timestamp"] >= first and (last is None or event["timestamp"] <= last)
        ]
        for name in names
        if name in streams
    )
    return heapq.merge(*chosen, key=lambda event: event["timestamp"])


def _error(code: str, message: str) -> Any:
    return engine.module("core.responses").error_response_json(code, message, 400)

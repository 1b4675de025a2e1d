"""What EventBridge refuses of requests that are valid by its model, and pages of its listings.

Stock takes a bus by its name alone where rules are concerned, stores schedules on any bus and events that are none,
deletes rules with their targets, and gives every listing whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.events.event_kinds import check_target
from trainworks.twin.emulator.stock import StockResponse
from trainworks.twin.ports import ApiError

Handler = Callable[..., StockResponse]

MAX_ENTRY_BYTES = 262_144
_MAX_TARGETS, _MAX_ENTRIES = 5, 10
_GIVEN_TIME: ContextVar[float | None] = ContextVar("the time that an entry of PutEvents names", default=None)
_OF_A_BUS = ("_put_rule", "_delete_rule", "_enable_rule", "_disable_rule", "_list_rules", "_describe_rule",
             "_put_targets", "_remove_targets", "_list_targets_by_rule", "_list_rule_names_by_target")  # fmt: skip
_LISTINGS = {
    "_list_targets_by_rule": "Targets",
    "_list_event_buses": "EventBuses",
    "_list_archives": "Archives",
    "_list_replays": "Replays",
    "_list_connections": "Connections",
    "_list_api_destinations": "ApiDestinations",
}
_RATE = re.compile(r"rate\((?:1 (?:minute|hour|day)|(?!0*1 )0*[1-9]\d{0,8} (?:minutes|hours|days))\)")


def install(eventbridge: Any) -> None:
    """EventBridge was loaded."""
    requests = _Requests(eventbridge)
    stock_now = eventbridge._now_ts

    def now_ts() -> float:
        given = _GIVEN_TIME.get()
        return float(stock_now()) if given is None else given

    eventbridge._now_ts = now_ts
    # Stock appends every event to one row, which nothing reads and everything that comes after writes again.
    eventbridge._events_log_list = list
    eventbridge._events_log._data.clear()
    eventbridge._describe_archive = _without_events(eventbridge)
    for name in ("_put_rule", "_delete_rule", "_enable_rule", "_disable_rule", "_put_targets", "_remove_targets",
                 "_list_targets_by_rule", "_put_events"):  # fmt: skip
        setattr(eventbridge, name, requests.wrapped(getattr(eventbridge, name), getattr(requests, name[1:])))
    for name, member in _LISTINGS.items():
        setattr(eventbridge, name, requests.paged(getattr(eventbridge, name), member))
    for name in _OF_A_BUS:
        setattr(eventbridge, name, requests.of_a_bus(getattr(eventbridge, name)))


def _without_events(eventbridge: Any) -> Handler:
    stock = eventbridge._describe_archive

    def describe_archive(data: dict[str, Any]) -> StockResponse:
        archive = eventbridge._archives.get(data.get("ArchiveName"))
        if archive is None:
            answer: StockResponse = stock(data)
            return answer
        # Stock answers with all that is archived, too.
        described: StockResponse = eventbridge.json_response({n: v for n, v in archive.items() if n != "Events"})
        return described

    return describe_archive


class _Requests:
    """A check before each of ministack's handlers: it gets the handler and the data, and answers."""

    def __init__(self, eventbridge: Any) -> None:
        self._events = eventbridge

    def wrapped(self, stock: Handler, check: Callable[..., StockResponse]) -> Handler:
        def handle(data: dict[str, Any], *arguments: Any, **named: Any) -> StockResponse:
            try:
                return check(stock, data, *arguments, **named)
            except ApiError as error:
                answer: StockResponse = self._events.error_response_json(error.code, error.message, error.status)
                return answer

        return handle

    def of_a_bus(self, stock: Handler) -> Handler:
        """The bus by its name, however it was given."""

        def handle(data: dict[str, Any]) -> StockResponse:
            if data.get("EventBusName"):
                name, problem = self._events._event_bus_name_from_ref(data["EventBusName"])
                if problem:
                    answer: StockResponse = self._events.error_response_json(*problem, 400)
                    return answer
                data = {**data, "EventBusName": name}
            return stock(data)

        return handle

    def paged(self, stock: Handler, member: str) -> Handler:
        def handle(data: dict[str, Any]) -> StockResponse:
            status, headers, body = stock(data)
            document = json.loads(body) if status == 200 else {}
            listed = document.get(member, [])
            limit = int(data.get("Limit") or 100)
            start = self._events._opaque_offset_decode(data.get("NextToken", ""))
            document[member] = listed[start : start + limit]
            if start + limit < len(listed):
                document["NextToken"] = self._events._opaque_offset_encode(start + limit)
            return (status, headers, json.dumps(document).encode()) if status == 200 else (status, headers, body)

        return handle

    def put_rule(self, stock: Handler, data: dict[str, Any]) -> StockResponse:
        check_rule(data)
        return stock(data)

    def delete_rule(self, stock: Handler, data: dict[str, Any]) -> StockResponse:
        if self._events._targets.get(self._key(data)):
            raise _invalid("Rule can't be deleted since it has targets.")
        return stock(data)

    def enable_rule(self, stock: Handler, data: dict[str, Any]) -> StockResponse:
        self._rule(data, data["Name"])
        return stock(data)

    disable_rule = enable_rule

    def put_targets(self, stock: Handler, data: dict[str, Any]) -> StockResponse:
        self._rule(data, data["Rule"])
        for target in data["Targets"]:
            check_target(target)
        key = self._key({**data, "Name": data["Rule"]})
        names = {each["Id"] for each in (*self._events._targets.get(key, []), *data["Targets"])}
        if len(names) > _MAX_TARGETS:
            raise ApiError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
        return stock(data)

    def remove_targets(self, stock: Handler, data: dict[str, Any]) -> StockResponse:
        self._rule(data, data["Rule"])
        return stock(data)

    list_targets_by_rule = remove_targets

    def put_events(self, stock: Handler, data: dict[str, Any], allow_aws_source: bool = False) -> StockResponse:
        """Each entry is checked on its own: one that is not an event fails alone, and reaches nobody."""
        entries = data["Entries"]
        if sum(map(entry_bytes, entries)) > MAX_ENTRY_BYTES:
            raise _invalid("Total size of the entries in the request is over the limit.")
        if len(entries) > _MAX_ENTRIES:
            return stock(data, allow_aws_source)  # says so
        answered = [entry_problem(entry) or self._put_event(stock, entry, allow_aws_source) for entry in entries]
        failed = sum("ErrorCode" in each for each in answered)
        answer: StockResponse = self._events.json_response({"FailedEntryCount": failed, "Entries": answered})
        return answer

    @staticmethod
    def _put_event(stock: Handler, entry: dict[str, Any], allow_aws_source: bool) -> dict[str, Any]:
        """One event, which has the time that it was given."""
        token = _GIVEN_TIME.set(_epoch(entry.get("Time")))
        try:
            _, _, body = stock({"Entries": [entry]}, allow_aws_source)
        finally:
            _GIVEN_TIME.reset(token)
        result: dict[str, Any] = json.loads(body)["Entries"][0]
        return result

    def _key(self, data: Mapping[str, Any]) -> str:
        key: str = self._events._rule_key(data["Name"], data.get("EventBusName", "default"))
        return key

    def _rule(self, data: Mapping[str, Any], name: str) -> None:
        bus = data.get("EventBusName", "default")
        if self._events._rule_key(name, bus) not in self._events._rules:
            raise ApiError("ResourceNotFoundException", f"Rule {name} does not exist on EventBus {bus}.")


def check_rule(data: Mapping[str, Any]) -> None:
    """Raise `ApiError` for a rule that EventBridge refuses: `data` has the members of `PutRule`."""
    schedule, pattern = data.get("ScheduleExpression", ""), data.get("EventPattern") or ""
    if not schedule and not pattern:
        raise _invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if schedule and data.get("EventBusName", "default").rpartition("/")[2] != "default":
        raise _invalid("ScheduleExpression is supported only on the default event bus.")
    events = engine.service("eventbridge")
    if schedule and (
        (schedule.startswith("rate(") and not _RATE.fullmatch(schedule))
        or not events._validate_schedule_expression(schedule)
    ):
        raise _invalid("Parameter ScheduleExpression is not valid.")
    if reason := events._event_pattern_error(pattern):
        raise ApiError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")


def entry_problem(entry: Mapping[str, Any]) -> dict[str, str] | None:
    """Why an entry of `PutEvents` is not an event, as the answer has it, or None."""
    for member in ("Source", "DetailType", "Detail"):
        if not entry.get(member):
            return {
                "ErrorCode": "InvalidArgument",
                "ErrorMessage": f"Parameter {member} is not valid. Reason: {member} is a required argument.",
            }
    try:
        detail = json.loads(entry["Detail"], parse_constant=_refuse)
    except (ValueError, RecursionError):
        detail = None
    if not isinstance(detail, dict):
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    return None


def entry_bytes(entry: Mapping[str, Any]) -> int:
    """The size of an entry, after "Calculating PutEvents event entry size" (EventBridge User Guide)."""
    texts = [entry.get("Source"), entry.get("DetailType"), entry.get("Detail"), *(entry.get("Resources") or [])]
    size = sum(len(str(text).encode("utf-8", "surrogatepass")) for text in texts if text)
    return size + (14 if entry.get("Time") else 0)


def _epoch(time: Any) -> float | None:
    """The time of an entry in seconds, as clients of the API or services of ours give it."""
    if isinstance(time, str):
        return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()
    return None if time is None else float(time)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message)

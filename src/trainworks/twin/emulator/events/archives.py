"""What archives keep: on disk alone, a row per event, as long as `RetentionDays` says, and replayed a part at a time.

Stock keeps all events of an archive in its record for ever, copies them for a replay, and goes on with a replay that
was cancelled. After "Archiving and replaying events" (EventBridge User Guide).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.durable.change_tracking import TouchedDict
from trainworks.twin.emulator.durable.histories import Histories, number_at
from trainworks.twin.emulator.durable.record_histories import RecordHistories
from trainworks.twin.emulator.stock import StockResponse
from trainworks.twin.ports import ApiError

_NAME = "eventbridge.archived"
_FORGOTTEN_AT_ONCE = 1000
_DAY_SECONDS = 86_400
_RESTARTED = "The twin was restarted while the replay ran. Start another one."

_LOG = logging.getLogger(__name__)


def install(eventbridge: Any, histories: Histories) -> None:
    """EventBridge was loaded."""
    RecordHistories(histories, _NAME, "Events", _made_at).keep(eventbridge._archives._data)
    replays = Replays(eventbridge)
    replays.end_interrupted()
    eventbridge._start_replay = replays.start


def forget_archived(archives: TouchedDict, now: datetime) -> bool:
    """Let go of a part of the events that are older than their archive keeps them; whether there may be more.

    On the thread that owns the state.
    """
    more = False
    for key, archive in list(dict.items(archives)):
        days = int(archive.get("RetentionDays") or 0)  # 0: for ever
        if days:
            gone = archive["Events"].remove_before(number_at(now.timestamp() - days * _DAY_SECONDS), _FORGOTTEN_AT_ONCE)
            if gone:
                # Both in one transaction.
                archives[key]["EventCount"] = max(0, archive.get("EventCount", 0) - gone)
            more |= gone == _FORGOTTEN_AT_ONCE
    return more


class Replays:
    """Replaces how ministack replays."""

    def __init__(self, eventbridge: Any) -> None:
        self._events = eventbridge

    def end_interrupted(self) -> None:
        """The thread of a replay does not outlive the server."""
        replays = self._events._replays._data
        for key in [key for key, each in dict.items(replays) if each.get("State") in ("STARTING", "RUNNING")]:
            replays[key] |= {"State": "FAILED", "StateReason": _RESTARTED, "ReplayEndTime": time.time()}

    def start(self, data: Mapping[str, Any]) -> StockResponse:
        """`StartReplay`."""
        module = self._events
        try:
            archive, bus = self._source(data)
        except ApiError as error:
            refused: StockResponse = module.error_response_json(error.code, error.message, error.status)
            return refused
        scope = engine.scope()
        name = data["ReplayName"]
        replay = {
            "ReplayName": name,
            "ReplayArn": f"arn:aws:events:{scope[1]}:{scope[0]}:replay/{name}",
            "Description": data.get("Description", ""),
            "EventSourceArn": data["EventSourceArn"],
            "EventStartTime": module._coerce_timestamp(data["EventStartTime"]),
            "EventEndTime": module._coerce_timestamp(data["EventEndTime"]),
            "Destination": data["Destination"],
            "State": "STARTING",
            "ReplayStartTime": time.time(),
        }
        module._replays[name] = replay
        threading.Thread(target=self._run, args=(archive, replay, bus, scope), daemon=True).start()
        answer: StockResponse = module.json_response({"ReplayArn": replay["ReplayArn"], "State": "STARTING"})
        return answer

    def _source(self, data: Mapping[str, Any]) -> tuple[Any, str]:
        """The archive, and the bus that its events go to. Raises `ApiError`."""
        module = self._events
        if data["ReplayName"] in module._replays:
            raise ApiError("ResourceAlreadyExistsException", f"Replay {data['ReplayName']} already exists.")
        name, problem = module._archive_name_from_ref(data["EventSourceArn"])
        if problem:
            raise ApiError(*problem)
        archive = module._archives.get(name)
        if not archive:
            raise ApiError("ResourceNotFoundException", f"Archive {name} does not exist.")
        destination = data["Destination"]["Arn"]
        bus, problem = module._event_bus_name_from_ref(destination)
        if problem:
            raise ApiError(*problem)
        source = archive["EventSourceArn"]
        if destination != source:
            raise ApiError(
                "ValidationException", f"Destination.Arn is {destination}; events of {name} go to their bus, {source}."
            )
        return archive, bus

    def _run(self, archive: Mapping[str, Any], replay: dict[str, Any], bus: str, scope: tuple[str, str]) -> None:
        """In a thread of its own: whatever happens in it, the replay has an end."""
        with engine.module("core.responses").request_scope(*scope):
            self._set(replay, State="RUNNING")
            try:
                self._replay(archive, replay, bus)
            except Exception as error:  # noqa: BLE001 - nobody else hears of it
                _LOG.exception("the replay %s failed", replay["ReplayName"])
                self._set(replay, State="FAILED", StateReason=str(error), ReplayEndTime=time.time())
            if replay["State"] == "RUNNING":
                self._set(replay, State="COMPLETED", ReplayEndTime=time.time())

    def _replay(self, archive: Mapping[str, Any], replay: Mapping[str, Any], bus: str) -> None:
        """What is archived while it runs is not part of it."""
        last = number_at(time.time())
        for number, event in archive["Events"].numbered():
            if number > last or replay["State"] != "RUNNING":
                break
            if replay["EventStartTime"] <= event.get("Time", 0) <= replay["EventEndTime"]:
                self._events._dispatch_event({**event, "EventBusName": bus, "ReplayName": replay["ReplayName"]})

    def _set(self, replay: dict[str, Any], **changes: Any) -> None:
        """Change a replay and have its row written, which this thread changes without looking it up."""
        replay |= changes
        self._events._replays.get(replay["ReplayName"])


def _made_at(archive: Mapping[str, Any], event: Mapping[str, Any]) -> float:
    """An event has any time that its sender gave it, and is archived between the archive's making and now."""
    return min(max(float(event.get("Time", 0)), float(archive.get("CreationTime", 0))), time.time())

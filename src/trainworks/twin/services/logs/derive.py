"""What follows from events: metric filters make metric data, subscription filters call functions.

The append notes in its own transaction which events have to be looked at; this thread reads them from disk again, so a
flood waits on disk and not in memory, and a restart goes on. What could not be delivered is tried again a few times,
then given up and told, as CloudWatch Logs does.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from sqlite3 import Row
from typing import Any

from trainworks.twin.ports import ApiError, Caller, ControlPlane, MetricDatum
from trainworks.twin.services.background import Background
from trainworks.twin.services.logs.blocks import SQL, Event
from trainworks.twin.services.logs.events import event_id
from trainworks.twin.services.logs.filters import METRIC, PRINCIPAL, value_of
from trainworks.twin.services.logs.patterns import compile_pattern
from trainworks.twin.services.logs.reading import EventPosition, LocatedEvent
from trainworks.twin.services.logs.request import group_arn
from trainworks.twin.services.logs.store import LogStore

_PART = 1000
_MOST_ATTEMPTS = 3
_LOG = logging.getLogger(__name__)


class Derivations:
    """The rows of one kind of filter in `log_derivation`, and the thread that works them off: a slow function delays
    no metric."""

    def __init__(self, kind: str, store: LogStore, control_plane: ControlPlane) -> None:
        self._kind = kind
        self._apply = self._measure if kind == METRIC else self._deliver
        self._store = store
        self._control_plane = control_plane
        self._background = Background(f"log-{kind}-filters", self._pass)
        self._attempts: dict[int, int] = {}

    def wake(self) -> None:
        self._background.wake()

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        self._background.stop()

    def _pass(self) -> float | None:
        rows = self._store.database.read(SQL["derivations"], (self._kind,))
        for row in rows:
            if self._background.stopping:
                return None
            try:
                self._derive(row)
            except ApiError as error:
                self._attempts[row["seq"]] = self._attempts.get(row["seq"], 0) + 1
                if self._attempts[row["seq"]] < _MOST_ATTEMPTS:
                    return 1.0
                _LOG.warning("the filters of a log stream were not applied to %s events: %s", _count(row), error)
            self._attempts.pop(row["seq"], None)
            with self._store.database.transaction() as tx:
                tx.execute(SQL["delete_derivation"], (row["seq"],))
        return 0.0 if rows else None

    def _derive(self, row: Row) -> None:
        stream = self._store.database.read_one(SQL["stream_by_id"], (row["stream_id"],))
        if stream is None:
            return
        group = self._store.database.read_one(SQL["group_by_id"], (stream["group_id"],))
        if group is None:
            return
        for each in self._store.database.read(SQL["filters"], (group["group_id"], self._kind)):
            events = self._events(row)
            while part := list(islice(events, _PART)):
                self._apply(group, stream, each["name"], json.loads(each["spec"]), part)

    def _events(self, row: Row) -> Iterator[Event]:
        """The events of one append, wherever later ones were put between them."""
        before = EventPosition(row["first_ms"], -1)
        for event in self._store.reader.events(row["stream_id"], before, row["first_ms"], row["last_ms"] + 1):
            if row["first_number"] <= event.number <= row["last_number"]:
                yield event

    def _measure(self, group: Row, stream: Row, name: str, spec: dict[str, Any], events: Sequence[Event]) -> None:
        del stream, name
        match = compile_pattern(spec["filterPattern"]).match
        data: dict[str, list[MetricDatum]] = {}
        for event in events:
            fields = match(event.message)
            for each in spec["metricTransformations"]:
                value = value_of(each["metricValue"], fields) if fields is not None else each.get("defaultValue")
                if value is None or not math.isfinite(value):
                    continue
                dimensions = {}
                if fields is not None:
                    found = {key: fields.get(text) for key, text in each.get("dimensions", {}).items()}
                    if None in found.values():
                        continue
                    dimensions = {key: str(text)[:1024] for key, text in found.items()}
                datum = MetricDatum(
                    each["metricName"], dimensions, float(value), event.timestamp / 1000, each.get("unit", "None")
                )
                data.setdefault(each["metricNamespace"], []).append(datum)
        for namespace, found_data in data.items():
            self._control_plane.put_metric_data(namespace, found_data, group["region"])

    def _deliver(self, group: Row, stream: Row, name: str, spec: dict[str, Any], events: Sequence[Event]) -> None:
        destination = spec["destinationArn"]
        if group["name"] == f"/aws/lambda/{destination.split(':')[6]}":
            _LOG.warning(
                "the subscription filter %s of %s would feed itself; nothing is delivered", name, group["name"]
            )
            return
        match = compile_pattern(spec["filterPattern"]).match
        matching = [event for event in events if match(event.message) is not None]
        if not matching:
            return
        document = {
            "messageType": "DATA_MESSAGE",
            "owner": group["account"],
            "logGroup": group["name"],
            "logStream": stream["name"],
            "subscriptionFilters": [name],
            "logEvents": [
                {
                    "id": event_id(LocatedEvent(event.timestamp, stream["stream_id"], event)),
                    "timestamp": event.timestamp,
                    "message": event.message,
                }
                for event in matching
            ],
        }
        data = base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()
        caller = Caller(PRINCIPAL, group["account"], group["region"], "")
        source = f"{group_arn(caller, group['name'])}:*"
        if refusal := self._control_plane.function_refusal(destination, PRINCIPAL, source):
            _LOG.warning("the subscription filter %s of %s does not deliver: %s", name, group["name"], refusal)
            return
        self._control_plane.invoke_function(caller, destination, {"awslogs": {"data": data}})


def _count(row: Row) -> int:
    return int(row["last_number"] - row["first_number"] + 1)

"""Anomaly monitors and their subscriptions of Cost Explorer, recorded: no cost is incurred here, so none is unusual.

Source: the anomaly operations of the Cost Explorer API reference. The service is global.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from sqlite3 import Row
from typing import Any

from trainworks.twin.ports import ApiError, Caller, ControlPlane
from trainworks.twin.service import Service
from trainworks.twin.store import Database
from trainworks.twin.wire import Call, Endpoint, Operation, page, recorded

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cost_anomaly (
    arn TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    created_at REAL NOT NULL,
    spec TEXT NOT NULL,
    tags TEXT NOT NULL
) WITHOUT ROWID;
"""
_INSERT = "INSERT INTO cost_anomaly (arn, kind, created_at, spec, tags) VALUES (?, ?, ?, ?, ?)"
_UPDATE = "UPDATE cost_anomaly SET spec = ?, tags = ? WHERE arn = ?"
_BY_ARN = "SELECT * FROM cost_anomaly WHERE arn = ?"
_ALL = "SELECT * FROM cost_anomaly WHERE kind = ? ORDER BY created_at, arn"
_DELETE = "DELETE FROM cost_anomaly WHERE arn = ?"

_MONITOR = "anomalymonitor"
_SUBSCRIPTION = "anomalysubscription"
_UNKNOWN = {_MONITOR: "UnknownMonitorException", _SUBSCRIPTION: "UnknownSubscriptionException"}
_PAGE_SIZE = 100
_NOTE = "Stored and described; no cost is incurred, so nothing is detected."


class CostAnomalies(Service):
    """The operations, in `endpoint`."""

    def __init__(self, database: Database, control_plane: ControlPlane, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._control_plane = control_plane
        self._clock = clock
        database.apply(_SCHEMA)
        self.endpoint = Endpoint("ce", self._operations())

    def _operations(self) -> Mapping[str, Operation]:
        handlers = {
            "CreateAnomalyMonitor": self.create_anomaly_monitor,
            "UpdateAnomalyMonitor": self.update_anomaly_monitor,
            "GetAnomalyMonitors": self.get_anomaly_monitors,
            "DeleteAnomalyMonitor": self.delete_anomaly_monitor,
            "CreateAnomalySubscription": self.create_anomaly_subscription,
            "UpdateAnomalySubscription": self.update_anomaly_subscription,
            "GetAnomalySubscriptions": self.get_anomaly_subscriptions,
            "DeleteAnomalySubscription": self.delete_anomaly_subscription,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTagsForResource": self.list_tags_for_resource,
        }
        return {name: recorded(handler, _NOTE) for name, handler in handlers.items()}

    def create_anomaly_monitor(self, call: Call) -> dict[str, Any]:
        """Raises `LimitExceededException` for a second monitor by dimension: an account has one."""
        self._authorize(call, "CreateAnomalyMonitor", "*")
        monitor = call.params["AnomalyMonitor"]
        by_dimension = monitor["MonitorType"] == "DIMENSIONAL"
        if by_dimension and any(each["MonitorType"] == "DIMENSIONAL" for each in self._specs(_MONITOR)):
            raise ApiError("LimitExceededException", "Limit exceeded on dimensional spend monitor creation")
        if by_dimension == ("MonitorSpecification" in monitor):
            wanted = "MonitorDimension" if by_dimension else "MonitorSpecification"
            raise ApiError("ValidationException", f"A {monitor['MonitorType']} monitor takes a {wanted}")
        today = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%d")
        spec = {**monitor, "CreationDate": today, "LastUpdatedDate": today}
        return {"MonitorArn": self._insert(call, _MONITOR, spec)}

    def update_anomaly_monitor(self, call: Call) -> dict[str, Any]:
        arn = call.params["MonitorArn"]
        self._change(call, "UpdateAnomalyMonitor", arn, _MONITOR, without="MonitorArn")
        return {"MonitorArn": arn}

    def get_anomaly_monitors(self, call: Call) -> dict[str, Any]:
        self._authorize(call, "GetAnomalyMonitors", "*")
        wanted = call.params.get("MonitorArnList")
        found = self._chosen(_MONITOR, wanted)
        return self._page(call, [{**json.loads(row["spec"]), "MonitorArn": row["arn"]} for row in found], _MONITOR)

    def delete_anomaly_monitor(self, call: Call) -> dict[str, Any]:
        return self._delete(call, "DeleteAnomalyMonitor", call.params["MonitorArn"], _MONITOR)

    def create_anomaly_subscription(self, call: Call) -> dict[str, Any]:
        self._authorize(call, "CreateAnomalySubscription", "*")
        subscription = call.params["AnomalySubscription"]
        self._check(subscription)
        spec = {**subscription, "AccountId": call.caller.account_id}
        return {"SubscriptionArn": self._insert(call, _SUBSCRIPTION, spec)}

    def update_anomaly_subscription(self, call: Call) -> dict[str, Any]:
        arn = call.params["SubscriptionArn"]
        self._change(call, "UpdateAnomalySubscription", arn, _SUBSCRIPTION, without="SubscriptionArn")
        return {"SubscriptionArn": arn}

    def get_anomaly_subscriptions(self, call: Call) -> dict[str, Any]:
        self._authorize(call, "GetAnomalySubscriptions", "*")
        monitor = call.params.get("MonitorArn")
        found = [
            {**json.loads(row["spec"]), "SubscriptionArn": row["arn"]}
            for row in self._chosen(_SUBSCRIPTION, call.params.get("SubscriptionArnList"))
        ]
        return self._page(call, [each for each in found if monitor in (None, *each["MonitorArnList"])], _SUBSCRIPTION)

    def delete_anomaly_subscription(self, call: Call) -> dict[str, Any]:
        return self._delete(call, "DeleteAnomalySubscription", call.params["SubscriptionArn"], _SUBSCRIPTION)

    def tag_resource(self, call: Call) -> dict[str, Any]:
        row = self._tagged(call, "TagResource")
        tags = json.loads(row["tags"]) | {tag["Key"]: tag["Value"] for tag in call.params["ResourceTags"]}
        self._store(row["arn"], json.loads(row["spec"]), tags)
        return {}

    def untag_resource(self, call: Call) -> dict[str, Any]:
        row = self._tagged(call, "UntagResource")
        tags = {
            key: value for key, value in json.loads(row["tags"]).items() if key not in call.params["ResourceTagKeys"]
        }
        self._store(row["arn"], json.loads(row["spec"]), tags)
        return {}

    def list_tags_for_resource(self, call: Call) -> dict[str, Any]:
        tags = json.loads(self._tagged(call, "ListTagsForResource")["tags"])
        return {"ResourceTags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _check(self, subscription: Mapping[str, Any]) -> None:
        """Raise for monitors that are not there, and for a topic with a frequency other than IMMEDIATE."""
        for arn in subscription["MonitorArnList"]:
            self._existing(arn, _MONITOR)
        has_topic = any(each.get("Type") == "SNS" for each in subscription["Subscribers"])
        if has_topic != (subscription["Frequency"] == "IMMEDIATE"):
            raise ApiError(
                "ValidationException",
                "IMMEDIATE frequency is for SNS subscribers only, DAILY and WEEKLY frequencies are for EMAIL ones only",
            )

    def _authorize(self, call: Call, operation: str, arn: str) -> None:
        self._control_plane.authorize(call.caller, f"ce:{operation}", arn)

    def _insert(self, call: Call, kind: str, spec: Mapping[str, Any]) -> str:
        arn = _new_arn(call.caller, kind)
        tags = {tag["Key"]: tag["Value"] for tag in call.params.get("ResourceTags", [])}
        with self._database.transaction() as tx:
            tx.execute(_INSERT, (arn, kind, self._clock(), json.dumps(spec), json.dumps(tags)))
        return arn

    def _change(self, call: Call, operation: str, arn: str, kind: str, *, without: str) -> None:
        self._authorize(call, operation, arn)
        row = self._existing(arn, kind)
        spec = json.loads(row["spec"]) | {name: value for name, value in call.params.items() if name != without}
        if kind == _SUBSCRIPTION:
            self._check(spec)
        self._store(arn, spec, json.loads(row["tags"]))

    def _delete(self, call: Call, operation: str, arn: str, kind: str) -> dict[str, Any]:
        self._authorize(call, operation, arn)
        self._existing(arn, kind)
        with self._database.transaction() as tx:
            tx.execute(_DELETE, (arn,))
        return {}

    def _store(self, arn: str, spec: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        with self._database.transaction() as tx:
            tx.execute(_UPDATE, (json.dumps(spec), json.dumps(tags), arn))

    def _tagged(self, call: Call, operation: str) -> Row:
        arn = call.params["ResourceArn"]
        self._authorize(call, operation, arn)
        row = self._database.read_one(_BY_ARN, (arn,))
        if row is None:
            raise ApiError("ResourceNotFoundException", f"Cannot find resource {arn}")
        return row

    def _existing(self, arn: str, kind: str) -> Row:
        row = self._database.read_one(_BY_ARN, (arn,))
        if row is None or row["kind"] != kind:
            raise ApiError(_UNKNOWN[kind], f"Cannot find {kind} {arn}")
        return row

    def _specs(self, kind: str) -> list[dict[str, Any]]:
        return [json.loads(row["spec"]) for row in self._database.read(_ALL, (kind,))]

    def _chosen(self, kind: str, arns: list[str] | None) -> list[Row]:
        if arns:
            return [self._existing(arn, kind) for arn in arns]
        return list(self._database.read(_ALL, (kind,)))

    def _page(self, call: Call, items: list[dict[str, Any]], kind: str) -> dict[str, Any]:
        member, arn = (
            ("AnomalyMonitors", "MonitorArn") if kind == _MONITOR else ("AnomalySubscriptions", "SubscriptionArn")
        )
        request = {name: value for name, value in call.params.items() if name not in ("NextPageToken", "MaxResults")}
        rows, token = page(
            sorted(items, key=lambda item: str(item[arn])),
            key=lambda item: [item[arn]],
            limit=call.params.get("MaxResults", _PAGE_SIZE),
            token=call.params.get("NextPageToken"),
            request=request,
            error_code="InvalidNextTokenException",
        )
        return {member: rows} | ({"NextPageToken": token} if token else {})


def _new_arn(caller: Caller, kind: str) -> str:
    return f"arn:aws:ce::{caller.account_id}:{kind}/{uuid.uuid4()}"

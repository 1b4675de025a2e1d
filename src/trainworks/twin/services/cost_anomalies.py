"""Anomaly monitors and their subscriptions of Cost Explorer, recorded: no cost is incurred here, so none is unusual.

Source: the anomaly operations of the Cost Explorer API reference. The service is global.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trainworks.twin.ports import ApiError, Caller, ControlPlane
from trainworks.twin.recorded import ListQuery, Record, RecordedStore, Rows, list_page
from trainworks.twin.recorded.rows import global_scope_of
from trainworks.twin.recorded.tags import request_keys, resource_keys
from trainworks.twin.service import Service
from trainworks.twin.wire import Call, Endpoint, Operation, page, recorded

_PAGE_SIZE = 100
_MAX_TAGS = 200
_NOTE = "Stored and described; no cost is incurred, so nothing is detected."
_BY_DIMENSION = "DIMENSIONAL"


@dataclass(frozen=True, slots=True)
class _Kind:
    """`status` of a monitor's row is its type, so that one by dimension is found at once."""

    arn_type: str
    noun: str
    unknown_code: str

    @property
    def key(self) -> str:
        return f"ce:{self.arn_type}"

    @property
    def arn_member(self) -> str:
        return f"{self.noun.removeprefix('Anomaly')}Arn"

    def found(self, rows: Rows, arn: str) -> Record:
        record = rows.get(arn)
        if record is None or record.kind != self.key:
            raise ApiError(self.unknown_code, f"Cannot find {self.arn_type} {arn}")
        return record


_MONITOR = _Kind("anomalymonitor", "AnomalyMonitor", "UnknownMonitorException")
_SUBSCRIPTION = _Kind("anomalysubscription", "AnomalySubscription", "UnknownSubscriptionException")


class CostAnomalies(Service):
    """The operations, in `endpoint`."""

    def __init__(self, store: RecordedStore, control_plane: ControlPlane) -> None:
        self._store = store
        self._control_plane = control_plane
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
        monitor = call.params["AnomalyMonitor"]
        kind = monitor["MonitorType"]
        if (kind == _BY_DIMENSION) == ("MonitorSpecification" in monitor):
            wanted = "MonitorDimension" if kind == _BY_DIMENSION else "MonitorSpecification"
            raise ApiError("ValidationException", f"A {kind} monitor takes a {wanted}")

        def made(rows: Rows) -> tuple[Mapping[str, Any], str]:
            scope = global_scope_of(call.caller)
            if kind == _BY_DIMENSION and rows.first(_MONITOR.key, scope, status=kind) is not None:
                raise ApiError("LimitExceededException", "Limit exceeded on dimensional spend monitor creation")
            return {**monitor, "CreationDate": _today(rows), "LastUpdatedDate": _today(rows)}, kind

        return self._create(call, _MONITOR, made)

    def update_anomaly_monitor(self, call: Call) -> dict[str, Any]:
        return self._update(call, _MONITOR)

    def get_anomaly_monitors(self, call: Call) -> dict[str, Any]:
        return self._get(call, _MONITOR, lambda _: True)

    def delete_anomaly_monitor(self, call: Call) -> dict[str, Any]:
        return self._delete(call, _MONITOR)

    def create_anomaly_subscription(self, call: Call) -> dict[str, Any]:
        subscription = call.params["AnomalySubscription"]

        def made(rows: Rows) -> tuple[Mapping[str, Any], str]:
            _check_subscription(rows, subscription)
            return {**subscription, "AccountId": call.caller.account_id}, ""

        return self._create(call, _SUBSCRIPTION, made)

    def update_anomaly_subscription(self, call: Call) -> dict[str, Any]:
        return self._update(call, _SUBSCRIPTION)

    def get_anomaly_subscriptions(self, call: Call) -> dict[str, Any]:
        monitor = call.params.get("MonitorArn")
        return self._get(call, _SUBSCRIPTION, lambda each: monitor in (None, *each.spec["MonitorArnList"]))

    def delete_anomaly_subscription(self, call: Call) -> dict[str, Any]:
        return self._delete(call, _SUBSCRIPTION)

    def tag_resource(self, call: Call) -> dict[str, Any]:
        added = _tags_given(call)

        def work(rows: Rows, arn: str) -> None:
            count = len({**rows.tags(arn), **added})
            if count > _MAX_TAGS:
                raise ApiError("TooManyTagsException", f"{arn} would have {count} tags, {_MAX_TAGS} are allowed")
            rows.put_tags(arn, added)

        return self._tagged(call, work)

    def untag_resource(self, call: Call) -> dict[str, Any]:
        return self._tagged(call, lambda rows, arn: rows.delete_tags(arn, call.params["ResourceTagKeys"]))

    def list_tags_for_resource(self, call: Call) -> dict[str, Any]:
        arn = call.params["ResourceArn"]
        self._authorize(call, arn)
        with self._store.look() as rows:
            _check_tagged(rows, arn)
            return {"ResourceTags": [{"Key": key, "Value": value} for key, value in rows.tags(arn).items()]}

    # -- what the kinds share ---------------------------------------------------------------------------------

    def _create(self, call: Call, kind: _Kind, made: Callable[[Rows], tuple[Mapping[str, Any], str]]) -> dict[str, Any]:
        """`made` gives spec and status, or raises for what other rows say."""
        self._authorize(call, "*")
        arn = _new_arn(call.caller, kind)
        tags = _tags_given(call)

        def work(rows: Rows) -> None:
            spec, status = made(rows)
            rows.insert(Record(arn, kind.key, global_scope_of(call.caller), _name_in(arn), spec, status))
            rows.put_tags(arn, tags)

        self._store.change(work)
        return {kind.arn_member: arn}

    def _update(self, call: Call, kind: _Kind) -> dict[str, Any]:
        arn = call.params[kind.arn_member]
        self._authorize(call, arn)
        given = {member: value for member, value in call.params.items() if member != kind.arn_member}

        def work(rows: Rows) -> None:
            record = kind.found(rows, arn)
            spec = {**record.spec, **given}
            if kind is _SUBSCRIPTION:
                _check_subscription(rows, spec)
            else:
                spec["LastUpdatedDate"] = _today(rows)
            rows.update(record, spec=spec)

        self._store.change(work)
        return {kind.arn_member: arn}

    def _get(self, call: Call, kind: _Kind, matches: Callable[[Record], bool]) -> dict[str, Any]:
        """A page of all, or of those that are named."""
        self._authorize(call, "*")
        named: Sequence[str] = call.params.get(f"{kind.arn_member}List") or ()
        limit = call.params.get("MaxResults", _PAGE_SIZE)
        if limit < 1:
            raise ApiError("ValidationException", f"MaxResults is at least 1, not {limit}")
        asked = {
            "limit": limit,
            "token": call.params.get("NextPageToken"),
            "request": {name: value for name, value in call.params.items() if name != "NextPageToken"},
            "error_code": "InvalidNextTokenException",
        }
        with self._store.look() as rows:
            if named:
                chosen = filter(matches, {arn: kind.found(rows, arn) for arn in named}.values())
                found, token = page(sorted(chosen, key=_name), key=lambda each: [each.name], **asked)
            else:
                question = ListQuery(kind.key, global_scope_of(call.caller), matches=matches)
                found, token = list_page(rows, question, **asked)
        listed = [{**each.spec, kind.arn_member: each.id} for each in found]
        return {f"{kind.noun}s": listed} | ({"NextPageToken": token} if token else {})

    def _delete(self, call: Call, kind: _Kind) -> dict[str, Any]:
        arn = call.params[kind.arn_member]
        self._authorize(call, arn)
        self._store.change(lambda rows: rows.delete(kind.found(rows, arn)))
        return {}

    def _tagged(self, call: Call, work: Callable[[Rows, str], None]) -> dict[str, Any]:
        arn = call.params["ResourceArn"]
        self._authorize(call, arn)

        def checked(rows: Rows) -> None:
            _check_tagged(rows, arn)
            work(rows, arn)

        self._store.change(checked)
        return {}

    def _authorize(self, call: Call, arn: str) -> None:
        of_resource = {} if arn == "*" else resource_keys(self._store.tags(arn))
        keys = {**of_resource, **request_keys(_tags_given(call))}
        if gone := call.params.get("ResourceTagKeys"):
            keys["aws:TagKeys"] = gone
        self._control_plane.authorize(call.caller, f"ce:{call.operation}", arn, keys)


def _check_subscription(rows: Rows, subscription: Mapping[str, Any]) -> None:
    """Raise for monitors that are not there, and for a topic with a frequency other than IMMEDIATE."""
    for arn in subscription["MonitorArnList"]:
        _MONITOR.found(rows, arn)
    has_topic = any(each.get("Type") == "SNS" for each in subscription["Subscribers"])
    if has_topic != (subscription["Frequency"] == "IMMEDIATE"):
        raise ApiError(
            "ValidationException",
            "IMMEDIATE frequency is for SNS subscribers only, DAILY and WEEKLY frequencies are for EMAIL ones only",
        )


def _check_tagged(rows: Rows, arn: str) -> None:
    record = rows.get(arn)
    if record is None or record.kind not in (_MONITOR.key, _SUBSCRIPTION.key):
        raise ApiError("ResourceNotFoundException", f"Cannot find resource {arn}")


def _tags_given(call: Call) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in call.params.get("ResourceTags", [])}


def _today(rows: Rows) -> str:
    return datetime.fromtimestamp(rows.now, UTC).strftime("%Y-%m-%d")


def _new_arn(caller: Caller, kind: _Kind) -> str:
    return f"arn:aws:ce::{caller.account_id}:{kind.arn_type}/{uuid.uuid4()}"


def _name_in(arn: str) -> str:
    return arn.rpartition("/")[2]


def _name(record: Record) -> str:
    return record.name

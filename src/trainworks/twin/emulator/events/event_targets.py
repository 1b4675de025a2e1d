"""Events on their way to targets: who may, what cannot be delivered, and what is counted of it.

Stock accepts log groups, job queues and calls of the SDK as targets and delivers nothing, reaches every other target
whatever its policy and the role say, and counts nothing. Job queues and calls are reached by a request of the target's
role, in the background: a row until it is answered, so that a restart makes it again. What is refused or not there goes
to the target's dead-letter queue at once, as on AWS, which tries again only what may succeed later; nothing of the
twin's is of that kind.

Metrics after "EventBridge metrics" (EventBridge User Guide): `MatchedEvents`, `Invocations` and `FailedInvocations`
with the dimension `RuleName`, on the default bus.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.events import event_requests
from trainworks.twin.emulator.events.event_inputs import payload_of
from trainworks.twin.emulator.events.event_kinds import DELIVERED, UNIVERSAL, check_schedule
from trainworks.twin.emulator.events.role_calls import RoleCalls
from trainworks.twin.emulator.events.target_permissions import EVENTS, SCHEDULER, target_refusal
from trainworks.twin.emulator.iam.authorization import Authorization
from trainworks.twin.emulator.logs.log_groups import AttachedLogs
from trainworks.twin.ports import ApiError
from trainworks.twin.store.database import Database

_LOG = logging.getLogger(__name__)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS event_delivery (seq INTEGER PRIMARY KEY AUTOINCREMENT, delivery TEXT NOT NULL);
"""
_PUT = "INSERT INTO event_delivery (delivery) VALUES (?)"
_ALL = "SELECT * FROM event_delivery ORDER BY seq"
_DROP = "DELETE FROM event_delivery WHERE seq = ?"

_NAMESPACE = "AWS/Events"
_TICK_SECONDS = 1
_MAX_WAITING = 10_000


class EventTargets:
    """Replaces how ministack brings an event to a target."""

    def __init__(self, authorization: Authorization, logs: AttachedLogs, calls: RoleCalls, database: Database) -> None:
        database.apply(_SCHEMA)
        self._database = database
        self._stopping = False
        self._authorization = authorization
        self._logs = logs
        self._calls = calls
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="event-targets")
        self._events: Any = None
        self._stock_invoke: Any = None

    def install(self, eventbridge: Any) -> None:
        """EventBridge was loaded."""
        self._events = eventbridge
        self._stock_invoke = eventbridge._invoke_target
        stock_matches = eventbridge._matches_pattern_view

        def matches_pattern_view(pattern: str, view: Any, owner: str = "rule") -> bool:
            matched = bool(stock_matches(pattern, view, owner))
            kind, _, key = owner.partition(" ")
            rule = eventbridge._rules.get(key) if matched and kind == "rule" and key else None
            if rule is not None and rule.get("EventBusName", "default") == "default":
                _count(rule["Name"], "MatchedEvents")
            return matched

        eventbridge._invoke_target = self.invoke
        eventbridge._matches_pattern_view = matches_pattern_view
        event_requests.install(eventbridge)

    def start(self) -> None:
        """Go on with the calls that an earlier run left."""
        rows = self._database.read(_ALL)
        if rows:
            engine.service("eventbridge")
        for row in rows:
            delivery = json.loads(row["delivery"])
            self._threads.submit(self._deliver_in_scope, row["seq"], delivery)

    def stop(self) -> None:
        """Begin no call more; what is under way counts when the next run has made it again."""
        self._stopping = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def install_scheduler(self, scheduler: Any) -> None:
        """EventBridge Scheduler was loaded: it refuses targets that are not reached, and looks every second."""
        scheduler._SCHEDULE_TICK_INTERVAL = _TICK_SECONDS
        for name in ("_create_schedule", "_update_schedule"):
            setattr(scheduler, name, self._checked(scheduler, getattr(scheduler, name)))

    def _checked(self, scheduler: Any, stock: Any) -> Any:
        def handle(name: str, body: dict[str, Any]) -> Any:
            try:
                check_schedule(body, self._calls.botocore_name)
            except ApiError as error:
                return scheduler._error(error.status, error.code, error.message)
            return stock(name, body)

        return handle

    def invoke(self, target: dict[str, Any], event: Any, rule: Any, view: Any = None) -> None:
        """Deliver to one target. Nothing that goes wrong with it reaches the caller or another target."""
        source = rule or {}
        try:
            if self._in_background(target, event, source, view):
                return
            self._settle(target, event, source, view, self._delivered(target, event, rule, view))
        except Exception as error:  # noqa: BLE001 - told to the rule, with its traceback in the log
            _LOG.exception("EventBridge: the target %s of %s", target.get("Arn"), source.get("Name"))
            self._settle(target, event, source, view, f"{type(error).__name__}: {error}")

    def _delivered(self, target: dict[str, Any], event: Any, rule: Any, view: Any) -> str | None:
        """Why it was not, or None."""
        parts = str(target.get("Arn", "")).split(":", 6)
        service = parts[2] if len(parts) >= 6 else ""
        if service == "logs" and len(parts) == 7:
            return self._log(target, event, rule, view, parts[6].removesuffix(":*"))
        reason = target_refusal(self._authorization, target, rule or {}) or _missing(service, str(target.get("Arn")))
        if reason is None:
            view = view or self._events._pattern_event_view(event)
            payload = payload_of(target, rule or {}, view)
            kept = {name: value for name, value in target.items() if name not in ("InputPath", "InputTransformer")}
            self._stock_invoke(kept if payload is None else {**kept, "Input": payload}, event, rule, view)
        return reason

    def _in_background(self, target: Mapping[str, Any], event: Any, source: Mapping[str, Any], view: Any) -> bool:
        """Whether the target takes a call of its role, which then is on its way."""
        arn = str(target.get("Arn", ""))
        if arn.startswith(UNIVERSAL):
            service, _, operation = arn.removeprefix(UNIVERSAL).partition(":")
            name = self._calls.botocore_name(service) or service
            params = json.loads(target.get("Input") or "{}")
            call = (SCHEDULER, name, operation[:1].upper() + operation[1:], params)
        elif parts_of_arn(arn).service == "batch":
            call = (EVENTS, "batch", "SubmitJob", _submission(target, self._payload(target, event, source, view)))
        else:
            return False
        if self._threads._work_queue.qsize() > _MAX_WAITING:
            raise RuntimeError("too many deliveries are waiting")
        delivery = {"target": dict(target), "event": event, "source": dict(source), "call": call}
        text = json.dumps(delivery, default=str)
        seq = self._database.together(lambda tx: int(tx.execute(_PUT, (text,)).lastrowid or 0))
        self._threads.submit(self._deliver_in_scope, seq, json.loads(text))
        return True

    def _deliver_in_scope(self, seq: int, delivery: Mapping[str, Any]) -> None:
        parts = str(delivery["source"].get("Arn", "")).split(":")
        with engine.module("core.responses").request_scope(parts[4], parts[3]):
            self._call(delivery)
        if not self._stopping:
            with self._database.transaction() as tx:
                tx.execute(_DROP, (seq,))

    def _call(self, delivery: Mapping[str, Any]) -> None:
        target, event, source = (delivery[part] for part in ("target", "event", "source"))
        principal, service, operation, params = delivery["call"]
        reason = None
        try:
            role = target.get("RoleArn")
            if not role:
                raise ApiError("ValidationException", f"the target {target.get('Arn')} has no role")
            self._calls.call(role, principal, str(source.get("Arn", "")), service, operation, params)
        except ApiError as error:
            reason = f"{error.code}: {error.message}"
        except Exception as error:  # noqa: BLE001 - told to the rule, with its traceback in the log
            _LOG.exception("EventBridge: %s of %s", operation, source.get("Name"))
            reason = f"{type(error).__name__}: {error}"
        if not self._stopping:  # else the stop may be what it failed for
            self._settle(target, event, source, None, reason)

    def _settle(self, target: Any, event: Any, source: Any, view: Any, reason: str | None) -> None:
        if source.get("Name") and ":scheduler:" not in str(source.get("Arn")):
            _count(source["Name"], "Invocations", "FailedInvocations" if reason else None)
        if reason is None:
            return
        # As on AWS nobody is told: the rule's FailedInvocations counts it.
        _LOG.warning("EventBridge %s did not deliver: %s", source.get("Name"), reason)
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if queue:
            self._to_dead_letters(str(queue), target, source, self._payload(target, event, source, view), reason)

    def _payload(self, target: Mapping[str, Any], event: Any, source: Mapping[str, Any], view: Any) -> str:
        view = view or self._events._pattern_event_view(event)
        payload = payload_of(target, source, view)
        return json.dumps(view.event_with_detail()) if payload is None else payload

    def _to_dead_letters(
        self, queue_arn: str, target: Mapping[str, Any], source: Mapping[str, Any], payload: str, reason: str
    ) -> None:
        refused = target_refusal(self._authorization, {"Arn": queue_arn}, {**source, "Arn": _as_rule(source)})
        sqs = engine.service("sqs")
        queue = sqs._queue_by_arn(queue_arn)
        if refused or queue is None:
            _LOG.warning("EventBridge %s: no dead letter: %s", source.get("Name"), refused or f"no queue {queue_arn}")
            return
        told = {
            "RULE_ARN": source.get("Arn", ""),
            "TARGET_ARN": target.get("Arn", ""),
            "ERROR_CODE": "NO_PERMISSIONS" if "not a" in reason else "SDK_CLIENT_ERROR",
            "ERROR_MESSAGE": reason[:1024],
        }
        attributes = {name: {"DataType": "String", "StringValue": str(value)} for name, value in told.items() if value}
        _, _, region, account, name = parts_of_arn(queue_arn)
        url = sqs._queue_name_to_url.get_scoped(account, region, name)
        data = {"QueueUrl": url, "MessageBody": payload, "MessageAttributes": attributes}
        if queue.get("is_fifo"):
            data |= {"MessageGroupId": "dead-letters", "MessageDeduplicationId": f"{time.time_ns()}"}
        sqs._act_send_message(data, url)

    def _log(self, target: Mapping[str, Any], event: Any, rule: Any, view: Any, group: str) -> str | None:
        if not self._logs.group_exists(group):
            return f"log group {group} does not exist"
        message = self._payload(target, event, rule, view)
        try:
            self._logs.put(group, str(event.get("EventId", "")), [(int(time.time() * 1000), message)])
        except ApiError as error:
            return error.message
        return None


def _as_rule(source: Mapping[str, Any]) -> str:
    """A queue for dead letters names events.amazonaws.com, whoever sends them."""
    return str(source.get("Arn", "")).replace(":scheduler:", ":events:")


def _submission(target: Mapping[str, Any], payload: str) -> dict[str, Any]:
    """`SubmitJob` of a target; its input may set parameters and overrides. After "Passing event information to an AWS
    Batch target" (AWS Batch User Guide).
    """
    asked = target["BatchParameters"]
    job: dict[str, Any] = {
        "jobQueue": target["Arn"],
        "jobDefinition": asked["JobDefinition"],
        "jobName": asked["JobName"],
    }
    if size := (asked.get("ArrayProperties") or {}).get("Size"):
        job["arrayProperties"] = {"size": size}
    if attempts := (asked.get("RetryStrategy") or {}).get("Attempts"):
        job["retryStrategy"] = {"attempts": attempts}
    given = json.loads(payload) if target.get("Input") or target.get("InputTransformer") else {}
    if isinstance(given, dict):
        if isinstance(given.get("Parameters"), dict):
            job["parameters"] = {str(name): str(value) for name, value in given["Parameters"].items()}
        if isinstance(given.get("ContainerOverrides"), dict):
            job["containerOverrides"] = _lowered(given["ContainerOverrides"])
    return job


def _lowered(value: Any) -> Any:
    """Names of members as Batch has them, which rules spell with a capital."""
    if isinstance(value, list):
        return [_lowered(item) for item in value]
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _lowered(item) for name, item in value.items()}
    return value


def _missing(service: str, arn: str) -> str | None:
    """Why nothing can be delivered: the target no longer exists, or it is of a kind that is not reached."""
    if service not in DELIVERED:
        return f"trainworks does not deliver events to {arn}"
    found: Any = True
    if service == "sqs":
        found = engine.service("sqs")._queue_by_arn(arn)
    elif service == "states":
        found = engine.service("stepfunctions")._resolve_state_machine_arn(arn)
    return None if found is not None and found is not False else f"{arn} does not exist"


def _count(rule_name: str, *metric_names: str | None) -> None:
    cloudwatch = engine.service("cloudwatch")
    for name in metric_names:
        if name is not None:
            cloudwatch._store_datum(
                _NAMESPACE, name, {"RuleName": rule_name}, time.time(), "Count", 1.0, None, None, None
            )

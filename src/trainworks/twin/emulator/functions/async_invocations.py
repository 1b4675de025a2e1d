"""Events that Lambda accepted for later: kept on disk, tried again, and sent to destinations and dead-letter queues.

Stock runs an event in a thread: a restart loses it, `OnSuccess` and event buses get nothing, and what rules and topics
send is tried once. Here an event is a row before the sender is told that it was accepted:

    accept -> row -> a thread runs the function -> its destination, as the function's role -> the row is deleted

After "Asynchronous invocation" (Lambda Developer Guide): a function that fails is tried twice more, one that is
throttled until the event is too old. Pauses last seconds, on AWS minutes. What ran at a restart is run again.
"""

from __future__ import annotations

import heapq
import json
import logging
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from sqlite3 import Connection
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.events.role_calls import RoleCalls
from trainworks.twin.emulator.events.target_permissions import policy_refusal
from trainworks.twin.ports import ApiError
from trainworks.twin.store.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS lambda_event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    function_arn TEXT NOT NULL,
    request_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    accepted_at REAL NOT NULL,
    due_at REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    throttles INTEGER NOT NULL DEFAULT 0,
    depth INTEGER NOT NULL DEFAULT 0
);
"""
_PUT = """INSERT INTO lambda_event (function_arn, request_id, payload, accepted_at, due_at, depth)
    VALUES (?, ?, ?, ?, ?, ?)"""
_WAITING = "SELECT seq, function_arn, due_at FROM lambda_event ORDER BY seq"
_GET = "SELECT * FROM lambda_event WHERE seq = ?"
_AGAIN = "UPDATE lambda_event SET due_at = ?, tries = ?, throttles = ? WHERE seq = ?"
_DROP = "DELETE FROM lambda_event WHERE seq = ?"

_MOST_AT_ONCE, _MOST_OF_A_FUNCTION = 100, 10
_PRINCIPAL, _INVOKE = "lambda.amazonaws.com", "lambda:InvokeFunction"
_RETRIES, _MOST_AGE_SECONDS = 2, 21_600
_FIRST_PAUSE, _MOST_PAUSE = 1.0, 30.0

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Event:
    """One row of `lambda_event`."""

    seq: int
    function_arn: str
    request_id: str
    payload: str
    accepted_at: float
    due_at: float
    tries: int
    throttles: int
    depth: int


class AsyncInvocations:
    """Owns the table and its threads; `install` puts it in place of stock's, `start` and `stop` are for the threads."""

    def __init__(self, database: Database, calls: RoleCalls) -> None:
        database.apply(_SCHEMA)
        self._database = database
        self._calls = calls
        self._changed = threading.Condition()
        self._ready: dict[str, deque[int]] = {}
        self._later: list[tuple[float, int, str]] = []
        self._running: Counter[str] = Counter()
        self._stopping = False
        self._threads = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="async-invocation")
        self._dispatcher = threading.Thread(target=self._dispatch, name="async-invocations", daemon=True)
        for row in database.read(_WAITING):
            self._later.append((row["due_at"], row["seq"], row["function_arn"]))
        heapq.heapify(self._later)

    def install(self, lambda_svc: Any) -> None:
        """Lambda was loaded."""
        lambda_svc.invoke_async_with_retry = self.accept
        stock_emit = lambda_svc._emit_lambda_metrics

        def emit(name: str, duration_ms: float, error: bool, throttle: bool) -> None:
            # Stock counts an event when it is accepted, before its result is known.
            if duration_ms or error or throttle:
                stock_emit(name, duration_ms, error, throttle)

        lambda_svc._emit_lambda_metrics = emit

    def install_sns(self, sns: Any) -> None:
        """SNS was loaded: what its topics send to functions is accepted here, if the function's policy allows it."""

        def deliver(endpoint: str, envelope: str, topic_arn: str, subscription_arn: str, *_: Any) -> None:
            if (refusal := policy_refusal("sns.amazonaws.com", _INVOKE, endpoint, topic_arn)) is not None:
                _LOG.warning("a message of %s is not delivered: %s", topic_arn, refusal)
                return
            sns_part = json.loads(envelope)
            record = {"EventVersion": "1.0", "EventSubscriptionArn": subscription_arn, "EventSource": "aws:sns"}
            self.send(endpoint, {"Records": [{**record, "Sns": sns_part}]}, f"a message of {topic_arn}")

        sns._deliver_to_lambda = deliver

    @staticmethod
    def install_s3(s3: Any) -> None:
        """S3 was loaded: a bucket's events go to a function only if the function's policy allows it."""
        stock = s3._deliver_event_to_lambda

        def deliver(arn: str, payload: Mapping[str, Any], bucket_region: str) -> None:
            bucket_arn = str(payload["Records"][0]["s3"]["bucket"]["arn"])
            if (refusal := policy_refusal("s3.amazonaws.com", _INVOKE, arn, bucket_arn)) is not None:
                _LOG.warning("an event of %s is not delivered: %s", bucket_arn, refusal)
                return
            stock(arn, payload, bucket_region)

        s3._deliver_event_to_lambda = deliver

    def install_events(self, eventbridge: Any) -> None:
        """EventBridge was loaded: what its rules and schedules send to functions is accepted here too."""

        def dispatch(arn: str, payload: str) -> None:
            try:
                event = json.loads(payload)
            except ValueError:
                event = payload
            self.send(arn, event, "an event")

        eventbridge._dispatch_to_lambda = dispatch

    def start(self) -> None:
        """Go on with what an earlier run accepted."""
        self._dispatcher.start()

    def stop(self) -> None:
        """Start no more events. Those that run now are run again after the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def send(self, arn: str, event: object, what: str) -> None:
        """Accept what a service sends to the function of an ARN; without such a function it is dropped, as on AWS."""
        lambda_svc = engine.service("lambda_svc")
        function, config, _ = lambda_svc._get_func_record_for_ref(arn)
        if not function or not config:
            _LOG.warning("%s is not delivered: there is no function %s", what, arn)
            return
        self.accept({**function, "config": {**config, "FunctionArn": arn}}, event)

    def accept(self, function: Mapping[str, Any], event: object) -> None:
        """Accept an event; it is on disk when this returns."""
        lambda_svc, now = engine.service("lambda_svc"), time.time()
        arn = str((function.get("config") or function)["FunctionArn"])
        row = (arn, str(uuid.uuid4()), json.dumps(event), now, now, lambda_svc._invoke_depth.get())

        def put(tx: Connection) -> int:
            return int(tx.execute(_PUT, row).lastrowid or 0)

        seq = self._database.together(put)
        with self._changed:
            heapq.heappush(self._later, (now, seq, arn))
            self._changed.notify()

    # -- in turn ----------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        while True:
            with self._changed:
                while (begun := self._next()) is None:
                    if self._stopping:
                        return
                    self._changed.wait(self._later[0][0] - time.time() if self._later else None)
                if self._stopping:
                    return
                arn, seq = begun
                self._running[arn] += 1
                self._threads.submit(self._run, arn, seq)

    def _next(self) -> tuple[str, int] | None:
        """(function ARN, row) of the next event: that of the function that has waited longest and may run one more."""
        now = time.time()
        while self._later and self._later[0][0] <= now:
            _, seq, arn = heapq.heappop(self._later)
            self._ready.setdefault(arn, deque()).append(seq)
        if self._running.total() >= _MOST_AT_ONCE:
            return None
        free = [each for each in self._ready if self._running[each] < _MOST_OF_A_FUNCTION]
        if not free:
            return None
        arn = free[0]
        waiting = self._ready.pop(arn)  # and back at the end: the functions take turns
        seq = waiting.popleft()
        if waiting:
            self._ready[arn] = waiting
        return arn, seq

    def _run(self, arn: str, seq: int) -> None:
        again: float | None = None
        try:
            row = self._database.read_one(_GET, (seq,))
            if row is not None:
                again = self._try(_Event(**dict(row)))
        except Exception:  # noqa: BLE001 - recorded with its traceback; the event stays and is tried again
            _LOG.exception("an event of %s could not be run", arn)
            again = time.time() + _MOST_PAUSE
        with self._changed:
            self._running -= Counter([arn])
            if again is not None and not self._stopping:
                heapq.heappush(self._later, (again, seq, arn))
            self._changed.notify()

    # -- one try ----------------------------------------------------------------------------------------------

    def _try(self, event: _Event) -> float | None:
        """Run the function once; returns when to try again, None if the event is finished."""
        _, _, _, region, account, *_ = event.function_arn.split(":")
        lambda_svc = engine.service("lambda_svc")
        with engine.module("core.responses").request_scope(account, region):
            function, config, name = lambda_svc._get_func_record_for_ref(event.function_arn)
            if not function or not config:
                _LOG.warning("an event of %s is gone: the function was deleted", event.function_arn)
                self._done(event)
                return None
            base, _, _ = lambda_svc._get_base_func_record_for_ref(event.function_arn)
            settings = _settings(lambda_svc, base, _qualifier(event.function_arn))
            record = {**function, "config": {**config, "FunctionArn": event.function_arn}}
            lambda_svc._invoke_depth.set(event.depth)
            began = time.time()
            result = lambda_svc._execute_function(record, json.loads(event.payload))
            if self._stopping:
                return None  # the stop may have ended it: the next start runs it again
            if not result.get("throttle"):
                duration_ms = max((time.time() - began) * 1000, 0.001)
                lambda_svc._emit_lambda_metrics(name, duration_ms, bool(result.get("error")), False)
            due = self._due(event, settings, result, disabled=(base or {}).get("concurrency") == 0)
            if due is not None:
                return due
            self._settle(event, config, settings, result)
        self._done(event)
        return None

    def _due(
        self, event: _Event, settings: Mapping[str, Any], result: Mapping[str, Any], *, disabled: bool
    ) -> float | None:
        """When the event is tried again, as noted in its row; None if it is not."""
        if not result.get("error"):
            return None
        throttled = bool(result.get("throttle"))
        tries, throttles = event.tries + (not throttled), event.throttles + throttled
        most = settings.get("MaximumRetryAttempts")
        if disabled or (not throttled and tries > (_RETRIES if most is None else int(most))):
            return None
        pause = _FIRST_PAUSE * 2.0 ** min(tries + throttles - 1, 10)
        due = time.time() + min(pause, _MOST_PAUSE)
        if due - event.accepted_at > int(settings.get("MaximumEventAgeInSeconds") or _MOST_AGE_SECONDS):
            return None
        with self._database.transaction() as tx:
            tx.execute(_AGAIN, (due, tries, throttles, event.seq))
        return due

    def _done(self, event: _Event) -> None:
        with self._database.transaction() as tx:
            tx.execute(_DROP, (event.seq,))

    # -- where it ends ----------------------------------------------------------------------------------------

    def _settle(
        self, event: _Event, config: Mapping[str, Any], settings: Mapping[str, Any], result: Mapping[str, Any]
    ) -> None:
        """Send the result to the destination, and a failed event to the dead-letter queue."""
        failed = bool(result.get("error"))
        places = settings.get("DestinationConfig") or {}
        destination = (places.get("OnFailure" if failed else "OnSuccess") or {}).get("Destination")
        if destination:
            document = _invocation_record(event, settings, result)
            self._deliver(event, config, str(destination), document, failed, "DestinationDeliveryFailures")
        queue = (config.get("DeadLetterConfig") or {}).get("TargetArn")
        if failed and queue:
            self._deliver(event, config, str(queue), None, failed, "DeadLetterErrors")

    def _deliver(  # noqa: PLR0917 - the parts of one delivery
        self, event: _Event, config: Mapping[str, Any], arn: str, document: Any, failed: bool, metric: str
    ) -> None:
        """One call of the function's role; a refusal is counted and changes nothing else, as on AWS."""
        service, operation, params = _call(event, arn, document, failed)
        try:
            function_arn = ":".join(event.function_arn.split(":")[:7])
            self._calls.call(str(config.get("Role", "")), _PRINCIPAL, function_arn, service, operation, params)
        except ApiError as error:
            _LOG.warning("%s gets no result of %s: %s: %s", arn, event.function_arn, error.code, error.message)
            name = event.function_arn.split(":")[6]
            engine.service("cloudwatch").record_metric("AWS/Lambda", metric, 1, "Count", {"FunctionName": name})


def _qualifier(function_arn: str) -> str | None:
    parts = function_arn.split(":")
    return parts[7] if len(parts) > 7 else None


def _settings(lambda_svc: Any, function: Any, qualifier: str | None) -> Mapping[str, Any]:
    """The function's own configuration of asynchronous invocations; without a qualifier $LATEST is meant."""
    for each in (qualifier,) if qualifier else (None, "$LATEST"):
        found: Mapping[str, Any] | None = lambda_svc._event_invoke_config(function, each)
        if found:
            return found
    return {}


def _invocation_record(event: _Event, settings: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """What a destination gets; after "Capturing records of Lambda asynchronous invocations"."""
    version = _qualifier(event.function_arn) or "$LATEST"
    failed, tries = bool(result.get("error")), event.tries + (not result.get("throttle"))
    most = settings.get("MaximumRetryAttempts")
    exhausted = tries > (_RETRIES if most is None else int(most))
    condition = ("RetriesExhausted" if exhausted else "EventAgeExceeded") if failed else "Success"
    response: dict[str, Any] = {"statusCode": 200, "executedVersion": result.get("executed_version") or version}
    if failed:
        response["functionError"] = result.get("function_error") or "Unhandled"
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = result.get("body")
    return {
        "version": "1.0",
        "timestamp": now,
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": f"{':'.join(event.function_arn.split(':')[:7])}:{version}",
            "condition": condition,
            "approximateInvokeCount": tries,
        },
        "requestPayload": json.loads(event.payload),
        "responseContext": response,
        "responsePayload": json.loads(body) if isinstance(body, bytes) else body,
    }


def _call(event: _Event, arn: str, document: Any, failed: bool) -> tuple[str, str, dict[str, Any]]:
    """(service, operation, parameters) to send a record, or to a dead-letter queue the event, to `arn`."""
    _, service, region, account, name = parts_of_arn(arn)
    body = event.payload if document is None else json.dumps(document)
    attributes = {}
    if document is None:
        told = {"RequestID": ("String", event.request_id), "ErrorCode": ("Number", "200")}
        attributes = {key: {"DataType": kind, "StringValue": text} for key, (kind, text) in told.items()}
    if service == "sqs":
        url = engine.service("sqs")._queue_name_to_url.get_scoped(account, region, name) or name
        return "sqs", "SendMessage", {"QueueUrl": url, "MessageBody": body, "MessageAttributes": attributes}
    if service == "sns":
        return "sns", "Publish", {"TopicArn": arn, "Message": body, "MessageAttributes": attributes}
    if service == "lambda":
        return "lambda", "Invoke", {"FunctionName": arn, "InvocationType": "Event", "Payload": body}
    if service == "s3":
        at = datetime.now(UTC)
        key = f"aws/lambda/async/{event.function_arn.split(':')[6]}/{at:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
        return "s3", "PutObject", {"Bucket": name, "Key": key, "Body": body}
    how = "Failure" if failed else "Success"
    entry = {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {how}",
        "Detail": body,
        "EventBusName": name.removeprefix("event-bus/"),
        "Resources": [arn, document["requestContext"]["functionArn"]],
    }
    return "events", "PutEvents", {"Entries": [entry]}

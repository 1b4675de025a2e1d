"""Streams of tables as event sources: in order, with retries, division, and a destination for what is given up.

Stock tries a batch for ever, whatever its mapping says about retries and division, and delays all other mappings while
a function runs. After "Process DynamoDB records with Lambda", "Retain discarded records" and "Implementing partial
batch response with DynamoDB and Lambda".

    batch -> function -> position behind it
                      -> failed: from the first failed item on, or by halves, again, until it is given up
                      -> given up: a record for the destination, as the function's role; position behind it
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.events.role_calls import RoleCalls
from trainworks.twin.emulator.functions.queue_source import MOST_PAYLOAD_BYTES, failed_items, invoke
from trainworks.twin.ports import ApiError

_PRINCIPAL = "lambda.amazonaws.com"
_SHARD = "shardId-00000000000000000000-00000000"
_BATCH = 100
_FIRST_PAUSE, _MOST_PAUSE = 1.0, 30.0

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Reading:
    """The batch that a mapping is working on: `ends` are its end and those of its halves, `tries` those of the last."""

    ends: list[int] = field(default_factory=list)
    tries: int = 0
    since: float | None = None
    not_before: float = 0.0


class StreamSource:
    """Put in place when Lambda is loaded. `calls` are made as functions' roles."""

    def __init__(self, calls: RoleCalls) -> None:
        self._calls = calls
        self._readings: dict[str, _Reading] = {}

    def install(self, lambda_svc: Any) -> None:
        """Lambda was loaded, and `source_permissions` are in place."""
        stock_create, stock_release = lambda_svc._create_esm, lambda_svc._release_esm_poll_state

        def create_esm(data: dict[str, Any]) -> Any:
            if ":dynamodb:" not in str(data.get("EventSourceArn", "")):
                return stock_create(data)
            if not data.get("StartingPosition"):
                problem = "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
                return lambda_svc.error_response_json("ValidationException", f"{problem}Member must not be null", 400)
            return stock_create({"BatchSize": _BATCH, **data})

        def release(name: str) -> None:
            self._readings.pop(name, None)
            stock_release(name)

        lambda_svc._create_esm, lambda_svc._release_esm_poll_state = create_esm, release
        lambda_svc._poll_dynamodb_streams = self._poll

    def _poll(self) -> bool:
        """Give a thread to each mapping that has something to do; returns whether one had."""
        lambda_svc, scope = engine.service("lambda_svc"), engine.module("core.responses").request_scope
        begun = False
        for account, region, mapping in lambda_svc._iter_all_esms():
            arn, name = str(mapping.get("EventSourceArn", "")), str(mapping["UUID"])
            if ":dynamodb:" not in arn or not mapping.get("Enabled", True) or lambda_svc._esm_inflight.get(name):
                continue
            with scope(account, region):
                if self._is_due(mapping, arn.split("/")[1], arn):
                    lambda_svc._dispatch_esm_batch(name, self._run, mapping, account, region)
                    begun = True
        return begun

    def _is_due(self, mapping: Mapping[str, Any], table: str, arn: str) -> bool:
        dynamodb = engine.service("dynamodb")
        found = dynamodb._tables.get(table)
        if not found or found.get("LatestStreamArn") != arn:
            return False
        reading, now = self._readings.setdefault(mapping["UUID"], _Reading()), time.time()
        there = dynamodb.stream_end_position(table) - self._position(mapping, table)
        if there <= 0 or now < reading.not_before:
            return False
        window = mapping.get("MaximumBatchingWindowInSeconds") or 0
        if reading.ends or not window or there >= int(mapping.get("BatchSize") or _BATCH):
            return True
        reading.since = reading.since or now
        return now - reading.since >= window

    def _position(self, mapping: Mapping[str, Any], table: str) -> int:
        """The position of the mapping; records that have expired meanwhile are skipped."""
        lambda_svc, dynamodb, name = engine.service("lambda_svc"), engine.service("dynamodb"), mapping["UUID"]
        horizon = int(dynamodb.stream_start_position(table))
        with lambda_svc._dynamodb_stream_positions_lock:
            if name not in lambda_svc._dynamodb_stream_positions:
                latest = mapping.get("StartingPosition") != "TRIM_HORIZON"
                lambda_svc._dynamodb_stream_positions[name] = dynamodb.stream_end_position(table) if latest else horizon
            return max(int(lambda_svc._dynamodb_stream_positions[name]), horizon)

    def _run(self, mapping: dict[str, Any], account: str, region: str) -> None:
        with engine.module("core.responses").request_scope(account, region):
            try:
                self._read(mapping)
            except Exception:  # noqa: BLE001 - recorded with its traceback; the records stay and are read again
                _LOG.exception("the event source %s could not be read", mapping["UUID"])
                self._readings[mapping["UUID"]].not_before = time.time() + _MOST_PAUSE

    def _read(self, mapping: dict[str, Any]) -> None:
        """Process one batch, or the next part of one that failed."""
        lambda_svc, table = engine.service("lambda_svc"), mapping["EventSourceArn"].split("/")[1]
        function, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
        if function is None:
            return
        reading, start = self._readings.setdefault(mapping["UUID"], _Reading()), self._position(mapping, table)
        size = int(mapping.get("BatchSize") or _BATCH)
        while reading.ends and reading.ends[-1] <= start:
            reading.ends.pop()
        most = reading.ends[-1] - start if reading.ends else size
        records = _of_one_event(engine.service("dynamodb").stream_records_since(table, start, most))
        end = start + len(records)
        wanted = lambda_svc._apply_filter_criteria(records, mapping)
        if not wanted:
            self._go_on(mapping, reading, end)
            return
        result = invoke(mapping, function, {"Records": wanted})
        if result.get("throttle"):
            reading.not_before = time.time() + _FIRST_PAUSE
            return
        first = _first_failed(mapping, result, records)
        if first is None:
            mapping["LastProcessingResult"] = "OK"
            self._go_on(mapping, reading, end)
            return
        mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
        self._fail(mapping, reading, _Failure(start, end, first, records, wanted, result, function))

    def _go_on(self, mapping: Mapping[str, Any], reading: _Reading, position: int) -> None:
        lambda_svc = engine.service("lambda_svc")
        with lambda_svc._dynamodb_stream_positions_lock:
            if mapping["UUID"] in lambda_svc._esms:
                lambda_svc._dynamodb_stream_positions[mapping["UUID"]] = position
        while reading.ends and reading.ends[-1] <= position:
            reading.ends.pop()
        reading.tries, reading.since, reading.not_before = 0, None, 0.0

    def _fail(self, mapping: Mapping[str, Any], reading: _Reading, failure: _Failure) -> None:
        """Divide what failed, try it again later, or give it up."""
        if not reading.ends:
            reading.ends.append(failure.end)
        if failure.first > 0:
            self._go_on(mapping, reading, failure.start + failure.first)
            reading.ends = reading.ends or [failure.end]
        left = failure.end - failure.start - failure.first
        condition = _given_up(mapping, reading, failure)
        if mapping.get("BisectBatchOnFunctionError") and left > 1 and condition != "MaxRecordAgeExceeded":
            if failure.first == 0:
                reading.ends.append(failure.start + left // 2)
            reading.tries = 0
            return
        if condition:
            self._tell(mapping, condition, failure, reading.tries + 1)
            self._go_on(mapping, reading, failure.end)
            return
        reading.tries += 1
        reading.not_before = time.time() + min(_FIRST_PAUSE * 2.0 ** min(reading.tries - 1, 10), _MOST_PAUSE)

    def _tell(self, mapping: Mapping[str, Any], condition: str, failure: _Failure, tries: int) -> None:
        """Send a record of what was given up to the destination; a refusal is only logged, as on AWS."""
        places = mapping.get("DestinationConfig") or {}
        arn = str((places.get("OnFailure") or {}).get("Destination") or "")
        if not arn:
            return
        document = _record(mapping, condition, failure, tries)
        config = failure.function.get("config") or failure.function
        function_arn = ":".join(mapping["FunctionArn"].split(":")[:7])
        try:
            self._calls.call(
                str(config.get("Role", "")), _PRINCIPAL, function_arn, *_call(mapping, arn, document, failure)
            )
        except ApiError as error:
            _LOG.warning("%s gets no record of %s: %s: %s", arn, mapping["UUID"], error.code, error.message)


@dataclass(frozen=True, slots=True)
class _Failure:
    """A batch from `start` to `end`; record number `first` is the first that failed. `wanted` passed the filters."""

    start: int
    end: int
    first: int
    records: Sequence[Mapping[str, Any]]
    wanted: Sequence[Mapping[str, Any]]
    result: Mapping[str, Any]
    function: Mapping[str, Any]

    @property
    def left(self) -> Sequence[Mapping[str, Any]]:
        """The records that were not processed."""
        return self.records[self.first :]


def _of_one_event(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first records, as many as one event may hold, and at least one."""
    taken: list[Mapping[str, Any]] = []
    size = 0
    for each in records:
        size += len(json.dumps(each))
        if taken and size > MOST_PAYLOAD_BYTES:
            break
        taken.append(each)
    return taken


def _first_failed(
    mapping: Mapping[str, Any], result: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> int | None:
    """The number of the first record that failed; None if all are processed."""
    if result.get("error"):
        return 0
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or ()):
        return None
    numbers = [str(each["dynamodb"]["SequenceNumber"]) for each in records]
    failed = failed_items(result.get("body"), set(numbers))
    if failed is None:
        return 0
    return min((numbers.index(each) for each in failed), default=None)


def _given_up(mapping: Mapping[str, Any], reading: _Reading, failure: _Failure) -> str:
    """Why a batch is not tried again, or ""."""
    age = mapping.get("MaximumRecordAgeInSeconds")
    if age is not None and int(age) > 0:
        oldest = float(failure.left[0]["dynamodb"].get("ApproximateCreationDateTime", time.time()))
        if time.time() - oldest > int(age):
            return "MaxRecordAgeExceeded"
    most = mapping.get("MaximumRetryAttempts")
    exhausted = most is not None and int(most) >= 0 and reading.tries >= int(most)
    return "RetryAttemptsExhausted" if exhausted else ""


def _record(mapping: Mapping[str, Any], condition: str, failure: _Failure, tries: int) -> dict[str, Any]:
    first, last = failure.left[0]["dynamodb"], failure.left[-1]["dynamodb"]
    answered: dict[str, Any] = {"statusCode": 200, "executedVersion": failure.result.get("executed_version", "$LATEST")}
    if failure.result.get("error"):
        answered["functionError"] = failure.result.get("function_error") or "Unhandled"
    return {
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": mapping["FunctionArn"],
            "condition": condition,
            "approximateInvokeCount": tries,
        },
        "responseContext": answered,
        "version": "1.0",
        "timestamp": _iso(time.time()),
        "DDBStreamBatchInfo": {
            "shardId": _SHARD,
            "startSequenceNumber": str(first["SequenceNumber"]),
            "endSequenceNumber": str(last["SequenceNumber"]),
            "approximateArrivalOfFirstRecord": _iso(first.get("ApproximateCreationDateTime", time.time())),
            "approximateArrivalOfLastRecord": _iso(last.get("ApproximateCreationDateTime", time.time())),
            "batchSize": len(failure.left),
            "streamArn": mapping["EventSourceArn"],
        },
    }


def _call(
    mapping: Mapping[str, Any], arn: str, document: dict[str, Any], failure: _Failure
) -> tuple[str, str, dict[str, Any]]:
    """(service, operation, parameters) of the call for a destination; a bucket gets the records themselves too."""
    _, service, region, account, name = parts_of_arn(arn)
    body = json.dumps(document)
    if service == "sqs":
        url = engine.service("sqs")._queue_name_to_url.get_scoped(account, region, name) or name
        return "sqs", "SendMessage", {"QueueUrl": url, "MessageBody": body}
    if service == "sns":
        return "sns", "Publish", {"TopicArn": arn, "Message": body}
    at = datetime.now(UTC)
    key = f"aws/lambda/{mapping['UUID']}/{_SHARD}/{at:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
    whole = json.dumps({**document, "payload": {"Records": list(failure.left)}})
    return "s3", "PutObject", {"Bucket": name, "Key": key, "Body": whole}


def _iso(seconds: Any) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Queues as event sources: whole batches, batching windows, and reports of failed items.

Stock polls ten messages at most, ignores windows, and takes a report of failed items that names unknown ones for
success. After "Using Lambda with Amazon SQS" and "Implementing partial batch responses".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from trainworks.twin.emulator import engine

MOST_PAYLOAD_BYTES = 5_500_000
"""The most bytes of records in one event. An event may have 6 MB; the rest is for what is around the records."""
_A_RECEIVE = 10
_PAUSE_SECONDS = 1.0
_MOST_OF_FIFO = 10

_LOG = logging.getLogger(__name__)


class QueueSource:
    """Put in place when Lambda and SQS are loaded; its state is that of the one thread that polls."""

    def __init__(self) -> None:
        self._polled: Mapping[str, Any] = {}
        self._waiting: dict[str, float] = {}

    def install(self, lambda_svc: Any) -> None:
        """Lambda was loaded, and `source_permissions` are in place."""
        stock_all, stock_create = lambda_svc._iter_all_esms, lambda_svc._create_esm

        def iter_all_esms() -> Iterator[tuple[str, str, dict[str, Any]]]:
            for account, region, mapping in stock_all():
                self._polled = mapping
                yield account, region, mapping
            self._polled = {}

        def create_esm(data: dict[str, Any]) -> Any:
            if problem := _problem(data) or _too_slow(lambda_svc, data):
                return lambda_svc.error_response_json("InvalidParameterValueException", problem, 400)
            return stock_create(data)

        lambda_svc._iter_all_esms, lambda_svc._create_esm = iter_all_esms, create_esm
        lambda_svc._run_sqs_batch = _run_batch

    def install_sqs(self, sqs: Any) -> None:
        """SQS was loaded."""
        stock = sqs._receive_messages_for_esm

        def receive(queue_url: str, most: int) -> list[dict[str, Any]]:
            if not self._is_due(sqs, queue_url, most):
                return []
            batch: list[dict[str, Any]] = []
            size = 0
            while len(batch) < most and size < MOST_PAYLOAD_BYTES:
                found = stock(queue_url, min(most - len(batch), _A_RECEIVE))
                batch += found
                size += sum(len(str(each.get("body", ""))) for each in found)
                if not found:
                    break
            return batch

        sqs._receive_messages_for_esm = receive

    def _is_due(self, sqs: Any, queue_url: str, most: int) -> bool:
        """Whether a batch is full, or has waited for its window since its first message was seen."""
        name, window = str(self._polled.get("UUID", "")), self._polled.get("MaximumBatchingWindowInSeconds") or 0
        if not name or not window:
            return True
        now = time.time()
        with sqs._queues_lock:
            messages = sqs._queues[queue_url]["messages"]
            there = sum(1 for _ in islice((each for each in messages if each["visible_at"] <= now), most))
        if not there:
            self._waiting.pop(name, None)
            return False
        since = self._waiting.setdefault(name, now)
        if there < most and now - since < window:
            return False
        del self._waiting[name]
        return True


def _problem(data: Mapping[str, Any]) -> str:
    """Why Lambda refuses a mapping of a queue; "" if it takes it, or if its source is no queue."""
    arn = str(data.get("EventSourceArn", ""))
    if ":sqs:" not in arn:
        return ""
    size, window = int(data.get("BatchSize") or 10), int(data.get("MaximumBatchingWindowInSeconds") or 0)
    if arn.endswith(".fifo"):
        if window:
            return "Batching window is not supported for FIFO queues"
        return f"Batch size {size} is larger than {_MOST_OF_FIFO}, the most of a FIFO queue" * (size > _MOST_OF_FIFO)
    if size > _A_RECEIVE and not window:
        return "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    return ""


def _too_slow(lambda_svc: Any, data: Mapping[str, Any]) -> str:
    """Says so if messages would become visible again while their function still runs; "" if not."""
    arn = str(data.get("EventSourceArn", ""))
    name, _ = lambda_svc._resolve_request_scoped_name_and_qualifier(str(data.get("FunctionName", "")))
    function = lambda_svc._functions.get(name)
    queue = engine.service("sqs")._queue_by_arn(arn) if ":sqs:" in arn else None
    if function is None or queue is None:
        return ""
    hidden, timeout = int(queue["attributes"].get("VisibilityTimeout", 30)), int(function["config"].get("Timeout") or 3)
    if hidden >= timeout:
        return ""
    return f"Queue visibility timeout: {hidden} seconds is less than Function timeout: {timeout} seconds"


def _run_batch(  # noqa: PLR0917 - stock's own signature
    mapping: dict[str, Any], function: Any, event: Any, batch: list[Any], queue_url: str, queue_name: str
) -> None:
    """Run a batch. What succeeded leaves the queue; the rest comes back when its visibility ends."""
    lambda_svc, name = engine.service("lambda_svc"), mapping["UUID"]
    result = invoke(mapping, function, event)
    reports = "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ())
    failed = failed_items(result.get("body"), {each["id"] for each in batch}) if reports else set()
    if result.get("error") or failed is None:
        mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
        _LOG.warning("%s failed with %d messages of %s", mapping["FunctionArn"], len(batch), queue_name)
        lambda_svc._esm_backoff_until[name] = time.time() + _PAUSE_SECONDS
        return
    lambda_svc._esm_backoff_until.pop(name, None)
    mapping["LastProcessingResult"] = "OK"
    done = {each["receipt_handle"] for each in batch if each["id"] not in failed and each.get("receipt_handle")}
    if done:
        engine.service("sqs")._delete_messages_for_esm(queue_url, done)


def invoke(mapping: Mapping[str, Any], function: Mapping[str, Any], event: Any) -> dict[str, Any]:
    """One invocation for an event source, by the ARN in the mapping: an alias may choose between versions."""
    lambda_svc = engine.service("lambda_svc")
    record = {**function, "config": {**(function.get("config") or function), "FunctionArn": mapping["FunctionArn"]}}
    began = time.time()
    result: dict[str, Any] = lambda_svc._execute_function(record, event)
    if not result.get("throttle"):
        duration_ms = max((time.time() - began) * 1000, 0.001)
        lambda_svc._emit_lambda_metrics(mapping["FunctionName"], duration_ms, bool(result.get("error")), False)
    return result


def failed_items(body: Any, known: set[str]) -> set[str] | None:
    """The items that a function reports as failed; None if its report is invalid: then all have failed.

    An empty result, or an empty list, is success.
    """
    report = body.get("batchItemFailures") if isinstance(body, Mapping) else body
    if report is None:
        return set()
    if not isinstance(report, list) or not isinstance(body, Mapping):
        return None
    failed = [each.get("itemIdentifier") if isinstance(each, Mapping) else None for each in report]
    return {str(each) for each in failed} if all(isinstance(each, str) and each in known for each in failed) else None

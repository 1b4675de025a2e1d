"""SQS on disk and in memory: a queue's messages and deduplication ids are parts with rows of their own (`parts`), and
what stock does by a look at every message is asked of `Messages`."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any, ClassVar

from trainworks.twin.emulator.durable.change_tracking import ChangeTracker, TouchedDict
from trainworks.twin.emulator.durable.parts import Read, RecordParts
from trainworks.twin.emulator.sqs import limits
from trainworks.twin.emulator.sqs.messages import Message, Messages
from trainworks.twin.emulator.sqs.recent_sends import RecentSends

Queue = dict[str, Any]

_COUNTED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_INVALID = "The input receipt handle is invalid."
_SECONDS = 30


class QueueParts(RecordParts):
    """Put in place when SQS is loaded."""

    members: ClassVar = {"messages": list, "dedup_cache": dict}

    def __init__(self, tracker: ChangeTracker, read: Read) -> None:
        super().__init__(tracker, read)
        self._sqs: Any = None

    def install(self, sqs: Any) -> None:
        """SQS was loaded, and its queues are back from disk, without their messages."""
        self._sqs = sqs
        self.keep(sqs._queues._data)
        sqs._expire_retained = lambda queue: queue["messages"].expire()
        sqs._collect_msgs = lambda queue, most, seconds: queue["messages"].receive(most, seconds)
        sqs._prune_dedup = lambda queue: queue["dedup_cache"].forget()
        sqs._refresh_counts = _count
        sqs._dlq_sweep = self._move_worn
        sqs._delete_messages_for_esm = self._delete_all
        sqs._HANDLERS |= {
            "DeleteMessage": self._delete_message,
            "DeleteMessageBatch": self._delete_message_batch,
            "ChangeMessageVisibility": self._change_message_visibility,
            "ChangeMessageVisibilityBatch": self._change_message_visibility_batch,
        }

    def row(self, record: Queue) -> Queue:
        # How many messages there are is counted whenever it is asked.
        attributes = {name: value for name, value in record["attributes"].items() if name not in _COUNTED}
        row: Queue = super().row(record)
        return row | {"attributes": attributes}

    def dressed(self, record: Queue) -> Queue:
        if not isinstance(record["messages"], Messages):
            name = record.setdefault("id", uuid.uuid4().hex)
            messages = Messages(self.tracker, f"sqs.messages/{name}", record, self._sqs._ensure_msg_fields)
            for number, message in enumerate(record["messages"]):
                messages.restore(number, (message,))
            recent = RecentSends(self.tracker, f"sqs.recent/{name}")
            for key, sent in record["dedup_cache"].items():
                recent.restore(key, (sent,))
            record |= {"messages": messages, "dedup_cache": recent}
        record["messages"].queue = record  # another object, where a request that failed has brought the row back
        return record

    def stores_of(self, record: Queue) -> tuple[TouchedDict, ...]:
        messages: Messages = record["messages"]
        recent: RecentSends = record["dedup_cache"]
        return messages.rows, recent

    def _move_worn(self, queue: Queue) -> None:
        """Move what was received too often to the dead-letter queue."""
        policy = json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
        dead_letters = self._sqs._queue_by_arn(policy.get("deadLetterTargetArn", ""))
        if dead_letters is None:
            return
        now = time.time()

        def take(message: Message) -> None:
            source = {"DeadLetterQueueSourceArn": queue["attributes"]["QueueArn"]} | message["sys"]
            moved = message | {"receipt_handle": None, "visible_at": now, "sys": source}
            # "For FIFO queues, the enqueue timestamp resets when the message is moved to a dead-letter queue."
            dead_letters["messages"].append(moved | ({"enqueued_at": now} if dead_letters["is_fifo"] else {}))
            self._sqs.esm_wake.set()

        queue["messages"].move_worn(int(policy["maxReceiveCount"]), take)

    def _delete_all(self, queue_url: str, receipt_handles: set[str]) -> None:
        if receipt_handles:
            messages = self._sqs._get_q(queue_url)["messages"]
            for handle in receipt_handles:
                messages.delete(handle)

    def _delete_message(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        messages = self._messages(data, url, "sqs:DeleteMessage")
        handle = data.get("ReceiptHandle")
        if not handle:
            raise self._sqs._Err("MissingParameter", "The request must contain the parameter ReceiptHandle.")
        self._delete(messages, handle)
        return {}

    def _change_message_visibility(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        messages = self._messages(data, url, "sqs:ChangeMessageVisibility")
        self._hide(messages, data)
        return {}

    def _delete_message_batch(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        messages = self._messages(data, url, "sqs:DeleteMessage")
        return self._each(data, "DeleteMessage", lambda entry: self._delete(messages, entry.get("ReceiptHandle", "")))

    def _change_message_visibility_batch(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        messages = self._messages(data, url, "sqs:ChangeMessageVisibility")
        return self._each(data, "ChangeMessageVisibility", lambda entry: self._hide(messages, entry))

    def _delete(self, messages: Messages, handle: str) -> None:
        """Delete a message, as often as one likes: a handle that it was received with once is none of an error.

        In a FIFO queue, it is one while another receive may have the message.
        """
        if messages.expired(handle):
            raise self._sqs._Err(
                "InvalidParameterValue",
                f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
            )
        if not messages.delete(handle) and not messages.gave(handle):
            raise self._sqs._Err("ReceiptHandleIsInvalid", _INVALID)

    def _hide(self, messages: Messages, asked: dict[str, Any]) -> None:
        limits.check(self._sqs, asked)
        given = asked.get("VisibilityTimeout")
        seconds = _SECONDS if given in (None, "") else int(given)
        if not messages.hide(asked.get("ReceiptHandle", ""), seconds):
            raise self._sqs._Err("ReceiptHandleIsInvalid", _INVALID)
        if not seconds:
            self._sqs.esm_wake.set()

    def _messages(self, data: dict[str, Any], url: str, action: str) -> Messages:
        messages: Messages = self._sqs._get_q(data.get("QueueUrl", url), action)["messages"]
        return messages

    def _each(
        self, data: dict[str, Any], operation: str, act: Callable[[dict[str, Any]], None]
    ) -> dict[str, list[dict[str, Any]]]:
        """What a batch did: each of its entries succeeded, or failed for what was wrong with it."""
        entries = data.get("Entries", [])
        self._sqs._validate_batch_entries(entries, f"{operation}BatchRequestEntry")
        succeeded, failed = [], []
        for entry in entries:
            try:
                act(entry)
            except self._sqs._Err as error:
                failed.append({"Id": entry["Id"], "Code": error.code, "Message": error.message, "SenderFault": True})
            else:
                succeeded.append({"Id": entry["Id"]})
        return {"Successful": succeeded, "Failed": failed}


def _count(queue: Queue) -> None:
    messages: Messages = queue["messages"]
    messages.expire()
    counts = messages.counts()
    numbers = (counts.visible, counts.in_flight, counts.delayed)
    queue["attributes"] |= {name: str(number) for name, number in zip(_COUNTED, numbers, strict=True)}

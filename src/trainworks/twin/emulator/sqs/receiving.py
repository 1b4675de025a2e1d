"""`ReceiveMessage`: a long poll ends with its queue, and an attempt on a FIFO queue can be made again.

"During a visibility timeout, subsequent calls with the same ReceiveRequestAttemptId return the same messages and
receipt handles. If a retry occurs within the deduplication interval, it resets the visibility timeout." (API reference)
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

_MOST = 10
_SECONDS = 30
_LOOK_AGAIN_SECONDS = 0.1
_ATTEMPT = re.compile(r"[a-zA-Z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
_GONE = "The specified queue does not exist for this wsdl version."


def install(sqs: Any) -> None:
    """SQS was loaded, and its queues have `Messages`."""

    async def receive_message(data: dict[str, Any], url: str) -> dict[str, Any]:
        return await _receive(sqs, data, data.get("QueueUrl", url))

    sqs._HANDLERS["ReceiveMessage"] = receive_message


async def _receive(sqs: Any, data: dict[str, Any], url: str) -> dict[str, Any]:
    queue = sqs._get_q(url, "sqs:ReceiveMessage")
    most = int(data.get("MaxNumberOfMessages", 1))
    if not 1 <= most <= _MOST:
        raise _invalid(sqs, "MaxNumberOfMessages", most, "Must be between 1 and 10, if provided.")
    attempt = data.get("ReceiveRequestAttemptId")
    if attempt is not None:
        _check_attempt(sqs, queue, attempt)
    seconds = _seconds(data.get("VisibilityTimeout"), queue, "VisibilityTimeout", _SECONDS)
    deadline = time.time() + _seconds(data.get("WaitTimeSeconds"), queue, "ReceiveMessageWaitTimeSeconds", 0)
    while True:
        sqs._expire_retained(queue)
        sqs._dlq_sweep(queue)
        found = queue["messages"].receive(most, seconds, attempt)
        left = deadline - time.time()
        if found or left <= 0:
            break
        await asyncio.sleep(min(_LOOK_AGAIN_SECONDS, max(0.01, left)))
        if not _is_there(sqs, queue, url):
            raise sqs._Err("QueueDoesNotExist", _GONE)
    return {"Messages": [_shown(sqs, message, data) for message in found]} if found else {}


def _check_attempt(sqs: Any, queue: dict[str, Any], attempt: str) -> None:
    if not queue["is_fifo"]:
        reason = "The request include parameter that is not valid for this queue type."
        raise _invalid(sqs, "ReceiveRequestAttemptId", attempt, reason)
    if not _ATTEMPT.fullmatch(attempt):
        reason = "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length."
        raise _invalid(sqs, "ReceiveRequestAttemptId", attempt, reason)


def _is_there(sqs: Any, queue: dict[str, Any], url: str) -> bool:
    """Whether the queue still exists, and is not a later one of the same name."""
    try:
        now = sqs._get_q(url)
    except sqs._Err:
        return False
    return bool(now["messages"] is queue["messages"])


def _seconds(given: Any, queue: dict[str, Any], attribute: str, default: int) -> int:
    """The seconds in the request, also if they are 0, or else the queue's own."""
    return int(queue["attributes"].get(attribute, default) if given in (None, "") else given)


def _invalid(sqs: Any, name: str, given: object, reason: str) -> Exception:
    error: Exception = sqs._Err(
        "InvalidParameterValue", f"Value {given} for parameter {name} is invalid. Reason: {reason}"
    )
    return error


def _shown(sqs: Any, message: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    shown = {
        "MessageId": message["id"],
        "ReceiptHandle": message["receipt_handle"],
        "MD5OfBody": message["md5_body"],
        "Body": message["body"],
    }
    names = asked.get("AttributeNames") or asked.get("MessageSystemAttributeNames") or []
    if system := sqs._build_sys_attrs(message, names):
        shown["Attributes"] = system
    if own := sqs._filter_msg_attrs(message["message_attributes"], asked.get("MessageAttributeNames") or []):
        shown |= {"MessageAttributes": own, "MD5OfMessageAttributes": sqs._md5_msg_attrs(own)}
    return shown

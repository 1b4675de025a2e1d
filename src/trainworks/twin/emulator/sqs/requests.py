"""Requests that SQS refuses and stock accepts: sizes, ids, attributes of messages, policies of dead-letter queues.

After the API reference, and the quotas of the developer guide: 1 MiB for a message with its attributes, and for a
batch; ten attributes a message.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from trainworks.aws.arn import parts_of_arn

_MOST_BYTES = 1 << 20
_MOST_ATTRIBUTES = 10
_MOST_SOURCES = 10
_LONGEST_NAME = 80
_MOST_QUEUES = 1_000
_PURGE_SECONDS = 60.0
_ID = re.compile(r"[a-zA-Z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
_QUEUE_NAME = re.compile(r"[a-zA-Z0-9_-]{1,80}")
_ATTRIBUTE_NAME = re.compile(r"(?!(?i:aws|amazon)\.)(?!\.)(?!.*\.\.)[a-zA-Z0-9_.-]{1,256}(?<!\.)")
_DATA_TYPE = re.compile(r"(String|Number|Binary)(\..{1,249})?", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

Handler = Callable[[dict[str, Any], str], Any]


def install(sqs: Any) -> None:
    """SQS was loaded."""
    requests = Requests(sqs)
    sqs._act_send_message = requests.checked_send(sqs._act_send_message)
    sqs._HANDLERS |= {
        "SendMessage": requests.checked_send(sqs._HANDLERS["SendMessage"]),
        "SendMessageBatch": requests.checked_batch(sqs._HANDLERS["SendMessageBatch"]),
        "PurgeQueue": requests.purge_queue,
        "CreateQueue": requests.checked_creation(sqs._HANDLERS["CreateQueue"]),
        "SetQueueAttributes": requests.checked_attributes(sqs._HANDLERS["SetQueueAttributes"]),
        "ListQueues": requests.list_queues,
    }


class Requests:
    """`sqs` is the loaded module."""

    def __init__(self, sqs: Any) -> None:
        self._sqs = sqs

    def checked_send(self, stock: Handler) -> Handler:
        def send_message(data: dict[str, Any], url: str) -> Any:
            self._check_message(self._sqs._get_q(data.get("QueueUrl", url), "sqs:SendMessage"), data)
            return stock(data, url)

        return send_message

    def checked_batch(self, stock: Handler) -> Handler:
        def send_message_batch(data: dict[str, Any], url: str) -> Any:
            self._sqs._get_q(data.get("QueueUrl", url), "sqs:SendMessage")
            total = sum(map(_size, data.get("Entries") or []))
            if total > _MOST_BYTES:
                text = f"Batch requests cannot be longer than {_MOST_BYTES} bytes. You have sent {total} bytes."
                raise self._sqs._Err("BatchRequestTooLong", text)
            return stock(data, url)

        return send_message_batch

    def checked_creation(self, stock: Handler) -> Handler:
        def create_queue(data: dict[str, Any], url: str) -> Any:
            name = str(data.get("QueueName", ""))
            if len(name) > _LONGEST_NAME or (name and not _QUEUE_NAME.fullmatch(name.removesuffix(".fifo"))):
                raise self._wrong(
                    "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
                )
            self._check_attributes(name, data.get("Attributes") or {})
            return stock(data, url)

        return create_queue

    def checked_attributes(self, stock: Handler) -> Handler:
        def set_queue_attributes(data: dict[str, Any], url: str) -> Any:
            queue = self._sqs._get_q(data.get("QueueUrl", url), "sqs:SetQueueAttributes")
            self._check_attributes(queue["name"], data.get("Attributes") or {})
            return stock(data, url)

        return set_queue_attributes

    def purge_queue(self, data: dict[str, Any], url: str) -> dict[str, Any]:
        """Delete all messages, once in a minute."""
        queue = self._sqs._get_q(data.get("QueueUrl", url), "sqs:PurgeQueue")
        now = time.time()
        if now - queue.get("purged_at", 0.0) < _PURGE_SECONDS:
            text = f"Only one PurgeQueue operation on {queue['name']} is allowed every 60 seconds."
            raise self._sqs._Err("PurgeQueueInProgress", text, 403)
        queue["purged_at"] = now
        queue["messages"].clear()
        return {}

    def list_queues(self, data: dict[str, Any], _: str) -> dict[str, Any]:
        """In the order of names: a page begins after the last name of the one before, whatever queues come and go."""
        prefix, most, after = data.get("QueueNamePrefix") or "", data.get("MaxResults"), data.get("NextToken") or ""
        queues = ((queue["name"], url) for url, queue in self._sqs._queues.items())
        found = sorted(each for each in queues if each[0].startswith(prefix))
        if most is None:
            return {"QueueUrls": [url for _, url in found[:_MOST_QUEUES]]}
        if not 1 <= int(most) <= _MOST_QUEUES:
            raise self._invalid("MaxResults", most, "MaxResults must be an integer between 1 and 1000.")
        behind = [each for each in found if each[0] > after]
        page = behind[: int(most)]
        return {"QueueUrls": [url for _, url in page]} | ({"NextToken": page[-1][0]} if len(behind) > len(page) else {})

    def _check_message(self, queue: Mapping[str, Any], message: Mapping[str, Any]) -> None:
        most = int(queue["attributes"].get("MaximumMessageSize", _MOST_BYTES))
        if _size(message) > most:
            text = f"One or more parameters are invalid. Reason: Message must be shorter than {most} bytes."
            raise self._wrong(text)
        for name in ("MessageGroupId", "MessageDeduplicationId"):
            given = message.get(name)
            if given is None:
                continue
            if name == "MessageDeduplicationId" and not queue["is_fifo"]:
                raise self._invalid(name, given, "The request include parameter that is not valid for this queue type.")
            if not _ID.fullmatch(str(given)):
                text = f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
                raise self._invalid(name, given, text)
        self._check_message_attributes(message.get("MessageAttributes") or {})

    def _check_message_attributes(self, attributes: Mapping[str, Any]) -> None:
        if len(attributes) > _MOST_ATTRIBUTES:
            count = (
                f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{_MOST_ATTRIBUTES}]."
            )
            raise self._wrong(count)
        for name, attribute in attributes.items():
            if not _ATTRIBUTE_NAME.fullmatch(name):
                raise self._wrong(
                    f"The message attribute name '{name}' is invalid: 1 to 256 letters, digits, '_', '-' and '.', "
                    "no '.' first, last or beside another, and no AWS. or Amazon. before it."
                )
            kind = _DATA_TYPE.fullmatch(str(attribute.get("DataType") or ""))
            if kind is None:
                raise self._wrong(
                    f"The message attribute '{name}' has an invalid message attribute type, the set of supported type "
                    "prefixes is Binary, Number, and String."
                )
            value = attribute.get("BinaryValue" if kind[1] == "Binary" else "StringValue")
            if not value:
                field = "binary" if kind[1] == "Binary" else "string"
                raise self._wrong(
                    f"The message attribute '{name}' with type '{kind[1]}' must use field '{field}', and hold a value "
                    "that is not empty."
                )
            if kind[1] == "Number" and not _NUMBER.fullmatch(value):
                raise self._wrong(f"Can't cast the value of message (user) attribute '{name}' to a number.")

    def _check_attributes(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Check that the dead-letter queue allows this queue as a source, and is of the same type."""
        if allow := attributes.get("RedriveAllowPolicy"):
            self._check_allow(str(allow))
        redrive = attributes.get("RedrivePolicy")
        if not redrive:
            return
        self._sqs._validate_redrive_policy(str(redrive))
        dead_letters = self._sqs._queue_by_arn(json.loads(str(redrive))["deadLetterTargetArn"])
        if dead_letters["is_fifo"] != name.endswith(".fifo"):
            raise self._invalid("RedrivePolicy", redrive, "Dead-letter queue must be same type of queue as the source.")
        policy = json.loads(dead_letters["attributes"].get("RedriveAllowPolicy") or "{}")
        arn = parts_of_arn(dead_letters["attributes"]["QueueArn"])
        source = f"arn:{arn.partition}:sqs:{arn.region}:{arn.account}:{name}"
        permission = policy.get("redrivePermission", "allowAll")
        if permission == "denyAll" or (permission == "byQueue" and source not in policy.get("sourceQueueArns", [])):
            reason = f"The RedriveAllowPolicy of the dead-letter queue does not let {name} use it."
            raise self._invalid("RedrivePolicy", redrive, reason)

    def _check_allow(self, text: str) -> None:
        try:
            policy = json.loads(text)
        except (ValueError, RecursionError):
            policy = None
        if not isinstance(policy, dict) or not _is_allow_policy(policy):
            raise self._sqs._Err("InvalidAttributeValue", "Invalid value for the parameter RedriveAllowPolicy.")

    def _invalid(self, name: str, given: object, reason: str) -> Exception:
        return self._wrong(f"Value {given} for parameter {name} is invalid. Reason: {reason}")

    def _wrong(self, text: str) -> Exception:
        error: Exception = self._sqs._Err("InvalidParameterValue", text)
        return error


def _is_allow_policy(policy: Mapping[str, Any]) -> bool:
    """Whether it names sources, ten at most, if and only if the permission is `byQueue`."""
    sources, permission = policy.get("sourceQueueArns", []), policy.get("redrivePermission")
    if not isinstance(sources, list) or not all(isinstance(each, str) for each in sources):
        return False
    if permission == "byQueue":
        return 1 <= len(sources) <= _MOST_SOURCES
    return permission in ("allowAll", "denyAll") and not sources


def _size(message: Mapping[str, Any]) -> int:
    """Bytes of body and attributes: names, types and values count."""
    total = len(str(message.get("MessageBody") or "").encode())
    for name, attribute in (message.get("MessageAttributes") or {}).items():
        total += len(name.encode()) + len(str(attribute.get("DataType") or "").encode())
        total += len(str(attribute.get("StringValue") or "").encode())
        total += len(attribute.get("BinaryValue") or "") * 3 // 4  # it comes as base64
    return total

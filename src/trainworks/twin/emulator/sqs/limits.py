"""The seconds that a request for SQS may give: stock takes any, and waits or hides for as long.

Ranges after the API Reference of SQS; a value beyond them is refused in its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_RANGES = {
    "VisibilityTimeout": (43_200, "Must be between 0 and 43200, if provided."),
    "WaitTimeSeconds": (20, "Must be >= 0 and <= 20, if provided."),
    "DelaySeconds": (900, "DelaySeconds must be >= 0 and <= 900."),
}


def install(sqs: Any) -> None:
    """SQS was loaded. Who changes how long a message is hidden asks `check` for each entry."""
    stock_send, stock_receive = sqs._act_send_message, sqs._HANDLERS["ReceiveMessage"]

    def send_message(data: dict[str, Any], url: str) -> Any:
        check(sqs, data)
        return stock_send(data, url)

    def receive_message(data: dict[str, Any], url: str) -> Any:
        check(sqs, data)
        return stock_receive(data, url)

    sqs._act_send_message = send_message
    sqs._HANDLERS |= {"SendMessage": send_message, "ReceiveMessage": receive_message}


def check(sqs: Any, asked: Mapping[str, Any]) -> None:
    """Raises SQS's `InvalidParameterValue` for seconds that are none, or beyond their range."""
    for name, (most, reason) in _RANGES.items():
        given = asked.get(name)
        if given in (None, ""):
            continue
        try:
            fits = 0 <= int(given) <= most
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise sqs._Err("InvalidParameterValue", f"Value {given} for parameter {name} is invalid. Reason: {reason}")

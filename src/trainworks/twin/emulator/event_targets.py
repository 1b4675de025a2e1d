"""EventBridge rules with a CloudWatch Logs group as target: stock accepts them and delivers nothing."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from trainworks.twin.emulator import engine

_LOG = logging.getLogger(__name__)


def install(eventbridge: Any) -> None:
    """EventBridge was loaded: deliver to log groups; everything else goes the stock way."""
    stock = eventbridge._invoke_target

    def invoke_target(target: dict[str, Any], event: Any, rule: Any, view: Any = None) -> None:
        parts = str(target.get("Arn", "")).split(":", 6)
        if len(parts) != 7 or parts[2] != "logs":
            stock(target, event, rule, view)
            return
        view = view or eventbridge._pattern_event_view(event)
        if target.get("InputTransformer"):
            message = eventbridge._apply_input_transformer(target["InputTransformer"], rule, view)
        else:
            message = target.get("Input") or json.dumps(view.event_with_detail())
        _put(parts[6].removesuffix(":*"), str(event.get("EventId", "")), message)

    eventbridge._invoke_target = invoke_target


def _put(group: str, stream: str, message: str) -> None:
    logs = engine.service("cloudwatch_logs")
    if group not in logs._log_groups:
        # As on AWS the invocation fails, which only the rule's FailedInvocations would tell.
        _LOG.warning("an EventBridge rule's log group %s does not exist", group)
        return
    logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    event = {"timestamp": int(time.time() * 1000), "message": message}
    logs._put_log_events({"logGroupName": group, "logStreamName": stream, "logEvents": [event]})

"""Corrections of EventBridge: log groups as targets, targets that allow it only, and the metrics of rules.

Stock accepts log groups as targets and delivers nothing, reaches every target whatever its policy and the role say, and
counts nothing. Metrics after "EventBridge metrics"
(EventBridge User Guide): `MatchedEvents`, `Invocations` and `FailedInvocations` with the dimension `RuleName`, on the
default bus.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.authorization import Authorization
from trainworks.twin.emulator.log_groups import AttachedLogs
from trainworks.twin.emulator.target_permissions import target_refusal
from trainworks.twin.ports import ApiError

_LOG = logging.getLogger(__name__)
_NAMESPACE = "AWS/Events"


def install(eventbridge: Any, authorization: Authorization, logs: AttachedLogs) -> None:
    """EventBridge was loaded."""
    stock_invoke, stock_matches = eventbridge._invoke_target, eventbridge._matches_pattern_view

    def invoke_target(target: dict[str, Any], event: Any, rule: Any, view: Any = None) -> None:
        parts = str(target.get("Arn", "")).split(":", 6)
        service = parts[2] if len(parts) >= 6 else ""
        reason = None
        if service == "logs" and len(parts) == 7:
            reason = _deliver_to_log_group(eventbridge, logs, target, event, rule, view, parts[6].removesuffix(":*"))
        else:
            reason = target_refusal(authorization, target, rule or {})
        if reason is None and service != "logs":
            stock_invoke(target, event, rule, view)
        if rule:
            _count(rule["Name"], "Invocations", "FailedInvocations" if reason else None)
        if reason is not None:
            # As on AWS nobody is told: the rule's FailedInvocations counts it.
            _LOG.warning("EventBridge rule %s did not deliver: %s", (rule or {}).get("Name"), reason)

    def matches_pattern_view(pattern: str, view: Any, owner: str = "rule") -> bool:
        matched = bool(stock_matches(pattern, view, owner))
        kind, _, key = owner.partition(" ")
        rule = eventbridge._rules.get(key) if matched and kind == "rule" and key else None
        if rule is not None and rule.get("EventBusName", "default") == "default":
            _count(rule["Name"], "MatchedEvents")
        return matched

    eventbridge._invoke_target = invoke_target
    eventbridge._matches_pattern_view = matches_pattern_view


def _count(rule_name: str, *metric_names: str | None) -> None:
    cloudwatch = engine.service("cloudwatch")
    for name in metric_names:
        if name is not None:
            cloudwatch._store_datum(
                _NAMESPACE, name, {"RuleName": rule_name}, time.time(), "Count", 1.0, None, None, None
            )


def _deliver_to_log_group(  # noqa: PLR0917 - what a target's invocation consists of
    eventbridge: Any, logs: AttachedLogs, target: dict[str, Any], event: Any, rule: Any, view: Any, group: str
) -> str | None:
    """Why it was not delivered, or None."""
    if not logs.group_exists(group):
        return f"log group {group} does not exist"
    view = view or eventbridge._pattern_event_view(event)
    if target.get("InputTransformer"):
        message = eventbridge._apply_input_transformer(target["InputTransformer"], rule, view)
    else:
        message = target.get("Input") or json.dumps(view.event_with_detail())
    try:
        logs.put(group, str(event.get("EventId", "")), [(int(time.time() * 1000), message)])
    except ApiError as error:
        return error.message
    return None

"""Whether a rule or a schedule may reach its target: by the target's own policy, or as the role that it was given.

After "Using resource-based policies for Amazon EventBridge" and "Execution role" (EventBridge Scheduler User Guide): a
queue, a topic and a function say who may use them; with a role, the role's policies say it, and a schedule has always
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.iam.authorization import Authorization
from trainworks.twin.emulator.iam.decisions import resource_policy, service_allowed
from trainworks.twin.emulator.service_publishing import refusal
from trainworks.twin.ports import ApiError

EVENTS, SCHEDULER = "events.amazonaws.com", "scheduler.amazonaws.com"
_ACTIONS = {
    "events": "events:PutEvents",
    "lambda": "lambda:InvokeFunction",
    "sns": "sns:Publish",
    "sqs": "sqs:SendMessage",
    "states": "states:StartExecution",
}
_ROLE_NEEDED = frozenset({"states"})


def target_refusal(authorization: Authorization, target: Mapping[str, Any], source: Mapping[str, Any]) -> str | None:
    """Why `source` (a rule or a schedule, as ministack has them) may not use the target, or None."""
    arn, role_arn, source_arn = str(target.get("Arn", "")), target.get("RoleArn"), str(source.get("Arn", ""))
    service = parts_of_arn(arn).service
    action = _ACTIONS.get(service)
    if action is None or ":api-destination/" in arn:
        return None
    principal = SCHEDULER if ":scheduler:" in source_arn else EVENTS
    if role_arn:
        return _role_refusal(authorization, str(role_arn), principal, action, arn, source_arn)
    if service in _ROLE_NEEDED or principal == SCHEDULER:
        return f"the target {arn} has no role"
    if service == "sns":
        return refusal(arn, principal, {})
    return policy_refusal(principal, action, arn, source_arn)


def _role_refusal(  # noqa: PLR0917 - who acts for whom on what
    authorization: Authorization, role_arn: str, principal: str, action: str, target_arn: str, source_arn: str
) -> str | None:
    try:
        authorization.require_service_role(role_arn, principal, action, target_arn, source_arn)
    except ApiError as error:
        return error.message
    return None


def policy_refusal(principal: str, action: str, arn: str, source_arn: str) -> str | None:
    """Why the policy of `arn` does not let a service use it for `source_arn`, or None.

    A bus of the same account needs no policy; a function and a queue have to name the service.
    """
    if action == "events:PutEvents":
        return None
    responses = engine.module("core.responses")
    found = resource_policy(action.partition(":")[0], arn, {})
    source = {"aws:sourcearn": source_arn, "aws:sourceaccount": responses.get_account_id()}
    policy = None if found is None else found.policy
    if policy is not None and service_allowed(principal, action, arn, policy, responses.get_region(), source):
        return None
    return f"the policy of {arn} does not allow {principal} {action}"

"""What a topic and its key allow AWS services that publish to it; stock delivers without looking.

EventBridge gives neither SNS nor KMS a source ("You can't use Condition blocks in Amazon SNS topic policies for
EventBridge", EventBridge User Guide; "Managing Amazon SNS encryption keys and costs", SNS Developer Guide), so that a
policy that asks for one allows nothing. CloudWatch gives the alarm.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from trainworks.twin.emulator import engine

_ENCRYPTION = ("kms:GenerateDataKey", "kms:Decrypt")


def refusal(topic_arn: str, service: str, source: Mapping[str, str]) -> str | None:
    """Why `service` cannot publish to a topic of the current account and region, or None where it can.

    `source` holds the condition keys that the service gives, in lower case, such as `aws:sourcearn`.
    """
    topic = engine.service("sns")._topic_by_arn_any_scope(topic_arn)
    if topic is None:
        return f"there is no topic {topic_arn}"
    attributes = topic["attributes"]
    if not _allowed(attributes.get("Policy"), service, "sns:Publish", topic_arn, source):
        return f"the policy of {topic_arn} does not allow {service} to publish"
    key_id = attributes.get("KmsMasterKeyId")
    if not key_id:
        return None
    key = engine.service("kms")._resolve_key(key_id)
    if key is None:
        # The key that AWS manages for SNS has a policy that no other service is in.
        return f"{topic_arn} is encrypted with {key_id}, which {service} cannot use"
    for action in _ENCRYPTION:
        if not _allowed(key.get("Policy"), service, action, key["Arn"], source):
            return f"the policy of {key['Arn']} does not allow {service} {action}"
    return None


def _allowed(policy: object, service: str, action: str, resource: str, source: Mapping[str, str]) -> bool:
    """Whether a resource's policy allows a service: an Allow, and no Deny."""
    evaluator = engine.module("core.iam_evaluator")
    document: dict[str, Any] = json.loads(policy) if isinstance(policy, str) and policy else {}
    context = evaluator.EvalContext(
        principal_arn=service,
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region=engine.module("core.responses").get_region(),
        # Loopback stands for TLS, as for every other caller.
        secure_transport=True,
        service_context=dict(source),
    )
    allowed = False
    for statement in _listed(document.get("Statement")):
        if not _names(statement.get("Principal"), service, source):
            continue
        if not evaluator._action_matches(action, _listed(statement.get("Action")), _listed(statement.get("NotAction"))):
            continue
        if not evaluator._resource_matches(
            resource, _listed(statement.get("Resource")), _listed(statement.get("NotResource"))
        ):
            continue
        if not evaluator._conditions_met(statement.get("Condition") or {}, context):
            continue
        if statement.get("Effect") == "Deny":
            return False
        allowed = True
    return allowed


def _names(principal: object, service: str, source: Mapping[str, str]) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    # A topic's own first policy lets everything of its owner publish; services that say who owns them are that.
    return service in _listed(principal.get("Service")) or (
        "aws:sourceowner" in source and "*" in _listed(principal.get("AWS"))
    )


def _listed(value: Any) -> Sequence[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]

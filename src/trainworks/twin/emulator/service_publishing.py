"""What a topic and its key allow AWS services that publish to it; stock delivers without looking.

EventBridge gives neither SNS nor KMS a source ("You can't use Condition blocks in Amazon SNS topic policies for
EventBridge", EventBridge User Guide; "Managing Amazon SNS encryption keys and costs", SNS Developer Guide), so that a
policy that asks for one allows nothing. CloudWatch gives the alarm.
"""

from __future__ import annotations

from collections.abc import Mapping

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.iam.decisions import service_allowed

_ENCRYPTION = ("kms:GenerateDataKey", "kms:Decrypt")


def refusal(topic_arn: str, service: str, source: Mapping[str, str]) -> str | None:
    """Why `service` cannot publish to a topic of the current account and region, or None if it can.

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
    region = engine.module("core.responses").get_region()
    return service_allowed(service, action, resource, policy, region, source)

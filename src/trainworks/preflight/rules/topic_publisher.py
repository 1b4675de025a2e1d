"""TW17: a topic that its publishers cannot write to, because its key or its policy does not let them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.iam.partial.conditions import Context, tests_of
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.permissions import Permissions
from trainworks.aws.iam.partial.statements import Statement, service_principals
from trainworks.preflight.finding import Severity
from trainworks.preflight.resource_policies import resource_policies_of
from trainworks.preflight.role_uses import event_targets
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads.values import tables, texts

_EVENTS, _CLOUDWATCH, _S3 = "events.amazonaws.com", "cloudwatch.amazonaws.com", "s3.amazonaws.com"
_BUDGETS, _COST_ALERTS = "budgets.amazonaws.com", "costalerts.amazonaws.com"
_SOURCE_KEYS = frozenset({"aws:sourceaccount", "aws:sourcearn", "aws:sourceowner", "aws:sourceorgid"})
"""EventBridge User Guide: conditions on these do not work in the policies of topics that rules publish to."""
_KEY_ACTIONS = ("kms:GenerateDataKey", "kms:Decrypt")
_ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
_ALARM_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")


@dataclass(frozen=True, slots=True)
class _Publication:
    """`service` publishes to `topic` on behalf of `source`."""

    topic: Resource
    service: str
    source: Resource


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    told: set[tuple[Resource, str, str]] = set()
    for publication in _publications(graph):
        for part, fault in (("key", _key_fault(graph, publication)), ("topic", _topic_fault(graph, publication))):
            mark = (publication.topic, publication.service, part)
            if fault and mark not in told:
                told.add(mark)
                yield fault


def _publications(graph: Graph) -> Iterator[_Publication]:
    for source, service, arn in _sources(graph):
        topic = graph.owner(arn)
        if topic is not None and topic.type == "AWS::SNS::Topic":
            yield _Publication(topic, service, source)


def _sources(graph: Graph) -> Iterator[tuple[Resource, str, object]]:
    """Who publishes, as which service, to what."""
    for rule in graph.of_type("AWS::Events::Rule"):
        for target in event_targets(rule):
            if "RoleArn" not in target:  # with a role, EventBridge publishes as that role
                yield rule, _EVENTS, target.get("Arn")
    for alarm in graph.of_type(*_ALARMS):
        for arn in (arn for name in _ALARM_ACTIONS for arn in texts(alarm.get(name))):
            yield alarm, _CLOUDWATCH, arn
    for bucket in graph.of_type("AWS::S3::Bucket"):
        for each in tables(bucket.get("NotificationConfiguration", "TopicConfigurations", default=[])):
            yield bucket, _S3, each.get("Topic")
    yield from _cost_sources(graph)


def _cost_sources(graph: Graph) -> Iterator[tuple[Resource, str, object]]:
    for budget in graph.of_type("AWS::Budgets::Budget"):
        for each in tables(budget.get("NotificationsWithSubscribers", default=[])):
            for subscriber in tables(each.get("Subscribers")):
                yield budget, _BUDGETS, subscriber.get("Address")
    for subscription in graph.of_type("AWS::CE::AnomalySubscription"):
        for subscriber in tables(subscription.get("Subscribers", default=[])):
            yield subscription, _COST_ALERTS, subscriber.get("Address")


def _key_fault(graph: Graph, publication: _Publication) -> Fault | None:
    topic, service = publication.topic, publication.service
    key_id = topic.get("KmsMasterKeyId")
    if not isinstance(key_id, str) or not key_id or isinstance(key_id, Unknown):
        return None
    if key_id.rpartition(":")[2] == "alias/aws/sns":
        return Fault(
            topic,
            f"is encrypted under AWS's own key, which {service} may not use: what {publication.source.place} "
            "publishes is lost",
            key_id,
            "a key of your own whose policy allows the service kms:GenerateDataKey and kms:Decrypt",
        )
    policies = resource_policies_of(graph)
    key = policies.key(key_id)
    if key is None:
        return None
    missing = [
        action
        for action in _KEY_ACTIONS
        if _service_may(policies.of(key), service, action, key.arn, _context(graph, publication)) is PartialDecision.NO
    ]
    if not missing:
        return None
    return Fault(
        topic,
        f"is encrypted under {key.arn}, whose policy does not allow "
        f"{service} {' and '.join(missing)}{_bound_in_vain(policies.of(key), service)}: what "
        f"{publication.source.place} publishes is lost, without a message",
        missing,
        f"allow {service} kms:GenerateDataKey* and kms:Decrypt in the key's policy"
        f"{', without a condition' if service == _EVENTS else ', for this account'}",
    )


def _topic_fault(graph: Graph, publication: _Publication) -> Fault | None:
    """The policy that a topic has without a `TopicPolicy` admits the account's alarms, but no other service."""
    topic, service = publication.topic, publication.service
    own = resource_policies_of(graph).of(topic)
    if not own and service == _CLOUDWATCH:
        return None
    context = _context(graph, publication)
    if own and _service_may(own, service, "sns:Publish", topic.physical_id, context) is not PartialDecision.NO:
        return None
    if service == _CLOUDWATCH and _account_may(own, topic, context, graph):
        return None
    return Fault(
        topic,
        f"has no policy that lets {service} publish{_bound_in_vain(own, service)}: what {publication.source.place} "
        "publishes is lost",
        service,
        f"an AWS::SNS::TopicPolicy that allows {service} sns:Publish on the topic",
    )


def _account_may(own: tuple[Statement, ...], topic: Resource, context: Context, graph: Graph) -> bool:
    """Alarms publish as their account where the policy names everybody under a condition on the account."""
    named = [
        Statement(True, each.actions, each.not_actions, each.resources, each.not_resources, each.condition)
        for each in own
        if each.allows and _names_account(each.principal, graph.account)
    ]
    return Permissions(named).allows("sns:Publish", topic.physical_id, context) is not PartialDecision.NO


def _names_account(principal: Any, account: str) -> bool:
    names = texts(principal.get("AWS")) if isinstance(principal, Mapping) else (str(principal),)
    return any(name == "*" or account in name for name in names)


def _service_may(
    statements: tuple[Statement, ...], service: str, action: str, arn: str, context: Context
) -> PartialDecision:
    about = [each for each in statements if _is_about(each.principal, service)]
    return Permissions(about).allows(action, arn, context)


def _is_about(principal: Any, service: str) -> bool:
    """Also of a policy whose statements are not known."""
    return principal is None or any(
        isinstance(name, Unknown) or name in ("*", service) for name in service_principals(principal)
    )


def _context(graph: Graph, publication: _Publication) -> Context:
    """What the service says about the publication."""
    if publication.service == _EVENTS:
        return {"aws:securetransport": "true", **dict.fromkeys(_SOURCE_KEYS, ())}
    source = publication.source
    arn = source.arn if source.type in (*_ALARMS, "AWS::S3::Bucket") else None
    return {
        "aws:securetransport": "true",
        "aws:sourceaccount": graph.account,
        "aws:sourceowner": graph.account,
        **({"aws:sourcearn": arn} if arn else {}),
    }


def _bound_in_vain(statements: tuple[Statement, ...], service: str) -> str:
    """Says so if a statement is about EventBridge and has a condition on what EventBridge does not send."""
    keys = {
        key
        for each in statements
        if each.allows and service == _EVENTS and _is_about(each.principal, service) and each.condition
        for _, key, _ in tests_of(each.condition)
    }
    vain = sorted(keys & _SOURCE_KEYS)
    return f" (EventBridge sends no {' or '.join(vain)} when it publishes to SNS)" if vain else ""


RULE = Rule(
    code="TW17",
    severity=Severity.ERROR,
    title="a topic whose key or policy keeps its publishers out",
    origin="An alarm on an encrypted topic that reaches nobody: CloudWatch may not use the key.",
    find=find,
)

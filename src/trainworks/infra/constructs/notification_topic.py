"""The encrypted topic that people are told through."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from aws_cdk import Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from trainworks.config.profile import EnvironmentProfile
from trainworks.infra.constructs.policy import Statement, document


class Publisher(StrEnum):
    """Services that may publish to a topic."""

    EVENTS = "events.amazonaws.com"
    CLOUDWATCH = "cloudwatch.amazonaws.com"
    BUDGETS = "budgets.amazonaws.com"
    COST_ANOMALIES = "costalerts.amazonaws.com"


def publishers_of(profile: EnvironmentProfile) -> list[Publisher]:
    """Who publishes to the topic of a platform with `profile`."""
    costs = [] if profile.cost is None else [Publisher.BUDGETS, Publisher.COST_ANOMALIES]
    return [Publisher.EVENTS, Publisher.CLOUDWATCH, *costs]


class NotificationTopic(Construct):
    """An SNS topic under `key`, to which `publishers` of this account may publish, and nobody without TLS.

    The key's policy has to let the same publishers use it: `publisher_key_statements`. `emails` are subscribed.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        key: kms.IKey,
        publishers: Sequence[Publisher],
        emails: Sequence[str] = (),
    ) -> None:
        super().__init__(scope, id)
        topic = sns.CfnTopic(self, "Resource", kms_master_key_id=key.key_id)
        self.topic_arn = topic.ref
        statements = [self._publish(publisher) for publisher in publishers]
        self.policy = sns.CfnTopicPolicy(
            self, "Policy", topics=[self.topic_arn], policy_document=document([*statements, self._tls_only()])
        )
        for number, email in enumerate(emails, start=1):
            sns.CfnSubscription(self, f"Email{number}", topic_arn=self.topic_arn, protocol="email", endpoint=email)

    def _publish(self, publisher: Publisher) -> Statement:
        statement: Statement = {
            "Sid": publisher.name.title().replace("_", ""),
            "Effect": "Allow",
            "Principal": {"Service": publisher.value},
            "Action": "sns:Publish",
            "Resource": self.topic_arn,
        }
        condition = _source_condition(publisher, Stack.of(self))
        return {**statement, "Condition": condition} if condition else statement

    def _tls_only(self) -> Statement:
        return {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": self.topic_arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }


def publisher_key_statements(publishers: Sequence[Publisher], stack: Stack) -> list[Statement]:
    """What the policy of a topic's key needs, so that `publishers` reach the topic."""
    statements: list[Statement] = []
    for publisher in publishers:
        statement: Statement = {
            "Sid": f"Publish{publisher.name.title().replace('_', '')}",
            "Effect": "Allow",
            "Principal": {"Service": publisher.value},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "*",
        }
        condition = _source_condition(publisher, stack)
        statements.append({**statement, "Condition": condition} if condition else statement)
    return statements


def _source_condition(publisher: Publisher, stack: Stack) -> dict[str, dict[str, str]] | None:
    """Binds a publisher to this account.

    EventBridge says on whose behalf it publishes neither to SNS nor to KMS: with a condition on a source every
    message is lost, and only the rule's FailedInvocations would tell.
    """
    if publisher is Publisher.EVENTS:
        return None
    condition = {"StringEquals": {"aws:SourceAccount": stack.account}}
    if publisher is Publisher.BUDGETS:
        condition["ArnLike"] = {"aws:SourceArn": f"arn:{stack.partition}:budgets::{stack.account}:*"}
    return condition

"""A budget and an anomaly monitor for what carries one tag; both tell a topic, and neither costs anything.

Budgets and Cost Explorer are global, their CloudFormation types are not: `aws.cost_regions` knows in which
regions they are missing. The tag has to be activated as a cost allocation tag, once, in the account that pays; until
then both see no cost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import CfnResource, Stack, Token
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_ce as ce
from constructs import Construct

from trainworks.aws.cost_regions import missing_types
from trainworks.config.profile import CostProfile
from trainworks.errors import ConfigurationError
from trainworks.infra.constructs.notification_topic import NotificationTopic


class SpendingAlerts(Construct):
    """Watches the cost of everything tagged `tag_key` = `tag_value`. `tags` are those of the two alerts themselves.

    Raises `ConfigurationError` in a region whose CloudFormation knows no budgets.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: CostProfile,
        cost_tag: tuple[str, str],
        topic: NotificationTopic,
        tags: Mapping[str, str],
    ) -> None:
        super().__init__(scope, id)
        _require_types(Stack.of(self).region)
        self._topic = topic
        self._cost_tag = cost_tag
        self._budget(profile, tags)
        if profile.anomaly_impact_usd is not None:
            self._anomalies(profile.anomaly_impact_usd, tags)

    def _budget(self, profile: CostProfile, tags: Mapping[str, str]) -> None:
        subscriber = budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=self._topic.topic_arn)
        notifications = [
            budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    notification_type=notification_type,
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[subscriber],
            )
            for notification_type, percent in (("ACTUAL", profile.budget_alert_percent), ("FORECASTED", 100))
        ]
        key, value = self._cost_tag
        self._after_policy(
            budgets.CfnBudget(
                self,
                "Budget",
                budget=budgets.CfnBudget.BudgetDataProperty(
                    budget_type="COST",
                    time_unit="MONTHLY",
                    budget_limit=budgets.CfnBudget.SpendProperty(amount=profile.monthly_budget_usd, unit="USD"),
                    # The same environment in another region has a budget of its own.
                    cost_filters={"TagKeyValue": [f"user:{key}${value}"], "Region": [Stack.of(self).region]},
                ),
                notifications_with_subscribers=notifications,
                resource_tags=[budgets.CfnBudget.ResourceTagProperty(key=k, value=v) for k, v in tags.items()],
            )
        )

    def _anomalies(self, impact_usd: int, tags: Mapping[str, str]) -> None:
        key, value = self._cost_tag
        name = f"{value}-{Stack.of(self).region}"
        monitor = ce.CfnAnomalyMonitor(
            self,
            "AnomalyMonitor",
            monitor_name=name,
            # An account has one monitor by dimension only; by tag there may be one for each platform.
            monitor_type="CUSTOM",
            monitor_specification=json.dumps({"Tags": {"Key": f"user:{key}", "Values": [value]}}),
            resource_tags=[ce.CfnAnomalyMonitor.ResourceTagProperty(key=k, value=v) for k, v in tags.items()],
        )
        threshold = {
            "Dimensions": {
                "Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                "MatchOptions": ["GREATER_THAN_OR_EQUAL"],
                "Values": [str(impact_usd)],
            }
        }
        self._after_policy(
            ce.CfnAnomalySubscription(
                self,
                "AnomalySubscription",
                subscription_name=name,
                monitor_arn_list=[monitor.attr_monitor_arn],
                # The only frequency that a topic can have.
                frequency="IMMEDIATE",
                subscribers=[
                    ce.CfnAnomalySubscription.SubscriberProperty(type="SNS", address=self._topic.topic_arn),
                ],
                threshold_expression=json.dumps(threshold),
                resource_tags=[ce.CfnAnomalySubscription.ResourceTagProperty(key=k, value=v) for k, v in tags.items()],
            )
        )

    def _after_policy(self, resource: CfnResource) -> None:
        """Both services try the topic when they are given it.

        In another stack than the topic they wait for all of the topic's stack, since they name the topic.
        """
        if Stack.of(resource) is Stack.of(self._topic.policy):
            resource.add_resource_dependency(self._topic.policy)


def _require_types(region: str) -> None:
    if Token.is_unresolved(region):
        return
    missing = missing_types(region)
    if missing:
        raise ConfigurationError(
            f"CloudFormation has no {', '.join(missing)} in {region}",
            fix="set cost = false in [environments.NAME] of trainworks.toml, or give a profile without cost settings",
        )

"""Who spends more than was meant is told: budget and anomaly monitor of the platform."""

from __future__ import annotations

from collections.abc import Mapping

from constructs import Construct

from trainworks.config.profile import EnvironmentProfile, profile_of
from trainworks.errors import ConfigurationError
from trainworks.infra.constructs.notification_topic import NotificationTopic
from trainworks.infra.constructs.spending_alerts import SpendingAlerts
from trainworks.infra.feature_flags import pin_feature_flags

COST_TAG = "Platform"
"""The tag by which cost is counted; its value names one platform of an account, so that nobody else's is counted."""


class CostControl(Construct):
    """Budget and anomaly monitor over everything that carries the platform's tags; they tell `topic`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: EnvironmentProfile | str,
        topic: NotificationTopic,
        tags: Mapping[str, str],
    ) -> None:
        super().__init__(scope, id)
        pin_feature_flags(self)
        settings = profile_of(profile).cost
        if settings is None:
            raise ConfigurationError("the profile has no cost settings", fix="give a profile with cost settings")
        self.alerts = SpendingAlerts(
            self, "Spending", profile=settings, cost_tag=(COST_TAG, tags[COST_TAG]), topic=topic, tags=tags
        )

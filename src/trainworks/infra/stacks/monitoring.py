"""Notification of failures, an alarm, the dashboard, the retention of training logs."""

from __future__ import annotations

from aws_cdk import NestedStack
from aws_cdk import aws_kms as kms
from constructs import Construct

from trainworks.infra.constructs.failure_alarm import FailureAlarm
from trainworks.infra.constructs.training_dashboard import TrainingDashboard
from trainworks.infra.constructs.training_log_retention import TRAINING_LOG_GROUP, TrainingLogRetention
from trainworks.spec.profile import MonitoringProfile


class MonitoringStack(NestedStack):
    """Watches the jobs of the role at `training_role_arn`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: MonitoringProfile,
        training_role_arn: str,
        key: kms.IKey,
    ) -> None:
        super().__init__(scope, id)
        failure = FailureAlarm(self, "TrainingJobFailure", training_role_arn=training_role_arn, key=key)
        self.failure_topic_arn = failure.topic_arn
        self.dashboard_name = TrainingDashboard(self, "Dashboard", rule_name=failure.rule_name).dashboard_name
        self.training_log_group_name = TRAINING_LOG_GROUP
        if profile.training_log_retention_days is not None:
            TrainingLogRetention(self, "TrainingLogRetention", retention_days=profile.training_log_retention_days)

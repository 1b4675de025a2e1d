"""Notification of failures, an alarm, the dashboard, the retention of training logs."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from constructs import Construct

from trainworks.infra.constructs.failure_alarm import FailureAlarm
from trainworks.infra.constructs.training_dashboard import TrainingDashboard
from trainworks.infra.constructs.training_log_retention import TRAINING_LOG_GROUP, TrainingLogRetention
from trainworks.spec.profile import EnvironmentProfile, profile_of


class Monitoring(Construct):
    """Watches the jobs of the role at `training_role_arn`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: EnvironmentProfile | str,
        training_role_arn: str,
        key: kms.IKey,
    ) -> None:
        super().__init__(scope, id)
        settings = profile_of(profile).monitoring
        self.failure = FailureAlarm(self, "TrainingJobFailure", training_role_arn=training_role_arn, key=key)
        self.failure_topic_arn = self.failure.topic_arn
        self.dashboard_name = TrainingDashboard(self, "Dashboard", rule_name=self.failure.rule_name).dashboard_name
        self.training_log_group_name = TRAINING_LOG_GROUP
        if settings.training_log_retention_days is not None:
            TrainingLogRetention(self, "TrainingLogRetention", retention_days=settings.training_log_retention_days)

    def metric_failed_training_jobs(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """Training jobs of the role that failed in a period (default: five minutes)."""
        return self.failure.metric_failed_jobs(period=period)

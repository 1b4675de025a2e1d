"""Notification of what goes wrong, alarms, the dashboard, the retention of SageMaker's logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from constructs import Construct

from trainworks.config.profile import EnvironmentProfile, profile_of
from trainworks.infra.constructs.job_notifications import BatchNotifications, TrainingNotifications
from trainworks.infra.constructs.notification_topic import NotificationTopic, publishers_of
from trainworks.infra.constructs.platform_dashboard import DashboardContent, PlatformDashboard
from trainworks.infra.constructs.training_log_retention import (
    NOTEBOOK_LOG_GROUP,
    TRAINING_LOG_GROUP,
    TrainingLogRetention,
)
from trainworks.infra.feature_flags import pin_feature_flags


@dataclass(frozen=True, slots=True)
class MonitoringTargets:
    """What is monitored: jobs of a training role and of a job queue, if there is one; where traffic leaves."""

    training_role_arn: str
    environment_suffix: str
    job_queue_arn: str | None = None
    compute_environment_arns: Sequence[str] = ()
    nat_gateway_ids: Sequence[str] = ()
    vpc_id: str | None = None
    """Only in a VPC with interface endpoints."""


class Monitoring(Construct):
    """Tells of failed and interrupted jobs, and of a blocked queue.

    topic                   where all of it goes; its `key` has to let `publishers_of(profile)` use it
    training, batch         the notifications, each with `metric_matched_events`; `batch` is None without a job queue
    dashboard_name          None without a dashboard
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: EnvironmentProfile | str,
        targets: MonitoringTargets,
        key: kms.IKey,
    ) -> None:
        super().__init__(scope, id)
        pin_feature_flags(self)
        self.profile = profile_of(profile)
        settings = self.profile.monitoring
        self.topic = NotificationTopic(
            self, "Topic", key=key, publishers=publishers_of(self.profile), emails=settings.notification_emails
        )
        self.failure_topic_arn = self.topic.topic_arn
        self.training = TrainingNotifications(
            self,
            "TrainingJob",
            training_role_arn=targets.training_role_arn,
            environment_suffix=targets.environment_suffix,
            topic_arn=self.failure_topic_arn,
        )
        self.training.failed.add_alarm()
        self.batch = self._batch_notifications(targets)
        self.dashboard_name = self._dashboard(targets) if settings.dashboard else None
        self.training_log_group_name = TRAINING_LOG_GROUP
        if settings.training_log_retention_days is not None:
            TrainingLogRetention(
                self,
                "TrainingLogRetention",
                retention_days=settings.training_log_retention_days,
                log_group_names=(TRAINING_LOG_GROUP, *([NOTEBOOK_LOG_GROUP] if self.profile.notebook else ())),
            )

    def metric_failed_training_jobs(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """Training jobs of the role that failed in a period (default: five minutes)."""
        return self.training.failed.metric_matched_events(period=period)

    def _batch_notifications(self, targets: MonitoringTargets) -> BatchNotifications | None:
        if targets.job_queue_arn is None:
            return None
        batch = BatchNotifications(
            self,
            "BatchJob",
            job_queue_arn=targets.job_queue_arn,
            environment_suffix=targets.environment_suffix,
            topic_arn=self.failure_topic_arn,
        )
        batch.failed.add_alarm()
        return batch

    def _dashboard(self, targets: MonitoringTargets) -> str:
        rules = {"Training jobs failed": self.training.failed, "Training jobs interrupted": self.training.interrupted}
        if self.batch:
            rules |= {
                "Batch jobs failed": self.batch.failed,
                "Batch hosts lost": self.batch.host_lost,
                "Job queue blocked": self.batch.blocked,
            }
        content = DashboardContent(
            rule_names={label: notification.rule_name for label, notification in rules.items()},
            compute_environment_arns=targets.compute_environment_arns,
            nat_gateway_ids=targets.nat_gateway_ids,
            endpoints_vpc_id=targets.vpc_id,
        )
        return PlatformDashboard(self, "Dashboard", content=content, region=Stack.of(self).region).dashboard_name

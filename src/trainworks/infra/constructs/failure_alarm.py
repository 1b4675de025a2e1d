"""Who is told when a training job fails, and the alarm that can fire."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from trainworks.infra.constructs.policy import document


class FailureAlarm(Construct):
    """EventBridge rule on failed training jobs of one role, an encrypted SNS topic, an alarm on the rule's matches.

    SageMaker has no metric that counts failed jobs, so the alarm watches `AWS/Events MatchedEvents` of the rule.
    """

    def __init__(self, scope: Construct, id: str, *, training_role_arn: str, key: kms.IKey) -> None:
        super().__init__(scope, id)
        topic = sns.CfnTopic(self, "Topic", kms_master_key_id=key.key_id)
        self.topic_arn = topic.ref
        rule = events.CfnRule(
            self,
            "Rule",
            description="Training jobs of the platform that failed",
            event_pattern={
                "source": ["aws.sagemaker"],
                "detail-type": ["SageMaker Training Job State Change"],
                "detail": {"TrainingJobStatus": ["Failed"], "RoleArn": [training_role_arn]},
            },
            targets=[events.CfnRule.TargetProperty(id="topic", arn=self.topic_arn)],
        )
        self.rule_name = rule.ref
        alarm = cloudwatch.CfnAlarm(
            self,
            "Alarm",
            alarm_description="A training job of the platform failed",
            namespace="AWS/Events",
            metric_name="MatchedEvents",
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name="RuleName", value=self.rule_name)],
            statistic="Sum",
            period=300,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            # The metric is emitted on a match alone: no data is no failure.
            treat_missing_data="notBreaching",
            alarm_actions=[self.topic_arn],
        )
        self._topic_policy(rule, alarm)

    def metric_failed_jobs(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """Failed jobs in a period (default: five minutes): `AWS/Events MatchedEvents` of the rule."""
        return cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="MatchedEvents",
            dimensions_map={"RuleName": self.rule_name},
            statistic="Sum",
            period=period or Duration.minutes(5),
        )

    def _topic_policy(self, rule: events.CfnRule, alarm: cloudwatch.CfnAlarm) -> None:
        """The rule and the alarms of this account may publish; nobody may without TLS."""
        stack = Stack.of(self)
        statements = [
            {
                "Sid": sid,
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sns:Publish",
                "Resource": self.topic_arn,
                "Condition": condition,
            }
            for sid, service, condition in (
                ("Rule", "events.amazonaws.com", {"ArnEquals": {"aws:SourceArn": rule.attr_arn}}),
                (
                    "Alarm",
                    "cloudwatch.amazonaws.com",
                    {
                        "StringEquals": {"aws:SourceAccount": stack.account},
                        "ArnEquals": {"aws:SourceArn": alarm.attr_arn},
                    },
                ),
            )
        ]
        statements.append(
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sns:Publish",
                "Resource": self.topic_arn,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        )
        sns.CfnTopicPolicy(self, "TopicPolicy", topics=[self.topic_arn], policy_document=document(statements))

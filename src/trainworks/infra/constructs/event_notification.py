"""Tells people of an event in words, and counts it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from constructs import Construct


@dataclass(frozen=True, slots=True)
class Message:
    """What people read: `lines` with `<name>` for what the event has at the path `paths["name"]`."""

    lines: Sequence[str]
    paths: Mapping[str, str] = field(default_factory=dict)

    @property
    def template(self) -> str:
        """The lines as EventBridge wants text of several lines: each a JSON string."""
        return "\n".join(json.dumps(line) for line in self.lines)


class EventNotification(Construct):
    """An EventBridge rule of the default bus that sends `message` to a topic.

    SageMaker and Batch have no metrics that count failures: `AWS/Events MatchedEvents` of the rule does.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        description: str,
        event_pattern: Mapping[str, Any],
        message: Message,
        topic_arn: str,
    ) -> None:
        super().__init__(scope, id)
        self._description = description
        self._topic_arn = topic_arn
        rule = events.CfnRule(
            self,
            "Rule",
            description=description,
            event_pattern=dict(event_pattern),
            targets=[
                events.CfnRule.TargetProperty(
                    id="topic",
                    arn=topic_arn,
                    input_transformer=events.CfnRule.InputTransformerProperty(
                        input_template=message.template, input_paths_map=dict(message.paths)
                    ),
                )
            ],
        )
        self.rule_name = rule.ref
        self.rule_arn = rule.attr_arn

    def metric_matched_events(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """How many events matched in a period (default: five minutes)."""
        return cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="MatchedEvents",
            dimensions_map={"RuleName": self.rule_name},
            statistic="Sum",
            period=period or Duration.minutes(5),
        )

    def add_alarm(self, *, period_seconds: int = 300) -> cloudwatch.CfnAlarm:
        """An alarm that goes off with the first match and tells the same topic: the second way to the same people."""
        return cloudwatch.CfnAlarm(
            self,
            "Alarm",
            alarm_description=self._description,
            namespace="AWS/Events",
            metric_name="MatchedEvents",
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name="RuleName", value=self.rule_name)],
            statistic="Sum",
            period=period_seconds,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            # The metric is emitted only on a match: no data means no failure.
            treat_missing_data="notBreaching",
            alarm_actions=[self._topic_arn],
        )

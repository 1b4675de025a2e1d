"""Who is told of what: patterns that match this platform's jobs alone, and messages that people can act on."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.snapshot.platform import Platform, Resource


def notifications(platform: Platform) -> dict[str, Resource]:
    """The rules that tell the topic, by the event and the states that they match."""
    topic = platform.resource("AWS::SNS::Topic").arn()
    rules = [
        rule
        for rule in platform.resources("AWS::Events::Rule")
        if [target["Arn"] for target in platform.properties(rule)["Targets"]] == [topic]
    ]
    return {rule.logical_id.removesuffix("Rule" + rule.logical_id.rpartition("Rule")[2]): rule for rule in rules}


def pattern(platform: Platform, rule: Resource) -> dict[str, Any]:
    found: dict[str, Any] = platform.properties(rule)["EventPattern"]
    return found


def test_what_is_told(platform: Platform) -> None:
    assert set(notifications(platform)) == {
        "TrainingJobFailed",
        "TrainingJobInterrupted",
        "BatchJobFailed",
        "BatchJobHostLost",
        "BatchJobQueueBlocked",
    }


def test_every_rule_matches_jobs_of_this_platform_alone(platform: Platform) -> None:
    role, queue = platform.outputs["TrainingRoleArn"], platform.outputs["JobQueueArn"]
    for name, rule in notifications(platform).items():
        detail = pattern(platform, rule)["detail"]
        assert detail.get("RoleArn", detail.get("jobQueue")) == [role if name.startswith("Training") else queue], name


def test_messages_name_the_job_and_where_to_look(platform: Platform) -> None:
    for name, rule in notifications(platform).items():
        (target,) = platform.properties(rule)["Targets"]
        transformer = target["InputTransformer"]
        # EventBridge wants text of several lines as JSON strings.
        lines = [json.loads(line) for line in transformer["InputTemplate"].splitlines()]
        used = set(re.findall(r"<(\w+)>", " ".join(lines)))
        assert used == set(transformer["InputPathsMap"]), name
        assert {"name"} <= used, name
        assert f"environment {platform.outputs['EnvironmentSuffix']}" in lines[0], name
        assert any(line.startswith(f"Job: https://{platform.outputs['Region']}.console") for line in lines), name


def test_a_budget_and_an_anomaly_monitor_watch_the_platforms_tag(platform: Platform) -> None:
    settings, topic = platform.profile.cost, platform.resource("AWS::SNS::Topic").arn()
    assert settings is not None
    tag = f"trainworks-{platform.outputs['EnvironmentSuffix']}"
    budget = platform.properties(platform.resource("AWS::Budgets::Budget"))
    assert budget["Budget"]["BudgetLimit"] == {"Amount": settings.monthly_budget_usd, "Unit": "USD"}
    assert budget["Budget"]["CostFilters"] == {
        "TagKeyValue": [f"user:Platform${tag}"],
        "Region": [platform.outputs["Region"]],
    }
    told = {
        (each["Notification"]["NotificationType"], each["Notification"]["Threshold"])
        for each in budget["NotificationsWithSubscribers"]
    }
    assert told == {("ACTUAL", 80), ("FORECASTED", 100)}
    monitor = platform.resource("AWS::CE::AnomalyMonitor")
    assert json.loads(platform.properties(monitor)["MonitorSpecification"]) == {
        "Tags": {"Key": "user:Platform", "Values": [tag]}
    }
    subscription = platform.properties(platform.resource("AWS::CE::AnomalySubscription"))
    assert subscription["MonitorArnList"] == [monitor.arn("MonitorArn")]
    assert (subscription["Frequency"], subscription["Subscribers"]) == (
        "IMMEDIATE",
        [{"Address": topic, "Type": "SNS"}],
    )

"""Budgets and anomaly monitors of stacks are recorded as AWS would describe them."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.twin.test_events import eventually
from trainworks.testing import TestTwin

ACCOUNT = "000000000000"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:spending"
TAGS = [{"Key": "Project", "Value": "trainworks"}]


def template(amount: int, impact: int, name: str) -> str:
    monitored = {"Tags": {"Key": "user:Platform", "Values": ["p"]}}
    threshold = {
        "Dimensions": {
            "Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
            "MatchOptions": ["GREATER_THAN_OR_EQUAL"],
            "Values": [str(impact)],
        }
    }
    budget = {
        "Budget": {
            "BudgetType": "COST",
            "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": amount, "Unit": "USD"},
            "CostFilters": {"TagKeyValue": ["user:Platform$p"]},
        },
        "NotificationsWithSubscribers": [
            {
                "Notification": {
                    "NotificationType": "ACTUAL",
                    "ComparisonOperator": "GREATER_THAN",
                    "Threshold": 80,
                    "ThresholdType": "PERCENTAGE",
                },
                "Subscribers": [{"SubscriptionType": "SNS", "Address": TOPIC}],
            }
        ],
        "ResourceTags": TAGS,
    }
    subscription = {
        "SubscriptionName": name,
        "MonitorArnList": [{"Fn::GetAtt": ["Monitor", "MonitorArn"]}],
        "Frequency": "IMMEDIATE",
        "Subscribers": [{"Type": "SNS", "Address": TOPIC}],
        "ThresholdExpression": json.dumps(threshold),
        "ResourceTags": TAGS,
    }
    monitor = {
        "MonitorName": name,
        "MonitorType": "CUSTOM",
        "MonitorSpecification": json.dumps(monitored),
        "ResourceTags": TAGS,
    }
    resources = {
        "Budget": {"Type": "AWS::Budgets::Budget", "Properties": budget},
        "Monitor": {"Type": "AWS::CE::AnomalyMonitor", "Properties": monitor},
        "Subscription": {"Type": "AWS::CE::AnomalySubscription", "Properties": subscription},
    }
    outputs = {name: {"Value": {"Ref": name}} for name in resources}
    return json.dumps({"Resources": resources, "Outputs": outputs})


def test_spending_alerts_of_a_stack_are_made_changed_and_deleted(twin: TestTwin) -> None:
    cloudformation, budgets, ce = (twin.client(name) for name in ("cloudformation", "budgets", "ce"))
    name = f"spend-{secrets.token_hex(3)}"

    def settled() -> dict[str, Any]:
        def look() -> Any:
            (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
            return not stack["StackStatus"].endswith("IN_PROGRESS") and stack

        stack: dict[str, Any] = eventually(look)
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]} | {"status": stack["StackStatus"]}

    cloudformation.create_stack(StackName=name, TemplateBody=template(50, 10, name))
    made = settled()
    assert made["status"] == "CREATE_COMPLETE"
    budget = budgets.describe_budget(AccountId=ACCOUNT, BudgetName=made["Budget"])["Budget"]
    assert (budget["BudgetLimit"], budget["CostFilters"]) == (
        {"Amount": "50", "Unit": "USD"},
        {"TagKeyValue": ["user:Platform$p"]},
    )
    (monitor,) = ce.get_anomaly_monitors(MonitorArnList=[made["Monitor"]])["AnomalyMonitors"]
    assert monitor["MonitorSpecification"] == {"Tags": {"Key": "user:Platform", "Values": ["p"]}}
    (subscription,) = ce.get_anomaly_subscriptions(MonitorArn=made["Monitor"])["AnomalySubscriptions"]
    assert (subscription["Frequency"], subscription["SubscriptionArn"]) == ("IMMEDIATE", made["Subscription"])
    assert ce.list_tags_for_resource(ResourceArn=made["Monitor"])["ResourceTags"] == TAGS

    cloudformation.update_stack(StackName=name, TemplateBody=template(75, 20, name))
    changed = settled()
    assert {key: changed[key] for key in ("Budget", "Monitor", "Subscription")} == {
        key: made[key] for key in ("Budget", "Monitor", "Subscription")
    }
    assert (
        budgets.describe_budget(AccountId=ACCOUNT, BudgetName=made["Budget"])["Budget"]["BudgetLimit"]["Amount"] == "75"
    )
    (subscription,) = ce.get_anomaly_subscriptions(MonitorArn=made["Monitor"])["AnomalySubscriptions"]
    assert subscription["ThresholdExpression"]["Dimensions"]["Values"] == ["20"]

    cloudformation.delete_stack(StackName=name)

    def gone() -> bool:
        try:
            ce.get_anomaly_monitors(MonitorArnList=[made["Monitor"]])
        except ClientError as error:
            return error.response["Error"]["Code"] == "UnknownMonitorException"
        return False

    assert eventually(gone)


def test_a_topic_is_told_at_once_or_not_at_all(twin: TestTwin) -> None:
    ce = twin.client("ce")
    specification = {"Tags": {"Key": "user:Platform", "Values": ["p"]}}
    monitor = ce.create_anomaly_monitor(
        AnomalyMonitor={"MonitorName": "m", "MonitorType": "CUSTOM", "MonitorSpecification": specification}
    )["MonitorArn"]
    with pytest.raises(ClientError, match="IMMEDIATE frequency"):
        ce.create_anomaly_subscription(
            AnomalySubscription={
                "SubscriptionName": "s",
                "MonitorArnList": [monitor],
                "Frequency": "DAILY",
                "Subscribers": [{"Type": "SNS", "Address": TOPIC}],
            }
        )

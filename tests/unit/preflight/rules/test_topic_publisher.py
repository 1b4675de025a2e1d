from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, nothing, only
from tests.unit.preflight.rules.watched import CLOUDWATCH, EVENTS, statement, watched
from trainworks.preflight.rules.topic_publisher import RULE


@pytest.mark.parametrize(("sid", "service"), [("Events", EVENTS), ("Alarms", CLOUDWATCH)])
@pytest.mark.parametrize("action", ["kms:GenerateDataKey*", "kms:Decrypt"])
def test_the_key_keeps_a_service_out(sid: str, service: str, action: str) -> None:
    draft = watched()
    statement(draft, "Key", sid)["Action"].remove(action)
    (found,) = only(draft, RULE)
    assert found.place == "Topic"
    assert f"does not allow {service} {action.rstrip('*')}" in found.message


def test_a_condition_on_another_account() -> None:
    draft = watched()
    statement(draft, "Key", "Alarms")["Condition"] = {"StringEquals": {"aws:SourceAccount": "999999999999"}}
    assert CLOUDWATCH in only(draft, RULE)[0].message


@pytest.mark.parametrize("name", ["Key", "TopicPolicy"])
@pytest.mark.parametrize("key", ["aws:SourceAccount", "aws:SourceArn"])
def test_eventbridge_sends_no_source(name: str, key: str) -> None:
    draft = watched()
    statement(draft, name, "Events")["Condition"] = {"StringLike": {key: "*"}}
    (found,) = only(draft, RULE)
    assert f"EventBridge sends no {key.lower()}" in found.message


def test_a_condition_if_the_key_exists_holds_without_it() -> None:
    draft = watched()
    statement(draft, "Key", "Events")["Condition"] = {"StringEqualsIfExists": {"aws:SourceAccount": "x"}}
    nothing(draft)


def test_the_topics_policy_lets_only_others_in() -> None:
    draft = watched()
    statement(draft, "TopicPolicy", "Events")["Principal"] = {"Service": "s3.amazonaws.com"}
    (found,) = only(draft, RULE)
    assert f"no policy that lets {EVENTS} publish" in found.message


def test_a_topic_without_policy_lets_alarms_in_but_no_rule() -> None:
    draft = watched()
    draft.remove("TopicPolicy")
    (found,) = only(draft, RULE)
    assert EVENTS in found.message


def test_an_inline_policy_is_one_too() -> None:
    draft = watched()
    body = draft.body("TopicPolicy")
    body["Type"] = "AWS::SNS::TopicInlinePolicy"
    body["Properties"]["TopicArn"] = body["Properties"].pop("Topics")[0]
    assert RULE.code not in {each.code for each in draft.findings()}


def test_a_rule_that_publishes_as_a_role_needs_neither() -> None:
    draft = watched()
    draft.remove("TopicPolicy")
    draft.properties("Rule")["Targets"][0]["RoleArn"] = "arn:aws:iam::111111111111:role/publisher"
    nothing(draft)


def test_awss_own_key_lets_nobody_in() -> None:
    draft = watched()
    draft.properties("Topic")["KmsMasterKeyId"] = "alias/aws/sns"
    assert {each.code for each in draft.findings()} >= {RULE.code}


NOTIFICATION = {"ComparisonOperator": "GREATER_THAN", "NotificationType": "ACTUAL", "Threshold": 80}


@pytest.mark.parametrize(
    ("type_", "properties", "service"),
    [
        (
            "AWS::Budgets::Budget",
            {
                "Budget": {"BudgetType": "COST", "TimeUnit": "MONTHLY"},
                "NotificationsWithSubscribers": [
                    {
                        "Notification": NOTIFICATION,
                        "Subscribers": [{"SubscriptionType": "SNS", "Address": {"Ref": "Topic"}}],
                    }
                ],
            },
            "budgets.amazonaws.com",
        ),
        (
            "AWS::CE::AnomalySubscription",
            {
                "Frequency": "IMMEDIATE",
                "MonitorArnList": [],
                "SubscriptionName": "s",
                "Subscribers": [{"Type": "SNS", "Address": {"Ref": "Topic"}}],
            },
            "costalerts.amazonaws.com",
        ),
    ],
)
def test_budgets_and_anomalies(type_: str, properties: dict[str, Any], service: str) -> None:
    draft = watched()
    draft.add("Money", type_, properties)
    found = only(draft, RULE)
    assert len(found) == 2, "the key and the topic's policy"
    assert all(service in each.message for each in found)


def test_without_a_key_only_the_policy_counts() -> None:
    draft = watched()
    del draft.properties("Topic")["KmsMasterKeyId"]
    assert RULE.code not in {each.code for each in draft.findings()}


def test_the_platforms_own_topic(platform: Callable[[str], Draft]) -> None:
    draft = platform("prod")
    topic = next(each for each in draft.graph().resources if each.type == "AWS::SNS::Topic")
    key = draft.graph().owner(topic.get("KmsMasterKeyId"))
    assert key is not None
    document = draft.properties(key.place)["KeyPolicy"]
    document["Statement"] = [each for each in document["Statement"] if "Service" not in each["Principal"]]
    assert any(each.code == RULE.code and EVENTS in each.message for each in draft.findings())

"""A small clean template that watches something: a rule, an alarm and a bucket that publish to an encrypted topic."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.preflight.draft import Draft, draft_of

EVENTS, CLOUDWATCH = "events.amazonaws.com", "cloudwatch.amazonaws.com"
SEARCH = "SEARCH('{/aws/sagemaker/TrainingJobs,Host} MetricName=\"CPUUtilization\"', 'Average')"
DASHBOARD = {
    "widgets": [
        {"type": "metric", "properties": {"title": "CPU", "metrics": [[{"expression": SEARCH}]]}},
        {
            "type": "metric",
            "properties": {
                "title": "Queue",
                "metrics": [
                    ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "jobs", {"stat": "Maximum"}],
                    [".", "NumberOfMessagesSent", ".", "."],
                    ["...", "other"],
                ],
            },
        },
    ]
}


def watched() -> Draft:
    """Logical ids are the names of the resources."""
    return draft_of(
        {
            "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": _key_policy(), "EnableKeyRotation": True}},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}},
            "TopicPolicy": {
                "Type": "AWS::SNS::TopicPolicy",
                "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": {"Statement": _publishers()}},
            },
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventPattern": {"source": ["aws.sagemaker"]},
                    "Targets": [{"Id": "topic", "Arn": {"Ref": "Topic"}}],
                },
            },
            "Alarm": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "Namespace": "AWS/Events",
                    "MetricName": "MatchedEvents",
                    "Dimensions": [{"Name": "RuleName", "Value": {"Ref": "Rule"}}],
                    "TreatMissingData": "notBreaching",
                    "AlarmActions": [{"Ref": "Topic"}],
                },
            },
            "Dashboard": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": json.dumps(DASHBOARD)}},
        }
    )


def _key_policy() -> dict[str, Any]:
    account = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
    return {
        "Statement": [
            {"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": account}, "Action": "kms:*", "Resource": "*"},
            {
                "Sid": "Events",
                "Effect": "Allow",
                "Principal": {"Service": EVENTS},
                "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
                "Resource": "*",
            },
            {
                "Sid": "Alarms",
                "Effect": "Allow",
                "Principal": {"Service": CLOUDWATCH},
                "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
            },
        ]
    }


def _publishers() -> list[dict[str, Any]]:
    publish = {"Effect": "Allow", "Action": "sns:Publish", "Resource": {"Ref": "Topic"}}
    return [
        {**publish, "Sid": "Events", "Principal": {"Service": EVENTS}},
        {
            **publish,
            "Sid": "Alarms",
            "Principal": {"Service": CLOUDWATCH},
            "Condition": {"ArnLike": {"aws:SourceArn": {"Fn::GetAtt": ["Alarm", "Arn"]}}},
        },
        {
            "Sid": "Tls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": {"Ref": "Topic"},
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]


def statement(draft: Draft, name: str, sid: str) -> dict[str, Any]:
    """A statement of the key's or the topic's policy."""
    properties = draft.properties(name)
    document = properties.get("KeyPolicy") or properties["PolicyDocument"]
    (found,) = [each for each in document["Statement"] if each["Sid"] == sid]
    chosen: dict[str, Any] = found
    return chosen

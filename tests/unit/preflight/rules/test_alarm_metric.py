from __future__ import annotations

from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
from tests.unit.preflight.rules.watched import watched
from trainworks.preflight.finding import Severity
from trainworks.preflight.rules.alarm_metric import RULE


def _edited(**changes: Any) -> Draft:
    draft = watched()
    draft.properties("Alarm").update(changes)
    return draft


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"Namespace": "AWS/SageMaker", "MetricName": "TrainingJobsFailed", "Dimensions": []}, "has no metric"),
        ({"MetricName": "Matched"}, "has no metric Matched"),
        ({"Namespace": "AWS/SQS"}, "AWS/SQS has no metric MatchedEvents"),
        ({"Dimensions": [{"Name": "Rule", "Value": "x"}]}, "not emitted by {Rule}"),
        ({"Dimensions": [{"Name": "RuleName", "Value": "ALL"}]}, "ALL, which is not a wildcard"),
        ({"Dimensions": [{"Name": "RuleName", "Value": "*"}]}, "*, which is not a wildcard"),
        (
            {
                "Namespace": "AWS/SageMaker",
                "MetricName": "ModelLatency",
                "Dimensions": [{"Name": "EndpointName", "Value": "e"}],
            },
            "not emitted by {EndpointName}",
        ),
    ],
)
def test_no_such_metric(changes: dict[str, Any], told: str) -> None:
    (found,) = only(_edited(**changes), RULE)
    assert found.is_error
    assert told in found.message


def test_the_fix_names_the_namespace_that_has_it() -> None:
    draft = _edited(
        Namespace="AWS/SageMaker", MetricName="CPUUtilization", Dimensions=[{"Name": "Host", "Value": "job/algo-1"}]
    )
    assert "/aws/sagemaker/TrainingJobs (by {Host})" in only(draft, RULE)[0].fix


@pytest.mark.parametrize("namespace", ["AWS/Sagemaker/TrainingJobs", "AWS/NoSuchService", "Acme/Jobs"])
def test_a_namespace_that_nobody_is_known_to_write_is_doubtful(namespace: str) -> None:
    (found,) = only(_edited(Namespace=namespace), RULE)
    assert found.severity is Severity.WARNING


def test_metric_math_is_read() -> None:
    metric = {"Namespace": "AWS/Lambda", "MetricName": "Failures", "Dimensions": []}
    query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    draft = watched()
    draft.properties("Alarm").update({"Metrics": [query, {"Id": "e", "Expression": "m * 2"}]})
    for name in ("Namespace", "MetricName", "Dimensions"):
        del draft.properties("Alarm")[name]
    assert "AWS/Lambda has no metric Failures" in only(draft, RULE)[0].message


@pytest.mark.parametrize(
    "changes",
    [
        {"Namespace": "AWS/RDS", "MetricName": "CPUUtilization", "Dimensions": []},
        {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": []},
        {
            "Namespace": "/aws/sagemaker/TrainingJobs",
            "MetricName": "validation:accuracy",
            "Dimensions": [{"Name": "TrainingJobName", "Value": "job"}],
        },
        {
            "MetricName": "MatchedEvents",
            "Dimensions": [{"Name": "RuleName", "Value": "r"}, {"Name": "EventBusName", "Value": "b"}],
        },
    ],
)
def test_metrics_that_exist(changes: dict[str, Any]) -> None:
    nothing(_edited(**changes))


def test_a_metric_filter_makes_its_metric() -> None:
    draft = _edited(Namespace="Acme/Jobs", MetricName="Errors", Dimensions=[])
    transformation = {"MetricNamespace": "Acme/Jobs", "MetricName": "Errors", "MetricValue": "1"}
    draft.add(
        "Filter",
        "AWS::Logs::MetricFilter",
        {"LogGroupName": "/aws/lambda/f", "FilterPattern": "ERROR", "MetricTransformations": [transformation]},
    )
    assert RULE.code not in {each.code for each in draft.findings()}


def test_a_role_that_may_put_metrics_makes_the_namespace_known() -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "Policies": [
            {
                "PolicyName": "p",
                "PolicyDocument": {
                    "Statement": {
                        "Effect": "Allow",
                        "Action": "cloudwatch:PutMetricData",
                        "Resource": "*",
                        "Condition": {"StringEquals": {"cloudwatch:namespace": "Acme/Jobs"}},
                    }
                },
            }
        ],
    }
    draft = _edited(Namespace="Acme/Jobs", MetricName="Errors", Dimensions=[])
    draft.add("Writer", "AWS::IAM::Role", role)
    nothing(draft)
    draft.properties("Alarm")["Namespace"] = "Acme/Others"
    only(draft, RULE)


def test_what_is_not_known_before_the_deploy_is_no_fault() -> None:
    draft = draft_of(
        {
            "Parameters": {"Name": {"Type": "String"}},
            "Resources": {
                "Alarm": {
                    "Type": "AWS::CloudWatch::Alarm",
                    "Properties": {
                        "Namespace": {"Ref": "Name"},
                        "MetricName": "M",
                        "AlarmActions": ["arn:aws:sns:us-east-1:111111111111:topic"],
                    },
                }
            },
        }
    )
    assert RULE.code not in {each.code for each in draft._clean.known}

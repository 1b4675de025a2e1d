from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
from tests.unit.preflight.rules.role_bodies import add, without
from trainworks.preflight.finding import Severity
from trainworks.preflight.rules.role_actions import RULE

Platform = Callable[[str], Draft]


@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("Training/TrainingRole", "ecr:BatchGetImage"),
        ("Training/TrainingRole", "ecr:GetAuthorizationToken"),
        ("Training/TrainingRole", "logs:PutLogEvents"),
        ("Training/TrainingRole", "cloudwatch:PutMetricData"),
        ("Batch/InstanceRole", "ecs:RegisterContainerInstance"),
        ("Batch/InstanceRole", "ecs:Poll"),
        ("Network/FlowLog/Role", "logs:PutLogEvents"),
    ],
)
def test_a_needed_action_is_missing(platform: Platform, role: str, action: str) -> None:
    (found,) = only(without(platform("prod"), role, action), RULE)
    assert found.is_error is (action != "cloudwatch:PutMetricData")  # a job without loses its metrics alone
    assert found.place == role
    assert action in found.message


def test_logs_of_another_group(platform: Platform) -> None:
    draft = without(platform("prod"), "Training/TrainingRole", "logs:PutLogEvents")
    add(draft, "Training/TrainingRole", Action="logs:PutLogEvents", Resource="arn:aws:logs:*:*:log-group:/mine:*")
    assert "on arn:aws:logs" in only(draft, RULE)[0].message


def test_metrics_into_another_namespace(platform: Platform) -> None:
    draft = without(platform("prod"), "Training/TrainingRole", "cloudwatch:PutMetricData")
    condition = {"StringEquals": {"cloudwatch:namespace": "Mine"}}
    add(draft, "Training/TrainingRole", Action="cloudwatch:PutMetricData", Condition=condition)
    assert "cloudwatch:PutMetricData" in only(draft, RULE)[0].message


@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("Training/TrainingRole", "sagemaker:CreateTrainingJob"),
        ("Training/TrainingRole", "s3:DeleteObject"),
        ("Batch/JobRole", "ecr:BatchGetImage"),
        ("Batch/JobExecutionRole", "s3:GetObject"),
        ("Batch/InstanceRole", "s3:GetObject"),
        ("Network/FlowLog/Role", "logs:DeleteLogGroup"),
    ],
)
def test_an_action_beyond_the_need(platform: Platform, role: str, action: str) -> None:
    draft = add(platform("prod"), role, Action=action, Resource="arn:aws:x:::some/thing")
    (found,) = only(draft, RULE)
    assert found.severity is Severity.WARNING
    assert action in found.message


@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("Training/TrainingRole", "dynamodb:PutItem"),
        ("Training/TrainingRole", "s3:GetObject*"),
        ("Batch/JobRole", "sqs:SendMessage"),
        ("Batch/JobExecutionRole", "secretsmanager:GetSecretValue"),
    ],
)
def test_what_its_code_may_need(platform: Platform, role: str, action: str) -> None:
    nothing(add(platform("prod"), role, Action=action, Resource="arn:aws:x:::some/thing"))


def test_a_platforms_state_machine_without_its_action(platform: Platform) -> None:
    draft = platform("dev")
    role = "Training/Notebook/IdleStop/Role"
    (found,) = only(without(draft, role, "sagemaker:StopNotebookInstance"), RULE)
    assert "state machine" in found.message


def _machine(resource: str, parameters: dict[str, Any], *actions: dict[str, Any]) -> Draft:
    task = {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True}
    definition = {"StartAt": "Do", "States": {"Do": task}}
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "states.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}},
    }
    document = {"Statement": [{"Effect": "Allow", "Resource": "*", **action} for action in actions]}
    return draft_of(
        {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": {"Statement": [trust]},
                    "Policies": [{"PolicyName": "p", "PolicyDocument": document}],
                },
            },
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                    "DefinitionString": json.dumps(definition),
                },
            },
        }
    )


QUEUE = "arn:aws:batch:eu-west-1:111111111111:job-queue/q"
SYNC: tuple[dict[str, Any], ...] = (
    {"Action": "batch:SubmitJob", "Resource": [QUEUE]},
    {"Action": ["batch:DescribeJobs"]},
    {"Action": ["batch:TerminateJob"], "Resource": ["arn:aws:batch:eu-west-1:111111111111:job/*"]},
    {
        "Action": ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
        "Resource": ["arn:aws:events:eu-west-1:111111111111:rule/StepFunctionsGetEventsForBatchJobsRule"],
    },
)


@pytest.mark.parametrize("action", ["batch:SubmitJob", "events:PutTargets", "events:PutRule"])
def test_a_task_that_waits(action: str) -> None:
    draft = _machine("arn:aws:states:::batch:submitJob.sync", {"JobQueue": QUEUE}, *SYNC)
    assert not [each for each in draft._clean.known if each.code == RULE.code]
    assert action in only(without(draft, "Role", action), RULE)[0].message


def test_a_task_on_another_resource() -> None:
    draft = _machine("arn:aws:states:::batch:submitJob.sync", {"JobQueue": QUEUE}, *SYNC)
    draft.properties("Role")["Policies"][0]["PolicyDocument"]["Statement"][0]["Resource"] = [f"{QUEUE}2"]
    assert QUEUE in only(draft, RULE)[0].message


def test_a_task_that_is_not_understood_says_nothing() -> None:
    draft = _machine("arn:aws:states:::somethingnew:start", {}, {"Action": "new:Start"})
    assert not [each for each in draft._clean.known if each.code == RULE.code]


def _role(service: str, *statements: dict[str, Any]) -> dict[str, Any]:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}},
    }
    document = {"Statement": [{"Effect": "Allow", **statement} for statement in statements]}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Statement": [trust]},
            "Policies": [{"PolicyName": "p", "PolicyDocument": document}],
        },
    }


def test_the_target_of_a_rule() -> None:
    start = {"Action": ["states:StartExecution"], "Resource": {"Fn::GetAtt": ["Machine", "Arn"]}}
    draft = draft_of(
        {
            "Starter": _role("events.amazonaws.com", start),
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {"RoleArn": "arn:aws:iam::111111111111:role/machine", "DefinitionString": "{}"},
            },
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "ScheduleExpression": "rate(1 day)",
                    "Targets": [
                        {
                            "Id": "machine",
                            "Arn": {"Fn::GetAtt": ["Machine", "Arn"]},
                            "RoleArn": {"Fn::GetAtt": ["Starter", "Arn"]},
                        }
                    ],
                },
            },
        }
    )
    assert not [each for each in draft._clean.known if each.code == RULE.code]
    draft.properties("Starter")["Policies"][0]["PolicyDocument"]["Statement"][0]["Resource"] = "arn:aws:states:::other"
    assert "target of an event rule Rule lacks states:StartExecution" in only(draft, RULE)[0].message


IMAGE = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/mine:1"
REPOSITORY = "arn:aws:ecr:eu-west-1:111111111111:repository/mine"
STARTING: tuple[dict[str, Any], ...] = (
    {
        "Action": ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
        "Resource": [REPOSITORY],
    },
    {"Action": ["ecr:GetAuthorizationToken"], "Resource": "*"},
    {
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": ["arn:aws:logs:eu-west-1:111111111111:log-group:/aws/batch/job:*"],
    },
)


@pytest.mark.parametrize("action", ["ecr:BatchGetImage", "ecr:GetAuthorizationToken", "logs:PutLogEvents"])
def test_the_start_of_a_job_on_fargate(action: str) -> None:
    container = {
        "Image": IMAGE,
        "ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        "ResourceRequirements": [{"Type": "VCPU", "Value": "1"}, {"Type": "MEMORY", "Value": "2048"}],
    }
    draft = draft_of(
        {
            "Role": _role("ecs-tasks.amazonaws.com", *STARTING),
            "Job": {
                "Type": "AWS::Batch::JobDefinition",
                "Properties": {
                    "Type": "container",
                    "PlatformCapabilities": ["FARGATE"],
                    "ContainerProperties": container,
                },
            },
        }
    )
    assert not [each for each in draft._clean.known if each.code == RULE.code]
    (found,) = only(without(draft, "Role", action), RULE)
    assert f"start of a container Job lacks {action}" in found.message

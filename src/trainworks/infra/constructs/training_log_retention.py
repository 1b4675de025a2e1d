"""Retention of the log group that all training jobs of an account and region share."""

from __future__ import annotations

from aws_cdk import Stack
from constructs import Construct

from trainworks.infra.constructs.policy import allow
from trainworks.infra.constructs.triggered_state_machine import TriggeredStateMachine

TRAINING_LOG_GROUP = "/aws/sagemaker/TrainingJobs"
"""SageMaker's own group: made by the first job, without expiry."""

_FOUND = "$.LogGroups[0]"


class TrainingLogRetention(TriggeredStateMachine):
    """Once a day: gives `TRAINING_LOG_GROUP` at least `retention_days`, never less than it has.

    The group may exist before the stack, may not exist yet, and belongs to no environment alone; so it is no resource
    of the stack, and an environment with a short retention does not cut the logs of one with a long retention.
    """

    def __init__(self, scope: Construct, id: str, *, retention_days: int) -> None:
        stack = Stack.of(scope)
        sdk = f"arn:{stack.partition}:states:::aws-sdk:cloudwatchlogs"
        group_arn = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:{TRAINING_LOG_GROUP}"
        super().__init__(
            scope,
            id,
            definition={
                "StartAt": "Find",
                "States": {
                    "Find": {
                        "Type": "Task",
                        "Resource": f"{sdk}:describeLogGroups",
                        # Groups come sorted by name, so one of exactly this name is the first.
                        "Parameters": {"LogGroupNamePrefix": TRAINING_LOG_GROUP, "Limit": 1},
                        "Next": "Compare",
                    },
                    "Compare": {
                        "Type": "Choice",
                        "Choices": [
                            {
                                "Or": [
                                    {"Variable": f"{_FOUND}.LogGroupName", "IsPresent": False},
                                    {
                                        "Not": {
                                            "Variable": f"{_FOUND}.LogGroupName",
                                            "StringEquals": TRAINING_LOG_GROUP,
                                        }
                                    },
                                ],
                                "Next": "NothingToDo",
                            },
                            {
                                "And": [
                                    {"Variable": f"{_FOUND}.RetentionInDays", "IsPresent": True},
                                    {
                                        "Variable": f"{_FOUND}.RetentionInDays",
                                        "NumericGreaterThanEquals": retention_days,
                                    },
                                ],
                                "Next": "NothingToDo",
                            },
                        ],
                        "Default": "Set",
                    },
                    "Set": {
                        "Type": "Task",
                        "Resource": f"{sdk}:putRetentionPolicy",
                        "Parameters": {"LogGroupName": TRAINING_LOG_GROUP, "RetentionInDays": retention_days},
                        "End": True,
                    },
                    "NothingToDo": {"Type": "Succeed"},
                },
            },
            statements=[
                allow("Find", ["logs:DescribeLogGroups"], ["*"]),
                allow("Set", ["logs:PutRetentionPolicy"], [group_arn, f"{group_arn}:*"]),
            ],
            trigger={"schedule_expression": "rate(1 day)"},
        )

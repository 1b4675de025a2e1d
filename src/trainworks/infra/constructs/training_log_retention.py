"""Retention of the log groups that SageMaker makes, and that all environments of an account and region share."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from constructs import Construct

from trainworks.infra.constructs.policy import allow
from trainworks.infra.constructs.triggered_state_machine import TriggeredStateMachine

TRAINING_LOG_GROUP = "/aws/sagemaker/TrainingJobs"
"""SageMaker's own group: made by the first job, without expiry."""
NOTEBOOK_LOG_GROUP = "/aws/sagemaker/NotebookInstances"
"""The same for what lifecycle scripts and Jupyter of notebook instances write."""

_FOUND = "$.Found.LogGroups[0]"


class TrainingLogRetention(TriggeredStateMachine):
    """Once a day: gives each of `log_group_names` at least `retention_days`, never less than it has.

    The groups may exist before the stack, may not exist yet, and belong to no environment alone; so they are no
    resources of the stack, and an environment with a short retention does not cut the logs of one with a long one.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        retention_days: int,
        log_group_names: Sequence[str] = (TRAINING_LOG_GROUP,),
    ) -> None:
        stack = Stack.of(scope)
        sdk = f"arn:{stack.partition}:states:::aws-sdk:cloudwatchlogs"
        groups = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group"
        arns = [f"{groups}:{name}{suffix}" for name in log_group_names for suffix in ("", ":*")]
        super().__init__(
            scope,
            id,
            definition={
                "StartAt": "Groups",
                "States": {
                    "Groups": {
                        "Type": "Pass",
                        "Result": [{"LogGroupName": name} for name in log_group_names],
                        "Next": "Each",
                    },
                    "Each": {
                        "Type": "Map",
                        "ItemProcessor": {
                            "ProcessorConfig": {"Mode": "INLINE"},
                            "StartAt": "Find",
                            "States": _one_group(sdk, retention_days),
                        },
                        "End": True,
                    },
                },
            },
            statements=[
                allow("Find", ["logs:DescribeLogGroups"], ["*"]),
                allow("Set", ["logs:PutRetentionPolicy"], arns),
            ],
            trigger={"schedule_expression": "rate(1 day)"},
        )


def _one_group(sdk: str, retention_days: int) -> dict[str, object]:
    """The states for one group, whose name is the input's `LogGroupName`."""
    return {
        "Find": {
            "Type": "Task",
            "Resource": f"{sdk}:describeLogGroups",
            # Groups come sorted by name, so one of exactly this name is the first.
            "Parameters": {"LogGroupNamePrefix.$": "$.LogGroupName", "Limit": 1},
            "ResultPath": "$.Found",
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
                                "StringEqualsPath": "$.LogGroupName",
                            }
                        },
                    ],
                    "Next": "NothingToDo",
                },
                {
                    "And": [
                        {"Variable": f"{_FOUND}.RetentionInDays", "IsPresent": True},
                        {"Variable": f"{_FOUND}.RetentionInDays", "NumericGreaterThanEquals": retention_days},
                    ],
                    "Next": "NothingToDo",
                },
            ],
            "Default": "Set",
        },
        "Set": {
            "Type": "Task",
            "Resource": f"{sdk}:putRetentionPolicy",
            "Parameters": {"LogGroupName.$": "$.LogGroupName", "RetentionInDays": retention_days},
            "End": True,
        },
        "NothingToDo": {"Type": "Succeed"},
    }

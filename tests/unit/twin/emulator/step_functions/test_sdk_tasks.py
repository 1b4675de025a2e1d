"""Names of AWS SDK integrations of Step Functions."""

from __future__ import annotations

import pytest

from trainworks.twin.emulator.step_functions.sdk_tasks import sdk_name, served


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("DBClusterArn", "DbClusterArn"),
        ("IAMDatabaseAuthenticationEnabled", "IamDatabaseAuthenticationEnabled"),
        ("EC2", "Ec2"),
        ("DynamoDB", "DynamoDb"),
        ("SageMaker", "SageMaker"),
        ("logGroupName", "LogGroupName"),
        ("VpcId", "VpcId"),
    ],
)
def test_names_are_spelled_as_the_sdk_for_java_does(name: str, spelled: str) -> None:
    assert sdk_name(name) == spelled


def test_services_have_their_names_of_the_sdk() -> None:
    scopes = {"logs", "states", "ec2", "sagemaker"}
    assert served("cloudwatchlogs", scopes) == "logs"
    assert served("sfn", scopes) == "stepfunctions"
    assert served("ec2", scopes) == "ec2"
    assert served("sagemaker", scopes) == "sagemaker"
    assert served("logs", scopes) is None
    assert served("glue", scopes) is None

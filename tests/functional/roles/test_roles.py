"""Every role of the platform, run as that role: what it can do and what it cannot. The tables are in `tables.py`."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.roles.calls import Call, can, cannot, filled
from tests.functional.roles.conftest import ACCOUNT, Neighbours
from tests.functional.roles.tables import IN_VPC, NEVER, STARTERS, TABLES, training_job


def problems(neighbours: Neighbours, role: str, calls: tuple[Call, ...]) -> list[str]:
    """What came otherwise than the table says."""
    names = {**neighbours.names, "unique": secrets.token_hex(4)}
    return [problem for call in calls if (problem := outcome(neighbours, role, call, names))]


def outcome(neighbours: Neighbours, role: str, call: Call, names: dict[str, Any]) -> str | None:
    if call.simulated:
        return call.simulate(neighbours.twin.client("iam"), role_arn(neighbours, role), names)
    return call.make(neighbours.mine.client(role, call.service), names)


def role_arn(neighbours: Neighbours, role: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{neighbours.mine.roles[role]}"


def test_every_role_has_a_table(neighbours: Neighbours) -> None:
    assert set(neighbours.mine.roles) == {*TABLES, *STARTERS}
    assert set(neighbours.other.roles) <= set(neighbours.mine.roles)


@pytest.mark.parametrize("role", TABLES)
def test_a_role_can_do_its_work_and_nothing_else(neighbours: Neighbours, role: str) -> None:
    assert problems(neighbours, role, TABLES[role]) == []


@pytest.mark.parametrize("role", [*TABLES, *STARTERS])
def test_no_role_reaches_another_environment_or_more_rights(neighbours: Neighbours, role: str) -> None:
    assert problems(neighbours, role, NEVER) == []


@pytest.mark.parametrize("role", ["TrainingRole", "NotebookRole", "JobRole"])
def test_the_other_environment_reaches_no_further(neighbours: Neighbours, role: str) -> None:
    swapped = Neighbours(neighbours.twin, neighbours.other, neighbours.mine)
    calls = [each for each in NEVER if any("{other_" in str(value) for value in each.params.values())]
    assert len(calls) >= 6
    assert problems(swapped, role, tuple(calls)) == []


@pytest.mark.parametrize("role", STARTERS)
def test_a_rule_starts_its_state_machine_alone(neighbours: Neighbours, role: str) -> None:
    machines = neighbours.mine.resources["AWS::StepFunctions::StateMachine"]
    own = machines[STARTERS[role]]
    (foreign, *_) = [arn for name, arn in machines.items() if name != STARTERS[role]]
    calls = (
        can("states:StartExecution", "its state machine", stateMachineArn=own),
        cannot("states:StartExecution", "another state machine", stateMachineArn=foreign),
        cannot("states:DescribeStateMachine", "it starts", stateMachineArn=own),
        cannot("states:DeleteStateMachine", "it starts", stateMachineArn=own),
    )
    assert problems(neighbours, role, calls) == []


@pytest.mark.parametrize("role", [*TABLES, *STARTERS])
def test_a_role_is_assumed_by_its_service_alone(neighbours: Neighbours, role: str) -> None:
    with pytest.raises(ClientError) as error:
        neighbours.twin.client("sts").assume_role(RoleArn=role_arn(neighbours, role), RoleSessionName="root")
    assert "sts:AssumeRole" in str(error.value)


def test_a_job_meets_the_same_limits_from_inside(neighbours: Neighbours) -> None:
    """The real door: the credentials that a training job finds in its container."""
    names, name = neighbours.names, f"{neighbours.mine.suffix}-inside"
    sagemaker = neighbours.twin.client("sagemaker")
    request = filled(training_job(name, **IN_VPC), names)
    neighbours.twin.client("s3").put_object(Bucket=names["datasets"], Key="datasets/inside.py", Body=FROM_INSIDE)
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["python3", "-c", FETCHED]
    request["Environment"] = {"DATASETS": names["datasets"], "MODELS": names["models"]}
    sagemaker.create_training_job(**request)
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    described = sagemaker.describe_training_job(TrainingJobName=name)
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")


FETCHED = """import boto3, os
exec(boto3.client("s3").get_object(Bucket=os.environ["DATASETS"], Key="datasets/inside.py")["Body"].read())"""

FROM_INSIDE = """
import boto3, os, sys
from botocore.exceptions import ClientError
s3, datasets, models = boto3.client("s3"), os.environ["DATASETS"], os.environ["MODELS"]
s3.get_object(Bucket=datasets, Key="datasets/x")
s3.put_object(Bucket=models, Key="output/inside", Body=b"1")
for call in (
    lambda: s3.put_object(Bucket=datasets, Key="datasets/x", Body=b"1"),
    lambda: s3.delete_object(Bucket=models, Key="output/inside"),
    lambda: boto3.client("iam").create_user(UserName="intruder"),
):
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"].startswith("AccessDenied"):
            continue
        sys.exit(str(error))
    sys.exit("a call was allowed")
"""

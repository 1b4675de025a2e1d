"""State machines that call AWS APIs: every service of the twin, as the machine's role."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.functional.twin.test_events import eventually

from trainworks.testing import TestTwin

ACCOUNT = "000000000000"
Run = Callable[..., dict[str, Any]]


def _trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def run(twin: TestTwin) -> Run:
    """Runs one task as a role that may do `actions`, and gives the finished execution.

    `service` is whom the role trusts when the execution starts.
    """
    iam, machines = twin.client("iam"), twin.client("stepfunctions")

    def execute(
        resource: str, parameters: dict[str, Any], *actions: str, service: str = "states.amazonaws.com"
    ) -> dict[str, Any]:
        name = f"m-{secrets.token_hex(4)}"
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_trust("states.amazonaws.com"))["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": [*actions, "kms:ListAliases"], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
        task = {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:{resource}", "Parameters": parameters}
        definition = json.dumps({"StartAt": "Call", "States": {"Call": {**task, "End": True}}})
        arn = machines.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=_trust(service))
        execution = machines.start_execution(stateMachineArn=arn)["executionArn"]
        found: dict[str, Any] = eventually(
            lambda: (it := machines.describe_execution(executionArn=execution))["status"] != "RUNNING" and it
        )
        return found

    return execute


def test_a_task_calls_a_service_of_ours(twin: TestTwin, run: Run) -> None:
    queues = json.loads(run("batch:describeJobQueues", {"JobQueues": []}, "batch:DescribeJobQueues")["output"])
    assert isinstance(queues["JobQueues"], list)
    jobs = run("sagemaker:listTrainingJobs", {"MaxResults": 1}, "sagemaker:ListTrainingJobs")
    assert jobs["status"] == "SUCCEEDED", jobs


def test_a_task_changes_a_security_group(twin: TestTwin, run: Run) -> None:
    ec2 = twin.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    (group,) = ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"]
    described = run("ec2:describeSecurityGroups", {"GroupIds": [group["GroupId"]]}, "ec2:DescribeSecurityGroups")
    (found,) = json.loads(described["output"])["SecurityGroups"]
    assert found["IpPermissionsEgress"]
    permissions = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    revoked = run(
        "ec2:revokeSecurityGroupEgress",
        {"GroupId": group["GroupId"], "IpPermissions": permissions},
        "ec2:RevokeSecurityGroupEgress",
    )
    assert revoked["status"] == "SUCCEEDED", revoked
    (after,) = ec2.describe_security_groups(GroupIds=[group["GroupId"]])["SecurityGroups"]
    assert after["IpPermissionsEgress"] == []


def test_a_task_may_do_what_the_machines_role_may(run: Run) -> None:
    denied = run("sagemaker:listTrainingJobs", {})
    assert (denied["status"], denied["error"]) == ("FAILED", "SageMaker.SageMakerException")
    assert "not authorized to perform: sagemaker:ListTrainingJobs" in denied["cause"]


def test_a_role_that_step_functions_may_not_assume_fails_the_task(run: Run) -> None:
    denied = run("sagemaker:listTrainingJobs", {}, "sagemaker:ListTrainingJobs", service="lambda.amazonaws.com")
    assert (denied["status"], denied["error"]) == ("FAILED", "States.Permissions")


def test_exceptions_of_the_service_keep_their_name(run: Run) -> None:
    missing = run("cloudwatchlogs:deleteLogGroup", {"LogGroupName": secrets.token_hex(8)}, "logs:DeleteLogGroup")
    assert missing["error"] == "CloudWatchLogs.ResourceNotFoundException"


def test_a_service_that_is_not_served_is_named(run: Run) -> None:
    with pytest.raises(ClientError, match="does not run arn:aws:states:::aws-sdk:glue:listJobs") as refused:
        run("glue:listJobs", {}, "glue:ListJobs")
    assert refused.value.response["Error"]["Code"] == "NotImplemented"

"""The shipped dev platform on a running twin: what its templates promise happens there."""

from __future__ import annotations

import ast
import base64
import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tests.patience import PATIENCE_SECONDS
from trainworks.testing import TestTwin

ACCOUNT, REGION = "000000000000", "us-east-1"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"


def eventually(look: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """The first truthy answer of `look`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"nothing came within {seconds} s")


def state_machine(twin: TestTwin, name: str, outputs: dict[str, str]) -> str:
    """The ARN of the environment's state machine whose logical id contains `name`."""
    cloudformation = twin.client("cloudformation")

    def resources(stack: str) -> list[dict[str, Any]]:
        return list(cloudformation.describe_stack_resources(StackName=stack)["StackResources"])

    nested = [
        each["PhysicalResourceId"]
        for each in resources(f"trainworks-{outputs['EnvironmentSuffix']}")
        if each["ResourceType"] == "AWS::CloudFormation::Stack"
    ]
    (found,) = [
        each["PhysicalResourceId"]
        for stack in nested
        for each in resources(stack)
        if each["ResourceType"] == "AWS::StepFunctions::StateMachine" and name in each["LogicalResourceId"]
    ]
    return str(found)


def test_every_output_has_a_value(outputs: dict[str, str]) -> None:
    assert all(outputs.values())
    config = json.loads(outputs["TrainingJobConfig"])
    assert config["VpcConfig"]["Subnets"] == outputs["PrivateSubnetIds"].split(",")
    assert config["OutputDataConfig"]["KmsKeyId"] == outputs["DataKeyArn"]


def test_the_notebooks_start_script_is_whole(twin: TestTwin, outputs: dict[str, str]) -> None:
    sagemaker = twin.client("sagemaker")
    notebook = sagemaker.describe_notebook_instance(NotebookInstanceName=outputs["NotebookInstanceName"])
    name = notebook["NotebookInstanceLifecycleConfigName"]
    config = sagemaker.describe_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=name)
    script = base64.b64decode(config["OnStart"][0]["Content"]).decode()
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    python = script.split("<<'SCRIPT'\n")[1].split("\nSCRIPT\n")[0]
    ast.parse(python)
    assert f'"{outputs["DatasetBucketName"]}", "notebook-idle/stop", "us-east-1", int("60")' in python


def test_retention_of_the_shared_log_group_is_set_and_never_shortened(twin: TestTwin, outputs: dict[str, str]) -> None:
    logs, machines = twin.client("logs"), twin.client("stepfunctions")
    group = outputs["TrainingLogGroupName"]
    arn = state_machine(twin, "Retention", outputs)

    def run() -> None:
        execution = machines.start_execution(stateMachineArn=arn)["executionArn"]
        found = eventually(
            lambda: (d := machines.describe_execution(executionArn=execution))["status"] != "RUNNING" and d
        )
        assert found["status"] == "SUCCEEDED", found

    def retention() -> int | None:
        (found,) = [
            each
            for each in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
            if each["logGroupName"] == group
        ]
        return found.get("retentionInDays")

    try:
        logs.create_log_group(logGroupName=group)
    except ClientError as error:  # a job of another test made it
        assert error.response["Error"]["Code"] == "ResourceAlreadyExistsException"
    logs.delete_retention_policy(logGroupName=group)
    run()
    assert retention() == 30
    logs.put_retention_policy(logGroupName=group, retentionInDays=365)
    run()
    assert retention() == 365
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    run()
    assert retention() == 30


def test_a_notebook_that_says_it_is_idle_is_stopped(twin: TestTwin, outputs: dict[str, str]) -> None:
    sagemaker, name = twin.client("sagemaker"), outputs["NotebookInstanceName"]

    def status() -> str:
        return str(sagemaker.describe_notebook_instance(NotebookInstanceName=name)["NotebookInstanceStatus"])

    sagemaker.start_notebook_instance(NotebookInstanceName=name)
    assert status() == "InService"
    twin.client("s3").put_object(Bucket=outputs["DatasetBucketName"], Key="notebook-idle/another", Body=b"")
    twin.client("s3").put_object(Bucket=outputs["DatasetBucketName"], Key="notebook-idle/stop", Body=b"")
    eventually(lambda: status() == "Stopped")
    arn = state_machine(twin, "IdleStop", outputs)
    executions = twin.client("stepfunctions").list_executions(stateMachineArn=arn)["executions"]
    assert [each["status"] for each in executions] == ["SUCCEEDED"]


def test_the_default_security_group_has_no_rules_and_gets_none(twin: TestTwin, outputs: dict[str, str]) -> None:
    """Closed by the deployment itself; a rule that somebody adds is taken off again, and nothing to do is no error."""
    ec2, machines = twin.client("ec2"), twin.client("stepfunctions")
    filters = [{"Name": "vpc-id", "Values": [outputs["VpcId"]]}, {"Name": "group-name", "Values": ["default"]}]

    def group() -> dict[str, Any]:
        (found,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        return dict(found)

    def is_closed() -> bool:
        found = group()
        return not found["IpPermissions"] and not found["IpPermissionsEgress"]

    eventually(is_closed)
    opened = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group()["GroupId"], IpPermissions=[opened])
    arn = state_machine(twin, "DefaultSecurityGroup", outputs)
    for _ in range(2):
        execution = machines.start_execution(stateMachineArn=arn)["executionArn"]
        ended = eventually(
            lambda run=execution: (d := machines.describe_execution(executionArn=run))["status"] != "RUNNING" and d
        )
        assert ended["status"] == "SUCCEEDED", ended
        assert is_closed()

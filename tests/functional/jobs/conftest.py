"""A small platform on the shared twin: what `jobs` needs of one, made by API calls, with the same outputs."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trainworks.config.environment import load_environment
from trainworks.jobs.platform import Platform
from trainworks.jobs.session import TwinConnection, session_of_twin
from trainworks.testing import TestTwin

ACCOUNT = "000000000000"


def role(iam: Any, name: str, service: str, statements: list[dict[str, Any]]) -> str:
    """Make a role for a service; its ARN."""
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy([trust]))
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(statements))
    return str(made["Role"]["Arn"])


def policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def network(twin: TestTwin) -> dict[str, list[str]]:
    """A VPC with one subnet and its default security group, as `VpcConfig` takes them."""
    ec2 = twin.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    group_id = ec2.create_security_group(GroupName=f"jobs-{vpc_id}", Description="jobs", VpcId=vpc_id)["GroupId"]
    return {"Subnets": [subnet_id], "SecurityGroupIds": [group_id]}


def batch_resources(twin: TestTwin, suffix: str, vpc: dict[str, list[str]], roles: dict[str, str]) -> dict[str, str]:
    """A compute environment, a queue and a definition by name."""
    batch = twin.client("batch")
    profile = twin.client("iam").create_instance_profile(InstanceProfileName=f"host-{suffix}")["InstanceProfile"]
    environment = batch.create_compute_environment(
        computeEnvironmentName=f"ce-{suffix}",
        type="MANAGED",
        computeResources={
            "type": "EC2",
            "maxvCpus": 8,
            "instanceTypes": ["m5.large"],
            "subnets": vpc["Subnets"],
            "securityGroupIds": vpc["SecurityGroupIds"],
            "instanceRole": profile["Arn"],
        },
    )["computeEnvironmentArn"]
    queue = batch.create_job_queue(
        jobQueueName=f"queue-{suffix}",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment}],
    )["jobQueueArn"]
    definition = batch.register_job_definition(
        jobDefinitionName=f"inference-{suffix}",
        type="container",
        containerProperties={
            "image": "python:3",
            "jobRoleArn": roles["job"],
            "executionRoleArn": roles["execution"],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "256"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": f"batch-{suffix}"}},
        },
    )["jobDefinitionArn"]
    return {"JobQueueArn": queue, "JobDefinitionArn": definition}


def deploy(twin: TestTwin, stack_name: str, outputs: dict[str, str]) -> None:
    """A stack that has the outputs, and no resource worth mentioning."""
    template = {
        "Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    cloudformation = twin.client("cloudformation")
    cloudformation.create_stack(StackName=stack_name, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack_name, WaiterConfig={"Delay": 1})


@pytest.fixture(scope="session")
def platform(twin: TestTwin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    suffix = f"j{secrets.token_hex(3)}"
    s3, iam = twin.client("s3"), twin.client("iam")
    data, models = f"data-{suffix}", f"models-{suffix}"
    for bucket in (data, models):
        s3.create_bucket(Bucket=bucket)
    repository = twin.client("ecr").create_repository(
        repositoryName=f"images-{suffix}", imageTagMutability="IMMUTABLE"
    )["repository"]
    twin.client("logs").create_log_group(logGroupName=f"batch-{suffix}")
    pull = allow(
        ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"],
        [repository["repositoryArn"]],
    )
    login = allow(["ecr:GetAuthorizationToken"], ["*"])
    objects = allow(["s3:GetObject", "s3:PutObject"], [f"arn:aws:s3:::{data}/*", f"arn:aws:s3:::{models}/*"])
    listing = allow(["s3:ListBucket"], [f"arn:aws:s3:::{data}", f"arn:aws:s3:::{models}"])
    logs = allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], ["*"])
    metrics = allow(["cloudwatch:PutMetricData"], ["*"])
    training = role(
        iam, f"training-{suffix}", "sagemaker.amazonaws.com", [pull, login, objects, listing, logs, metrics]
    )
    roles = {
        "job": role(iam, f"job-{suffix}", "ecs-tasks.amazonaws.com", [objects, listing]),
        "execution": role(iam, f"execution-{suffix}", "ecs-tasks.amazonaws.com", [pull, login, logs]),
    }
    vpc = network(twin)
    config = {
        "RoleArn": training,
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
        "VpcConfig": vpc,
        "CheckpointConfig": {"S3Uri": f"s3://{models}/checkpoints/"},
        "OutputDataConfig": {"S3OutputPath": f"s3://{models}/output"},
    }
    outputs = {
        "EnvironmentSuffix": suffix,
        "Region": "us-east-1",
        "DatasetBucketName": data,
        "ModelBucketName": models,
        "ECRRepositoryUri": repository["repositoryUri"],
        "BatchLogGroupName": f"batch-{suffix}",
        "TrainingLogGroupName": "/aws/sagemaker/TrainingJobs",
        "ResourceTags": "{}",
        "TrainingJobConfig": json.dumps(config),
        **batch_resources(twin, suffix, vpc, roles),
    }
    environment = load_environment(
        "local", tmp_path_factory.mktemp("environment"), environ={"ENVIRONMENT_SUFFIX": suffix}
    )
    deploy(twin, environment.stack_name, outputs)
    root = twin.home.credentials()
    connection = TwinConnection(twin.server.port, root.access_key_id, root.secret_access_key)
    yield Platform(environment, session_of_twin(connection))


@pytest.fixture
def script(tmp_path: Path) -> Any:
    """Write a script and return its path."""

    def write(code: str, name: str = "script.py") -> str:
        (tmp_path / name).write_text(code)
        return str(tmp_path / name)

    return write

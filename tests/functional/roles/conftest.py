"""Two environments side by side on one twin, and sessions of their roles."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.functional.deploy.platforms import ALLOWED, Recorder, clients_of
from trainworks.assembly import SynthRequest, synthesize
from trainworks.assembly.synthesizer import Synthesizer
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.deploy.deployer import up
from trainworks.deploy.deployment import deployment_of
from trainworks.testing import TestTwin

ACCOUNT, REGION = "000000000000", "us-east-1"
HASH_LENGTH = 8


@dataclass
class Environment:
    """A deployed platform: its outputs, and its resources by type and logical id without the hash."""

    twin: TestTwin
    outputs: Mapping[str, str]
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    _sessions: dict[str, boto3.Session] = field(default_factory=dict)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def suffix(self) -> str:
        return self.outputs["EnvironmentSuffix"]

    @property
    def roles(self) -> Mapping[str, str]:
        """Role names by logical id."""
        return self.resources["AWS::IAM::Role"]

    def session(self, role: str) -> boto3.Session:
        """A session of the role.

        Roles are for services alone. To sit where a job sits, its trust policy is made to let the account's root in
        for the moment of the call; nothing of its permissions changes.
        """
        if role not in self._sessions:
            iam, name = self.twin.client("iam"), self.roles[role]
            described = iam.get_role(RoleName=name)["Role"]
            root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
            opened = {"Version": "2012-10-17", "Statement": [root]}
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(opened))
            keys = self.twin.client("sts").assume_role(RoleArn=described["Arn"], RoleSessionName="test")["Credentials"]
            trusted = json.dumps(described["AssumeRolePolicyDocument"])
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=trusted)
            self._sessions[role] = self.twin.session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
        return self._sessions[role]

    def client(self, role: str, service: str) -> Any:
        """A boto3 client as the role."""
        if (role, service) not in self._clients:
            self._clients[role, service] = self.twin.client(service, self.session(role))
        return self._clients[role, service]

    @cached_property
    def names(self) -> Mapping[str, Any]:
        """What the tables' `{names}` stand for."""
        outputs = self.outputs
        role_arns = {name: f"arn:aws:iam::{ACCOUNT}:role/{role}" for name, role in self.roles.items()}
        encrypted = self.twin.client("kms").encrypt(KeyId=outputs["DataKeyArn"], Plaintext=b"1")
        values = {
            "suffix": self.suffix,
            "datasets": outputs["DatasetBucketName"],
            "models": outputs["ModelBucketName"],
            "access_logs": outputs["LogBucketName"],
            "repository": outputs["ECRRepositoryUri"].partition("/")[2],
            "key": outputs["DataKeyArn"],
            "ciphertext": encrypted["CiphertextBlob"],
            "training_role": outputs["TrainingRoleArn"],
            "training_role_name": self.roles["TrainingRole"],
            "notebook_role": role_arns["NotebookRole"],
            "notebook": outputs["NotebookInstanceName"],
            "notebook_arn": self.resources["AWS::SageMaker::NotebookInstance"]["Notebook"],
            "subnet": outputs["PrivateSubnetIds"].split(",")[0],
            "security_group": outputs["TrainingSecurityGroupId"],
            "queue": outputs["JobQueueArn"],
            "job_definition": outputs["JobDefinitionArn"],
            "batch_logs": outputs["BatchLogGroupName"],
            "job_arn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{self.suffix}",
        }
        (default_group,) = self.twin.client("ec2").describe_security_groups(
            Filters=[{"Name": "vpc-id", "Values": [outputs["VpcId"]]}, {"Name": "group-name", "Values": ["default"]}]
        )["SecurityGroups"]
        values["default_security_group"] = default_group["GroupId"]
        groups = self.resources.get("AWS::Logs::LogGroup", {})
        return {**values, "flow_logs": groups.get("FlowLogLogGroup", "")}


@dataclass(frozen=True)
class Neighbours:
    """`mine` is the one whose roles call; `other` is the one that they must not touch."""

    twin: TestTwin
    mine: Environment
    other: Environment

    @cached_property
    def names(self) -> Mapping[str, Any]:
        other = {f"other_{name}": value for name, value in self.other.names.items()}
        return {**self.mine.names, **other}


@pytest.fixture(scope="session")
def neighbours(twin: TestTwin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    """A staging and a dev platform: together they have every role that there is."""
    cache = tmp_path_factory.mktemp("assemblies")
    with Synthesizer() as synthesizer:
        made = []
        for profile in (ProfileName.STAGING, ProfileName.DEV):
            request = SynthRequest(f"r{secrets.token_hex(3)}", PROFILES[profile], ACCOUNT, REGION)
            assembly = synthesize(request, cache, synthesizer.synthesize)
            deployment = deployment_of(assembly, account_id=ACCOUNT, region=REGION)
            outputs = dict(up(deployment, clients_of(twin), Recorder().monitor, ALLOWED).outputs)
            made.append(Environment(twin, outputs, _resources(twin, request.stack_name)))
    pair = Neighbours(twin, *made)
    _prepare(pair)
    yield pair


def _resources(twin: TestTwin, stack: str) -> dict[str, dict[str, str]]:
    cloudformation, found = twin.client("cloudformation"), dict[str, dict[str, str]]()

    def look(name: str) -> None:
        for each in cloudformation.describe_stack_resources(StackName=name)["StackResources"]:
            if each["ResourceType"] == "AWS::CloudFormation::Stack":
                look(each["PhysicalResourceId"])
            else:
                logical_id = each["LogicalResourceId"]
                found.setdefault(each["ResourceType"], {})[logical_id[:-HASH_LENGTH]] = each["PhysicalResourceId"]

    look(stack)
    return found


def _prepare(pair: Neighbours) -> None:
    """Objects that can be read, running notebooks, and the log groups that SageMaker would have made."""
    s3, logs, sagemaker = (pair.twin.client(name) for name in ("s3", "logs", "sagemaker"))
    status = "NotebookInstanceStatus"
    for environment in (pair.mine, pair.other):
        names = environment.names
        for bucket, key in (("datasets", "datasets/x"), ("models", "output/x"), ("models", "code/x")):
            s3.put_object(Bucket=names[bucket], Key=key, Body=b"1")
        if sagemaker.describe_notebook_instance(NotebookInstanceName=names["notebook"])[status] != "InService":
            sagemaker.start_notebook_instance(NotebookInstanceName=names["notebook"])
    for group in ("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/NotebookInstances"):
        try:
            logs.create_log_group(logGroupName=group)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ResourceAlreadyExistsException"

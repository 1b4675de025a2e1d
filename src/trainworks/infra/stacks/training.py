"""What training jobs and the notebook run as and in. The jobs themselves are API calls, made by `trainworks.jobs`."""

from __future__ import annotations

from aws_cdk import NestedStack, Stack
from constructs import Construct

from trainworks.infra.constructs.execution_role import ExecutionRole
from trainworks.infra.constructs.notebook import IDLE_PREFIX, Notebook, NotebookPlacement
from trainworks.infra.constructs.policy import (
    Prefixes,
    Statement,
    allow,
    deny,
    framework_repository_arns,
    key_use,
    network_interfaces,
    repository_access,
)
from trainworks.infra.constructs.training_log_retention import TRAINING_LOG_GROUP
from trainworks.infra.constructs.workload_security_group import WorkloadSecurityGroup
from trainworks.infra.stacks.network import NetworkStack
from trainworks.infra.stacks.storage import StorageStack
from trainworks.spec.profile import EnvironmentProfile

SAGEMAKER = "sagemaker.amazonaws.com"


class TrainingStack(NestedStack):
    """Training role and security group; the notebook with its role where the profile has one."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: EnvironmentProfile,
        network: NetworkStack,
        storage: StorageStack,
        environment_suffix: str,
    ) -> None:
        super().__init__(scope, id)
        self._storage = storage
        self._job_prefix = f"{environment_suffix}-"
        self.subnet_ids = [subnet.subnet_id for subnet in network.isolated_subnets]
        self.security_group_id = WorkloadSecurityGroup(
            self,
            "TrainingSecurityGroup",
            vpc=network.vpc,
            description="Training jobs",
            between_members=True,
        ).security_group_id
        self.training_role_arn = ExecutionRole(
            self, "TrainingRole", service=SAGEMAKER, statements=self._training_statements()
        ).role_arn
        self.notebook: Notebook | None = None
        self.notebook_role_arn: str | None = None
        if profile.notebook:
            group_id = WorkloadSecurityGroup(
                self, "NotebookSecurityGroup", vpc=network.vpc, description="Notebook instance"
            ).security_group_id
            subnet_id = network.notebook_subnets[0].subnet_id
            self.notebook_role_arn = ExecutionRole(
                self, "NotebookRole", service=SAGEMAKER, statements=self._notebook_statements(subnet_id, group_id)
            ).role_arn
            self.notebook = Notebook(
                self,
                "Notebook",
                profile=profile.notebook,
                placement=NotebookPlacement(
                    subnet_id=subnet_id,
                    security_group_id=group_id,
                    role_arn=self.notebook_role_arn,
                    kms_key_id=storage.operations_key.key_arn,
                    signal_bucket_name=storage.dataset_bucket.bucket_name,
                ),
            )

    def _arn(self, service: str) -> str:
        stack = Stack.of(self)
        return f"arn:{stack.partition}:{service}:{stack.region}:{stack.account}"

    def _training_statements(self) -> list[Statement]:
        storage = self._storage
        log_group = f"{self._arn('logs')}:log-group:{TRAINING_LOG_GROUP}"
        return [
            *Prefixes(storage.dataset_bucket.bucket_arn, read=("datasets/",)).statements("Datasets"),
            *Prefixes(
                storage.model_bucket.bucket_arn,
                read=("output/", "checkpoints/", "code/"),
                write=("output/", "checkpoints/"),
            ).statements("Models"),
            *repository_access(
                [
                    storage.repository.repository_arn,
                    *framework_repository_arns(self.partition, Stack.of(self).region),
                ]
            ),
            allow(
                "Logs",
                ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                [f"{log_group}*"],
            ),
            allow(
                "Metrics",
                ["cloudwatch:PutMetricData"],
                ["*"],
                {"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"}},
            ),
            *key_use(storage.data_key.key_arn, grants=True),
            *network_interfaces(self._arn("ec2"), self.subnet_ids, self.security_group_id),
        ]

    def _notebook_statements(self, subnet_id: str, security_group_id: str) -> list[Statement]:
        """Starts training jobs in the VPC as the training role, the only one it may pass, and only to SageMaker.

        Its jobs are named `<environment suffix>-...`, so that it cannot stop those of another environment.
        """
        storage, sagemaker = self._storage, self._arn("sagemaker")
        training_jobs = f"{sagemaker}:training-job/{self._job_prefix}*"
        return [
            allow(
                "TrainingJobs",
                ["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob"],
                [training_jobs],
            ),
            allow("TrainingJobTags", ["sagemaker:AddTags"], [training_jobs]),
            deny(
                "TrainingOutsideTheVpc",
                ["sagemaker:CreateTrainingJob"],
                [training_jobs],
                {"Null": {"sagemaker:VpcSubnets": "true"}},
            ),
            allow(
                "PassTrainingRole",
                ["iam:PassRole"],
                [self.training_role_arn],
                {"StringEquals": {"iam:PassedToService": SAGEMAKER}},
            ),
            *Prefixes(
                storage.dataset_bucket.bucket_arn, read=("datasets/",), write=("datasets/", IDLE_PREFIX)
            ).statements("Datasets"),
            *Prefixes(
                storage.model_bucket.bucket_arn,
                read=("output/", "checkpoints/", "code/", "predictions/"),
                write=("code/",),
            ).statements("Models"),
            *repository_access([storage.repository.repository_arn], push=True),
            allow(
                "Logs",
                ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                [f"{self._arn('logs')}:log-group:/aws/sagemaker/NotebookInstances*"],
            ),
            allow(
                "TrainingLogs",
                ["logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents"],
                [f"{self._arn('logs')}:log-group:{TRAINING_LOG_GROUP}*"],
            ),
            *key_use(storage.data_key.key_arn, grants=True),
            *network_interfaces(self._arn("ec2"), [subnet_id], security_group_id),
        ]

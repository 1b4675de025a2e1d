"""The role of the notebook instance."""

from __future__ import annotations

from aws_cdk import Stack
from constructs import Construct

from trainworks.infra.constructs.execution_role import ExecutionRole
from trainworks.infra.constructs.notebook import IDLE_PREFIX
from trainworks.infra.constructs.policy import (
    Prefixes,
    Statement,
    allow,
    deny,
    key_use,
    network_interfaces,
    repository_access,
)
from trainworks.infra.constructs.training_access import TrainingAccess
from trainworks.infra.constructs.training_role import SAGEMAKER, DataStores


class NotebookRole(ExecutionRole):
    """Starts training jobs in the VPC as the training role, the only one it may pass, and only to SageMaker.

    Its jobs are named `<environment suffix>-...`, so that it cannot stop those of another environment.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        stores: DataStores,
        access: TrainingAccess,
        subnet_id: str,
        security_group_id: str,
    ) -> None:
        stack = Stack.of(scope)
        interfaces = network_interfaces(_arn(stack, "ec2"), [subnet_id], security_group_id)
        super().__init__(scope, id, service=SAGEMAKER, statements=[*_statements(stack, stores, access), *interfaces])


def _statements(stack: Stack, stores: DataStores, access: TrainingAccess) -> list[Statement]:
    return [
        *access.submit(),
        # Beside the condition of what is allowed: a policy that somebody adds to the role cannot lift it.
        deny(
            "TrainingOutsideTheVpc",
            ["sagemaker:CreateTrainingJob"],
            [access.jobs_arn],
            {"Null": {"sagemaker:VpcSubnets": "true"}},
        ),
        *Prefixes(stores.dataset_bucket.bucket_arn, read=("datasets/",), write=("datasets/", IDLE_PREFIX)).statements(
            "Datasets"
        ),
        *Prefixes(
            stores.model_bucket.bucket_arn,
            read=("output/", "checkpoints/", "code/", "predictions/"),
            write=("code/",),
        ).statements("Models"),
        *repository_access([stores.repository.repository_arn], push=True),
        allow(
            "Logs",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            [f"{_arn(stack, 'logs')}:log-group:/aws/sagemaker/NotebookInstances*"],
        ),
        *access.read_logs(),
        *key_use(stores.data_key.key_arn, grants=True),
    ]


def _arn(stack: Stack, service: str) -> str:
    return f"arn:{stack.partition}:{service}:{stack.region}:{stack.account}"

"""The role that training jobs run as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from trainworks.infra.constructs.execution_role import ExecutionRole
from trainworks.infra.constructs.policy import (
    Prefixes,
    Statement,
    allow,
    framework_repository_arns,
    key_use,
    network_interfaces,
    repository_access,
)
from trainworks.infra.constructs.training_log_retention import TRAINING_LOG_GROUP

SAGEMAKER = "sagemaker.amazonaws.com"


@dataclass(frozen=True, slots=True)
class DataStores:
    """Where jobs find their data and put their models. Prefixes are those of `trainworks.jobs`."""

    dataset_bucket: s3.IBucket
    model_bucket: s3.IBucket
    repository: ecr.IRepository
    data_key: kms.IKey


class TrainingRole(ExecutionRole):
    """What SageMaker needs to run a job in the subnets `subnet_ids` behind `security_group_id`, and nothing else.

    Reads `datasets/` and `code/`, reads and writes `output/` and `checkpoints/`, pulls the platform's image or one of
    AWS's framework images, writes the jobs' log and metrics, and puts network interfaces into those subnets.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        stores: DataStores,
        subnet_ids: Sequence[str],
        security_group_id: str,
    ) -> None:
        stack = Stack.of(scope)
        interfaces = network_interfaces(_arn(stack, "ec2"), subnet_ids, security_group_id)
        super().__init__(scope, id, service=SAGEMAKER, statements=[*_statements(stack, stores), *interfaces])


def _statements(stack: Stack, stores: DataStores) -> list[Statement]:
    return [
        *Prefixes(stores.dataset_bucket.bucket_arn, read=("datasets/",)).statements("Datasets"),
        *Prefixes(
            stores.model_bucket.bucket_arn,
            read=("output/", "checkpoints/", "code/"),
            write=("output/", "checkpoints/"),
        ).statements("Models"),
        *repository_access(
            [stores.repository.repository_arn, *framework_repository_arns(stack.partition, stack.region)]
        ),
        allow(
            "Logs",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            [f"{_arn(stack, 'logs')}:log-group:{TRAINING_LOG_GROUP}*"],
        ),
        allow(
            "Metrics",
            ["cloudwatch:PutMetricData"],
            ["*"],
            {"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"}},
        ),
        *key_use(stores.data_key.key_arn, grants=True),
    ]


def _arn(stack: Stack, service: str) -> str:
    return f"arn:{stack.partition}:{service}:{stack.region}:{stack.account}"

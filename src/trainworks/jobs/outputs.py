"""What jobs need to know of a platform: the outputs of its root stack, typed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from trainworks.errors import NotDeployedError, RequestError
from trainworks.jobs.faults import message_of

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

    from trainworks.config.environment import Environment


@dataclass(frozen=True, slots=True)
class PlatformOutputs:
    """Outputs of the root stack. `training_job_config` is the fixed part of a `CreateTrainingJob` request.

    `job_queue_arn`, `job_definition_arn` and `batch_log_group` are empty if the profile leaves batch inference out.
    """

    region: str
    environment_suffix: str
    dataset_bucket: str
    model_bucket: str
    ecr_repository_uri: str
    job_queue_arn: str
    job_definition_arn: str
    batch_log_group: str
    training_log_group: str
    training_job_config: Mapping[str, Any]
    resource_tags: Mapping[str, str]
    """What jobs are tagged with, so that their cost is counted as the platform's."""

    @property
    def has_batch(self) -> bool:
        """Whether the platform has batch inference."""
        return bool(self.job_queue_arn)

    def require_batch(self) -> None:
        """Raises `RequestError` if the platform has no batch inference."""
        if not self.has_batch:
            raise RequestError(
                f"the platform {self.environment_suffix} has no batch inference: its profile leaves it out",
                fix="remove batch = false from trainworks.toml, then: trainworks up",
            )

    @property
    def ecr_repository(self) -> str:
        """The repository's name, without its registry."""
        return self.ecr_repository_uri.partition("/")[2]


_KEYS = {
    "region": "Region",
    "environment_suffix": "EnvironmentSuffix",
    "dataset_bucket": "DatasetBucketName",
    "model_bucket": "ModelBucketName",
    "ecr_repository_uri": "ECRRepositoryUri",
    "training_log_group": "TrainingLogGroupName",
}
_BATCH_KEYS = {
    "job_queue_arn": "JobQueueArn",
    "job_definition_arn": "JobDefinitionArn",
    "batch_log_group": "BatchLogGroupName",
}
_DOCUMENTS = ("TrainingJobConfig", "ResourceTags")


def discover(cloudformation: CloudFormationClient, environment: Environment) -> PlatformOutputs:
    """Read the outputs of an environment's root stack. Raises `NotDeployedError`."""
    up = f"trainworks up --env {environment.name}"
    try:
        stacks = cloudformation.describe_stacks(StackName=environment.stack_name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in message_of(error):
            raise
        raise NotDeployedError(
            f"the platform is not deployed in environment {environment.name!r}: no stack {environment.stack_name}",
            fix=up,
        ) from error
    values = {each["OutputKey"]: each["OutputValue"] for each in stacks[0].get("Outputs", [])}
    return parse(values, environment.stack_name, stacks[0]["StackStatus"], up)


def parse(values: Mapping[str, str], stack_name: str, stack_status: str, fix: str) -> PlatformOutputs:
    """Outputs by key as a record. Raises `NotDeployedError` naming what is missing and the stack's status."""
    expected = {*_KEYS.values(), *_DOCUMENTS}
    if not set(_BATCH_KEYS.values()).isdisjoint(values):
        expected |= set(_BATCH_KEYS.values())
    missing = sorted(expected - set(values))
    if missing:
        raise NotDeployedError(
            f"stack {stack_name} ({stack_status}) has no output {', '.join(missing)}: "
            "its deployment did not complete, or another version of trainworks made it",
            fix=fix,
        )
    return PlatformOutputs(
        **{field: values[key] for field, key in _KEYS.items()},
        **{field: values.get(key, "") for field, key in _BATCH_KEYS.items()},
        training_job_config=_document(values, "TrainingJobConfig", stack_name, fix),
        resource_tags=_document(values, "ResourceTags", stack_name, fix),
    )


def _document(values: Mapping[str, str], key: str, stack_name: str, fix: str) -> Mapping[str, Any]:
    try:
        document: Mapping[str, Any] = json.loads(values[key])
    except ValueError as error:
        raise NotDeployedError(f"stack {stack_name}: output {key} is not JSON: {error}", fix=fix) from error
    return document

"""The outputs of a root stack as a record."""

from __future__ import annotations

import pytest

from trainworks.errors import NotDeployedError, RequestError
from trainworks.jobs.outputs import parse

VALUES = {
    "Region": "us-east-1",
    "EnvironmentSuffix": "dev",
    "DatasetBucketName": "datasets",
    "ModelBucketName": "models",
    "ECRRepositoryUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/images",
    "TrainingLogGroupName": "/aws/sagemaker/TrainingJobs",
    "TrainingJobConfig": "{}",
    "ResourceTags": "{}",
}
BATCH = {"JobQueueArn": "queue", "JobDefinitionArn": "definition", "BatchLogGroupName": "group"}


def test_a_platform_with_batch_inference() -> None:
    outputs = parse({**VALUES, **BATCH}, "trainworks-dev", "CREATE_COMPLETE", "up")
    outputs.require_batch()
    assert (outputs.job_queue_arn, outputs.ecr_repository) == ("queue", "images")


def test_a_platform_without_says_so_when_it_is_asked() -> None:
    outputs = parse(VALUES, "trainworks-dev", "CREATE_COMPLETE", "up")
    assert not outputs.has_batch
    with pytest.raises(RequestError, match="the platform dev has no batch inference"):
        outputs.require_batch()


@pytest.mark.parametrize("key", [*VALUES, *BATCH])
def test_what_is_missing_is_named(key: str) -> None:
    values = {name: value for name, value in {**VALUES, **BATCH}.items() if name != key}
    with pytest.raises(NotDeployedError, match=f"has no output {key}: its deployment did not complete"):
        parse(values, "trainworks-dev", "CREATE_COMPLETE", "up")

"""Faults of what holds data: buckets, keys, the image repository."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.snapshot.platform import Resource, Stacks

HOLD_DATA = ("AWS::S3::Bucket", "AWS::ECR::Repository", "AWS::KMS::Key")

CREATE_ONLY_NAMES = {
    "AWS::Batch::ComputeEnvironment": "ComputeEnvironmentName",
    "AWS::Batch::JobDefinition": "JobDefinitionName",
    "AWS::Batch::JobQueue": "JobQueueName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::EC2::LaunchTemplate": "LaunchTemplateName",
    "AWS::EC2::SecurityGroup": "GroupName",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SageMaker::NotebookInstance": "NotebookInstanceName",
    "AWS::SageMaker::NotebookInstanceLifecycleConfig": "NotebookInstanceLifecycleConfigName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
"""The property that names a resource, where a change of it, or of anything that replaces the resource, would have to
make a second one of the same name."""


def data_that_goes_with_the_stack(platform: Stacks) -> Iterator[str]:
    for type_ in HOLD_DATA:
        for resource in platform.resources(type_):
            if resource.body.get("DeletionPolicy") != "Retain":
                yield f"{resource.logical_id} is deleted with the stack"
    for emptier in platform.resources("Custom::S3AutoDeleteObjects"):
        yield f"{emptier.logical_id} empties a bucket"
    if not platform.assembly.termination_protection:
        yield "the stack has no termination protection"


def artefacts_that_cannot_be_read(platform: Stacks) -> Iterator[str]:
    for bucket in platform.resources("AWS::S3::Bucket"):
        for rule in bucket.properties.get("LifecycleConfiguration", {}).get("Rules", []):
            for transition in rule.get("Transitions", []):
                if transition["StorageClass"] in {"GLACIER", "DEEP_ARCHIVE"}:
                    yield f"{bucket.logical_id} archives to {transition['StorageClass']}, which CreateModel cannot read"


def versions_and_parts_that_stay(platform: Stacks) -> Iterator[str]:
    for bucket in platform.resources("AWS::S3::Bucket"):
        rules = bucket.properties.get("LifecycleConfiguration", {}).get("Rules", [])
        active = {key for rule in rules if rule["Status"] == "Enabled" for key in rule}
        if not active & {"NoncurrentVersionExpiration", "NoncurrentVersionExpirationInDays"}:
            yield f"{bucket.logical_id} keeps old versions for ever"
        if "AbortIncompleteMultipartUpload" not in active:
            yield f"{bucket.logical_id} keeps incomplete uploads for ever"


def unprotected_buckets(platform: Stacks) -> Iterator[str]:
    log_buckets = {
        target
        for bucket in platform.resources("AWS::S3::Bucket")
        if (target := platform.properties(bucket).get("LoggingConfiguration", {}).get("DestinationBucketName"))
    }
    for bucket in platform.resources("AWS::S3::Bucket"):
        if not _denies_plain_http(platform, bucket):
            yield f"{bucket.logical_id} takes requests without TLS"
        if bucket.arn() in log_buckets:
            continue  # S3 delivers access logs neither to a bucket under a customer's key nor about itself
        (encryption,) = platform.properties(bucket)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        if "KMSMasterKeyID" not in encryption["ServerSideEncryptionByDefault"]:
            yield f"{bucket.logical_id} is not under a key of the platform"
        if "LoggingConfiguration" not in bucket.properties:
            yield f"{bucket.logical_id} has no access log"


def _denies_plain_http(platform: Stacks, bucket: Resource) -> bool:
    statements: list[dict[str, Any]] = [
        statement
        for policy in platform.resources("AWS::S3::BucketPolicy")
        if (properties := platform.properties(policy))["Bucket"] == bucket.arn()
        for statement in properties["PolicyDocument"]["Statement"]
    ]
    return any(
        each["Effect"] == "Deny" and each.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for each in statements
    )


def images_that_block_or_move(platform: Stacks) -> Iterator[str]:
    for repository in platform.resources("AWS::ECR::Repository"):
        if repository.body.get("DeletionPolicy") != "Retain" and not repository.properties.get("EmptyOnDelete"):
            yield f"{repository.logical_id} cannot be deleted once it has an image"
        if repository.properties.get("ImageTagMutability") != "IMMUTABLE":
            yield f"{repository.logical_id} lets a tag move to another image"
    for definition in platform.resources("AWS::Batch::JobDefinition"):
        if str(platform.properties(definition)["ContainerProperties"]["Image"]).endswith(":latest"):
            yield f"{definition.logical_id} runs the tag latest"


def names_that_block_replacement(platform: Stacks) -> Iterator[str]:
    for resource in platform.resources():
        if (name := CREATE_ONLY_NAMES.get(resource.type)) and name in resource.properties:
            yield f"{resource.logical_id} has a {name}"


def buckets_named_without_region(platform: Stacks) -> Iterator[str]:
    for bucket in platform.resources("AWS::S3::Bucket"):
        name = platform.properties(bucket).get("BucketName")
        if name is not None and not re.search(r"AWS::Region|[a-z]{2}-[a-z]+-\d", json.dumps(name)):
            yield f"{bucket.logical_id} is called {name} in every region"

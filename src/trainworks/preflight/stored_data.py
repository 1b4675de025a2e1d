"""Places in S3 that a resource names and its role must read or write: captured data, results, models, records.

Source: the developer guides of SageMaker ("Capture data", "Asynchronous inference", "Offline store", "MLflow tracking
server", the roles page's CreateModel permissions) and of Data Firehose ("Grant Firehose access to an Amazon S3
destination").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trainworks.assembly.graph import Graph, Resource
from trainworks.preflight.job_data import may_reach
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.s3_uris import S3Location, location_of
from trainworks.preflight.workloads import workloads_of
from trainworks.preflight.workloads.values import flag, table, text

GET, PUT = "s3:GetObject", "s3:PutObject"
_OF_ENDPOINTS: tuple[tuple[str, ...], ...] = (
    ("DataCaptureConfig", "DestinationS3Uri"),
    ("AsyncInferenceConfig", "OutputConfig", "S3OutputPath"),
    ("AsyncInferenceConfig", "OutputConfig", "S3FailurePath"),
)
_BY_URI: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("AWS::SageMaker::FeatureGroup", ("OfflineStoreConfig", "S3StorageConfig", "S3Uri"), ("RoleArn",)),
    ("AWS::SageMaker::MlflowTrackingServer", ("ArtifactStoreUri",), ("RoleArn",)),
)
_FIREHOSE = ("S3DestinationConfiguration", "ExtendedS3DestinationConfiguration")


@dataclass(frozen=True, slots=True)
class Unreachable:
    """`role` lacks `action` on `where`, an S3 URI that `at` names in the property `path`."""

    role: Resource
    at: Resource
    path: str
    action: str
    where: str


def unreachable_places(graph: Graph) -> Iterator[Unreachable]:
    """Every place that a role of the templates certainly may not use as the resource has it use it."""
    for role_arn, at, path, action, location in _named(graph):
        role = permissions_of(graph).role(role_arn)
        if role is not None and location is not None and not may_reach(graph, role, action, location):
            yield Unreachable(role, at, path, action, f"s3://{location.bucket}/{location.prefix}")


_Named = tuple[object, Resource, str, str, S3Location | None]


def _named(graph: Graph) -> Iterator[_Named]:
    yield from _endpoints(graph)
    for model in workloads_of(graph).models:
        for uri in model.artefact_s3_uris:
            if model.resource is not None:
                yield model.role_arn, model.resource, "ModelDataUrl", GET, location_of(uri)
    for type_name, path, role in _BY_URI:
        for resource in graph.of_type(type_name):
            yield resource.get(*role), resource, ".".join(path), PUT, location_of(text(resource.get(*path)))
    for stream in graph.of_type("AWS::KinesisFirehose::DeliveryStream"):
        for name in _FIREHOSE:
            target = table(stream.get(name))
            bucket = text(target.get("BucketARN")).rpartition(":")[2]
            if bucket and "!{" not in text(target.get("Prefix")):
                location = S3Location(bucket, text(target.get("Prefix")))
                yield target.get("RoleARN"), stream, f"{name}.BucketARN", PUT, location


def _endpoints(graph: Graph) -> Iterator[_Named]:
    """What an endpoint writes, it writes as the role of each of its models."""
    for config in workloads_of(graph).endpoint_configs:
        roles = dict.fromkeys(variant.model.role_arn for variant in config.variants if variant.model)
        for path in _OF_ENDPOINTS:
            location = location_of(text(config.resource.get(*path)))
            if path[0] == "DataCaptureConfig" and flag(config.resource.get(path[0], "EnableCapture")) is False:
                continue
            for role in roles:
                yield role, config.resource, ".".join(path), PUT, location

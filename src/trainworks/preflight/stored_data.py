"""Places in S3 that a resource names and its role must read or write: captured data, results, models, records.

Source: the developer guides of SageMaker ("Capture data", "Asynchronous inference", "Offline store", "MLflow tracking
server", "Monitor models", the roles page's CreateModel permissions) and those of `delivered_data` and `built_data`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trainworks.assembly.graph import Graph, Resource
from trainworks.preflight.built_data import places_of_builds
from trainworks.preflight.delivered_data import places_of_streams
from trainworks.preflight.job_data import may_reach
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.s3_uris import GET, PUT, S3Location, S3UriUse, location_of
from trainworks.preflight.workloads import transforms_of, workloads_of
from trainworks.preflight.workloads.values import flag, text, values_at

_OF_ENDPOINTS: tuple[tuple[str, ...], ...] = (
    ("DataCaptureConfig", "DestinationS3Uri"),
    ("AsyncInferenceConfig", "OutputConfig", "S3OutputPath"),
    ("AsyncInferenceConfig", "OutputConfig", "S3FailurePath"),
)
_SCHEDULED = "MonitoringScheduleConfig.MonitoringJobDefinition."
_MONITORS = ("DataQuality", "ModelQuality", "ModelBias", "ModelExplainability")
_BASELINES = ("ConstraintsResource", "StatisticsResource")
_BY_URI: tuple[tuple[str, str, str, str], ...] = (
    ("AWS::SageMaker::FeatureGroup", "OfflineStoreConfig.S3StorageConfig.S3Uri", "RoleArn", PUT),
    ("AWS::SageMaker::MlflowTrackingServer", "ArtifactStoreUri", "RoleArn", PUT),
    (
        "AWS::SageMaker::MonitoringSchedule",
        f"{_SCHEDULED}MonitoringOutputConfig.MonitoringOutputs.*.S3Output.S3Uri",
        f"{_SCHEDULED}RoleArn",
        PUT,
    ),
    *(
        ("AWS::SageMaker::MonitoringSchedule", f"{_SCHEDULED}BaselineConfig.{name}.S3Uri", f"{_SCHEDULED}RoleArn", GET)
        for name in _BASELINES
    ),
    *(
        row
        for kind in _MONITORS
        for row in (
            (
                f"AWS::SageMaker::{kind}JobDefinition",
                f"{kind}JobOutputConfig.MonitoringOutputs.*.S3Output.S3Uri",
                "RoleArn",
                PUT,
            ),
            (
                f"AWS::SageMaker::{kind}JobDefinition",
                f"{kind}JobInput.GroundTruthS3Input.MonitoringGroundTruthS3Uri",
                "RoleArn",
                GET,
            ),
            *(
                (
                    f"AWS::SageMaker::{kind}JobDefinition",
                    f"{kind}BaselineConfig.{name}.S3Uri",
                    "RoleArn",
                    GET,
                )
                for name in _BASELINES
            ),
        )
    ),
)
"""Type, property with the URI, property with the role, what the role does there."""


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
    for place in _named(graph):
        role = permissions_of(graph).role(place.role_arn)
        if role is not None and place.location is not None and not may_reach(graph, role, place.action, place.location):
            where = f"s3://{place.location.bucket}/{place.location.prefix}"
            yield Unreachable(role, place.at, place.path, place.action, where)


def _named(graph: Graph) -> Iterator[S3UriUse]:
    yield from _endpoints(graph)
    yield from _models(graph)
    yield from _transforms(graph)
    for type_name, path, role, action in _BY_URI:
        for resource in graph.of_type(type_name):
            role_arn = resource.get(*role.split("."))
            for uri in values_at(resource.properties, path):
                yield S3UriUse(role_arn, resource, path, action, _location(uri))
    yield from places_of_streams(graph)
    yield from places_of_builds(graph)


def _location(uri: object) -> S3Location | None:
    return location_of(text(uri))


def _models(graph: Graph) -> Iterator[S3UriUse]:
    for model in workloads_of(graph).models:
        for uri in model.artefact_s3_uris:
            if model.resource is not None:
                yield S3UriUse(model.role_arn, model.resource, "ModelDataUrl", GET, location_of(uri))


def _endpoints(graph: Graph) -> Iterator[S3UriUse]:
    """What an endpoint writes, it writes as the role of each of its models."""
    for config in workloads_of(graph).endpoint_configs:
        roles = dict.fromkeys(variant.model.role_arn for variant in config.variants if variant.model)
        for path in _OF_ENDPOINTS:
            location = _location(config.resource.get(*path))
            if path[0] == "DataCaptureConfig" and flag(config.resource.get(path[0], "EnableCapture")) is False:
                continue
            for role in roles:
                yield S3UriUse(role, config.resource, ".".join(path), PUT, location)


def _transforms(graph: Graph) -> Iterator[S3UriUse]:
    """A transform job reads and writes as the role of its model."""
    roles = {model.resource: model.role_arn for model in workloads_of(graph).models}
    for request, at in transforms_of(graph):
        role = roles.get(graph.owner(request.get("ModelName")))
        for uri in values_at(request, "TransformInput.DataSource.S3DataSource.S3Uri"):
            yield S3UriUse(role, at, "TransformInput", GET, _location(uri))
        for uri in values_at(request, "TransformOutput.S3OutputPath"):
            yield S3UriUse(role, at, "TransformOutput", PUT, _location(uri))

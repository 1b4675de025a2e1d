"""Models: one container each, its image, artefact, variables and role. After "CreateModel" (SageMaker API reference).

CreateModel checks that the artefact can be read, as the role that will read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.twin.ports import ApiError, Caller, ControlPlane, ImageResolver, ObjectStore
from trainworks.twin.services.sagemaker.image_check import check_image
from trainworks.twin.services.sagemaker.kinds import Kind, resource_arn
from trainworks.twin.services.sagemaker.refusals import invalid
from trainworks.twin.services.sagemaker.role_sessions import SERVICE_PRINCIPAL, assume_role
from trainworks.twin.services.sagemaker.s3_uris import split_s3_uri
from trainworks.twin.services.sagemaker.vpc_config import check_vpc
from trainworks.twin.wire import Call

_CONTAINER_MEMBERS = (
    "AdditionalModelDataSources",
    "ContainerMetricsConfig",
    "ImageConfig",
    "InferenceSpecificationName",
    "ModelDataSource.S3DataSource.ETag",
    "ModelDataSource.S3DataSource.HubAccessConfig",
    "ModelDataSource.S3DataSource.ManifestEtag",
    "ModelDataSource.S3DataSource.ManifestS3Uri",
    "ModelDataSource.S3DataSource.ModelAccessConfig",
    "ModelPackageName",
    "MultiModelConfig",
)
REFUSED_MEMBERS = (
    "InferenceExecutionConfig",
    *(f"{holder}.{member}" for holder in ("PrimaryContainer", "Containers") for member in _CONTAINER_MEMBERS),
)
"""Members that are refused whatever they hold."""

_SESSION_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Artefact:
    """A model's files in S3: an object that is an archive (`is_archive`), an object, or all below a prefix."""

    bucket: str
    key: str
    is_archive: bool
    is_prefix: bool

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def container_of(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one container of a model."""
    containers: list[Mapping[str, Any]] = model.get("Containers", [])
    return containers[0] if containers else model["PrimaryContainer"]


def artefact_of(container: Mapping[str, Any]) -> Artefact | None:
    """Where a container's files are; None if it brings none."""
    if "ModelDataUrl" in container:
        bucket, key = split_s3_uri(container["ModelDataUrl"])
        return Artefact(bucket, key, is_archive=True, is_prefix=False)
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source is None:
        return None
    bucket, key = split_s3_uri(source["S3Uri"])
    is_archive = source["CompressionType"] == "Gzip"
    return Artefact(bucket, key, is_archive=is_archive, is_prefix=source["S3DataType"] == "S3Prefix")


@dataclass(frozen=True, slots=True)
class ModelChecks:
    """What CreateModel checks beyond the shapes, asking other parts of the twin."""

    images: ImageResolver
    objects: ObjectStore

    def __call__(self, call: Call, control_plane: ControlPlane) -> None:
        """Raise `ApiError('ValidationException')` for a model that SageMaker, or the twin, would refuse."""
        params = call.params
        container = _only_container(params)
        _check_container(container)
        if "ExecutionRoleArn" not in params:
            raise invalid("ExecutionRoleArn is required: the model's artefact and its logs are read and written as it.")
        check_vpc(params.get("VpcConfig"), control_plane)
        arn = resource_arn(call.caller, "model", params["ModelName"])
        session = assume_role(control_plane, params["ExecutionRoleArn"], _SESSION_SECONDS, arn)
        try:
            check_image(self.images, container["Image"], session.caller)
            artefact = artefact_of(container)
            if artefact is not None:
                self._check_artefact(artefact, params["ExecutionRoleArn"], session.caller)
        finally:
            control_plane.end_session(session.access_key_id)

    def _check_artefact(self, artefact: Artefact, role_arn: str, role: Caller) -> None:
        try:
            if artefact.is_prefix:
                found = next(iter(self.objects.list_objects(artefact.bucket, artefact.key, role)), None)
                if found is None:
                    raise invalid(f"Could not find model data at {artefact.uri}.")
            else:
                self.objects.get_object(artefact.bucket, artefact.key, role)
        except ApiError as error:
            if error.code in ("NoSuchKey", "NoSuchBucket"):
                raise invalid(f"Could not find model data at {artefact.uri}.") from error
            if not error.code.startswith("AccessDenied"):
                raise
            right = "s3:ListBucket" if artefact.is_prefix else "s3:GetObject"
            raise invalid(
                f'Could not access model data at {artefact.uri}. Please ensure that the role "{role_arn}" exists and '
                'that its trust relationship policy allows the action "sts:AssumeRole" for the service principal '
                f'"{SERVICE_PRINCIPAL}". Also ensure that the role has "{right}" permissions and that the object is '
                f"located in {role.region}. {error.message}"
            ) from error


def model_kind(checks: ModelChecks) -> Kind:
    """Models as a kind of resource."""
    return Kind(
        "Model",
        "model",
        "One container of one model; several containers, multi-model and model packages are refused by name. VpcConfig "
        "is checked and recorded.",
        is_executed=True,
        role="ExecutionRoleArn",
        defaults={"EnableNetworkIsolation": False},
        check=checks,
        refused_members=REFUSED_MEMBERS,
        exists=lambda arn: invalid(f'Cannot create already existing model "{arn}".'),
        unknown=lambda arn: invalid(f'Could not find model "{arn}".'),
    )


def _only_container(params: Mapping[str, Any]) -> Mapping[str, Any]:
    containers = params.get("Containers", [])
    if "PrimaryContainer" in params and containers:
        raise invalid("PrimaryContainer and Containers cannot be given together; give one of them.")
    if "PrimaryContainer" not in params and not containers:
        raise invalid("Neither PrimaryContainer nor Containers is given; give a PrimaryContainer with an Image.")
    if len(containers) > 1:
        raise invalid(
            f"trainworks runs one container of a model, and Containers has {len(containers)} (an inference pipeline); "
            "give one"
        )
    return container_of(params)


def _check_container(container: Mapping[str, Any]) -> None:
    if "Image" not in container:
        raise invalid("Image is required in the container of a model.")
    if container.get("Mode", "SingleModel") != "SingleModel":
        raise invalid("trainworks does not implement the Mode MultiModel of sagemaker:CreateModel; give SingleModel")
    if "ModelDataUrl" in container and "ModelDataSource" in container:
        raise invalid("ModelDataUrl and ModelDataSource cannot be given together; give one of them.")
    source = container.get("ModelDataSource", {})
    if "ModelDataSource" in container and "S3DataSource" not in source:
        raise invalid("ModelDataSource needs an S3DataSource.")
    if source.get("S3DataSource", {}).get("CompressionType") == "Gzip" and (
        source["S3DataSource"]["S3DataType"] != "S3Object"
    ):
        raise invalid("CompressionType Gzip needs S3DataType S3Object (one archive); for S3Prefix give None.")
    for uri in (container.get("ModelDataUrl"), source.get("S3DataSource", {}).get("S3Uri")):
        if uri is not None:
            split_s3_uri(uri)

"""What CreateTrainingJob checks beyond the shapes, with the words that SageMaker uses.

A member that the twin neither executes nor records is refused by name; nothing is ignored silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainworks.twin.linear_regex import UnsupportedPatternError, compile_linear
from trainworks.twin.ports import ApiError, ControlPlane
from trainworks.twin.services.sagemaker.instances import MAX_INSTANCE_COUNT, check_instance_type
from trainworks.twin.services.sagemaker.refusals import invalid
from trainworks.twin.services.sagemaker.s3_uris import split_s3_uri
from trainworks.twin.services.sagemaker.vpc_config import check_vpc

_SWITCHES: Mapping[str, str] = {"RemoteDebugConfig": "EnableRemoteDebug", "InfraCheckConfig": "EnableInfraCheck"}
_REFUSED_IN_S3_SOURCE = ("AttributeNames", "InstanceGroupNames", "ModelAccessConfig", "HubAccessConfig")
REFUSED_MEMBERS = (
    "AlgorithmSpecification.AlgorithmName",
    "AlgorithmSpecification.TrainingImageConfig",
    "DebugRuleConfigurations",
    "ExperimentConfig",
    "InputDataConfig.DataSource.DatasetSource",
    "InputDataConfig.DataSource.FileSystemDataSource",
    "MlflowConfig",
    "ModelPackageConfig",
    "ProfilerRuleConfigurations",
    "ResourceConfig.InstanceGroups",
    "ResourceConfig.InstancePlacementConfig",
    "ResourceConfig.InstancePreferences",
    "ResourceConfig.KeepAlivePeriodInSeconds",
    "ResourceConfig.TrainingPlanArn",
    "ServerlessJobConfig",
    "SessionChainingConfig",
    "StoppingCondition.MaxPendingTimeInSeconds",
    "TensorBoardOutputConfig",
    *(f"{structure}.{switch}" for structure, switch in _SWITCHES.items()),
    *(f"InputDataConfig.DataSource.S3DataSource.{member}" for member in _REFUSED_IN_S3_SOURCE),
)
"""Members that are refused whatever they hold."""

DEFAULT_CHECKPOINTS = "/opt/ml/checkpoints"


def refused(member: str, why: str = "") -> ApiError:
    detail = f": {why}" if why else ""
    return invalid(f"trainworks does not implement {member} of sagemaker:CreateTrainingJob{detail}; leave it out")


def check_create(params: Mapping[str, Any], control_plane: ControlPlane) -> None:
    """Raise `ApiError('ValidationException')` for a request that SageMaker, or the twin, would not take."""
    _check_members(params)
    _check_resources(params)
    _check_stopping(params)
    _check_channels(params.get("InputDataConfig", []))
    _check_metric_definitions(params["AlgorithmSpecification"].get("MetricDefinitions", []))
    _check_paths(params)
    check_vpc(params.get("VpcConfig"), control_plane)


def checkpoints_path(request: Mapping[str, Any]) -> str:
    """Where checkpoints are in the container. botocore's own default ends in a slash, which means nothing."""
    return str(request["CheckpointConfig"].get("LocalPath", DEFAULT_CHECKPOINTS)).rstrip("/")


def _check_members(params: Mapping[str, Any]) -> None:
    for member in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if member not in params:
            raise invalid(f"{member} is required for a training job")
    algorithm = params["AlgorithmSpecification"]
    if "TrainingImage" not in algorithm:
        raise invalid("You must specify a TrainingImage in AlgorithmSpecification.")
    if algorithm["TrainingInputMode"] == "Pipe":
        raise refused("AlgorithmSpecification.TrainingInputMode Pipe", "use File or FastFile")
    if "ContainerArguments" in algorithm and "ContainerEntrypoint" not in algorithm:
        raise invalid("ContainerArguments can only be given together with ContainerEntrypoint.")


def _check_resources(params: Mapping[str, Any]) -> None:
    resources = params["ResourceConfig"]
    for member in ("InstanceType", "InstanceCount", "VolumeSizeInGB"):
        if member not in resources:
            raise invalid(f"{member} is required in ResourceConfig.")
    check_instance_type(resources["InstanceType"])
    if not 1 <= resources["InstanceCount"] <= MAX_INSTANCE_COUNT:
        raise invalid(
            f"InstanceCount {resources['InstanceCount']} is not between 1 and {MAX_INSTANCE_COUNT}, the twin's limit"
        )
    if resources["VolumeSizeInGB"] < 1:
        raise invalid("VolumeSizeInGB must be at least 1.")
    if resources["InstanceCount"] > 1 and params.get("EnableNetworkIsolation"):
        raise refused(
            "EnableNetworkIsolation with an InstanceCount above 1",
            "isolated instances of the twin cannot reach one another",
        )


def _check_stopping(params: Mapping[str, Any]) -> None:
    condition = params["StoppingCondition"]
    runtime, wait = condition.get("MaxRuntimeInSeconds", 86_400), condition.get("MaxWaitTimeInSeconds")
    if not params.get("EnableManagedSpotTraining"):
        if wait is not None:
            raise invalid("MaxWaitTimeInSeconds above 0 is not allowed when EnableManagedSpotTraining is false.")
        return
    if wait is None:
        raise invalid(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds "
            "when EnableManagedSpotTraining is true."
        )
    if wait < runtime:
        raise invalid(
            f"Invalid MaxWaitTimeInSeconds. It must be greater than or equal to MaxRuntimeInSeconds. "
            f"MaxWaitTimeInSeconds: {wait}, MaxRuntimeInSeconds: {runtime}"
        )


def _check_channels(channels: list[Mapping[str, Any]]) -> None:
    names = [channel["ChannelName"] for channel in channels]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"InputDataConfig has the channel '{name}' more than once.")
        if name in (".", ".."):
            raise invalid(f"'{name}' cannot be a channel's name.")
    for channel in channels:
        _check_channel(channel)


def _check_channel(channel: Mapping[str, Any]) -> None:
    where = f"InputDataConfig channel '{channel['ChannelName']}'"
    source = channel["DataSource"].get("S3DataSource")
    if source is None:
        given = ", ".join(channel["DataSource"]) or "no data source"
        raise refused(f"{where} with {given}", "use S3DataSource")
    if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise refused(f"{where} with S3DataType {source['S3DataType']}", "use S3Prefix or ManifestFile")
    for member in _REFUSED_IN_S3_SOURCE:
        if member in source:
            raise refused(f"{where} with {member}")
    if channel.get("InputMode") == "Pipe":
        raise refused(f"{where} with InputMode Pipe", "use File or FastFile")
    if channel.get("CompressionType", "None") != "None" or channel.get("RecordWrapperType", "None") != "None":
        raise invalid(f"{where}: CompressionType and RecordWrapperType are for the Pipe input mode only.")
    if "ShuffleConfig" in channel:
        raise refused(f"{where} with ShuffleConfig")
    split_s3_uri(source["S3Uri"])


def _check_metric_definitions(definitions: list[Mapping[str, Any]]) -> None:
    for definition in definitions:
        try:
            compiled = compile_linear(definition["Regex"])
        except UnsupportedPatternError as error:
            raise invalid(
                f"The regex of metric '{definition['Name']}' is invalid: {definition['Regex']} ({error})"
            ) from error
        if compiled.groups < 1:
            raise invalid(f"The regex of metric '{definition['Name']}' has no capture group: {definition['Regex']}")


def _check_paths(params: Mapping[str, Any]) -> None:
    split_s3_uri(params["OutputDataConfig"]["S3OutputPath"])
    checkpoints = params.get("CheckpointConfig")
    if checkpoints is None:
        return
    split_s3_uri(checkpoints["S3Uri"])
    local = checkpoints_path(params)
    parts = local.split("/")
    inside = local.startswith("/opt/ml/") and not any(part in ("", ".", "..") for part in parts[1:])
    if not inside or local.startswith(("/opt/ml/input", "/opt/ml/model", "/opt/ml/output", "/opt/ml/code")):
        raise invalid(
            f"CheckpointConfig.LocalPath '{local}' must be a folder of its own below /opt/ml: /opt/ml/checkpoints"
        )

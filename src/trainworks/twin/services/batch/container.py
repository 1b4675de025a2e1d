"""What a job's container really is: the definition's properties, the overrides of a submission and its parameters.

Sources: "Job definition parameters" in the AWS Batch user guide; botocore shapes `ContainerProperties`,
`ContainerOverrides`; for Fargate "resourceRequirements" there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from trainworks.aws.batch_constraints import environment_problems
from trainworks.aws.instance_types import FARGATE_MEMORY_MIB
from trainworks.twin.ports import ApiError
from trainworks.twin.services.batch.mounts import check_mounts
from trainworks.twin.services.batch.refusals import refuse

_PLACEHOLDER = re.compile(r"Ref::([A-Za-z0-9_-]+)")

_REFUSED = ("secrets", "repositoryCredentials")
_REFUSED_TRUE = ("privileged", "enableExecuteCommand")
_REFUSED_LINUX = ("devices",)
_REFUSED_VOLUMES = ("efsVolumeConfiguration", "s3filesVolumeConfiguration")

REFUSED_MEMBERS = (
    *(f"containerProperties.{name}" for name in (*_REFUSED, *_REFUSED_TRUE)),
    *(f"containerProperties.linuxParameters.{name}" for name in _REFUSED_LINUX),
    *(f"containerProperties.volumes.{name}" for name in _REFUSED_VOLUMES),
)
"""What a job definition refuses of its container, by the paths of its request."""

MIN_MEMORY_MIB = 4


@dataclass(frozen=True, slots=True)
class Resources:
    """What a container asks for."""

    vcpus: float
    memory_mib: int
    gpus: int


def check_container(container: Mapping[str, Any], *, is_fargate: bool) -> None:
    """Raise `ClientException` for properties that Batch refuses or the twin cannot execute (it names them)."""
    if not container.get("image"):
        raise ApiError("ClientException", "Container properties must include an image")
    _check_refused(container)
    refuse(environment_problems(container.get("environment", [])))
    check_mounts(container, is_fargate=is_fargate)
    resources = resources_of(container)
    if is_fargate:
        _check_fargate(container, resources)
    elif resources.vcpus != int(resources.vcpus):
        raise ApiError("ClientException", f"VCPU must be a whole number on EC2 resources, not {resources.vcpus}")
    driver = container.get("logConfiguration", {}).get("logDriver", "awslogs")
    if driver != "awslogs":
        raise ApiError("ClientException", f"trainworks does not implement logDriver '{driver}'; use awslogs")


def effective_container(
    container: Mapping[str, Any], overrides: Mapping[str, Any], parameters: Mapping[str, str]
) -> dict[str, Any]:
    """The container as one attempt runs it: overrides applied, `Ref::name` replaced by its parameter.

    A placeholder without a parameter stays as it is. Raises `ClientException` for overrides that Batch refuses.
    """
    if "instanceType" in overrides:
        raise ApiError("ClientException", "instanceType is not applicable to single-node jobs")
    merged = dict(container)
    merged["command"] = [
        substitute(argument, parameters) for argument in overrides.get("command", container.get("command", []))
    ]
    refuse(environment_problems(overrides.get("environment", [])))
    environment = {entry["name"]: entry.get("value", "") for entry in container.get("environment", [])}
    environment |= {entry["name"]: entry.get("value", "") for entry in overrides.get("environment", [])}
    merged["environment"] = [{"name": name, "value": value} for name, value in environment.items()]
    requirements = _overridden(container, overrides)
    merged["resourceRequirements"] = [{"type": kind, "value": value} for kind, value in requirements.items()]
    merged.pop("vcpus", None)
    merged.pop("memory", None)
    return merged


def substitute(argument: str, parameters: Mapping[str, str]) -> str:
    """An argument with its `Ref::name` placeholders replaced."""
    return _PLACEHOLDER.sub(lambda found: parameters.get(found[1], found[0]), argument)


def resources_of(container: Mapping[str, Any]) -> Resources:
    """vCPUs, memory and GPUs of `resourceRequirements` (or of the older `vcpus` and `memory`)."""
    found = _requirements(container)
    for kind in ("VCPU", "MEMORY"):
        if kind not in found:
            raise ApiError("ClientException", f"Container properties must include resourceRequirements of type {kind}")
    resources = Resources(
        vcpus=_number("VCPU", found["VCPU"]),
        memory_mib=int(_number("MEMORY", found["MEMORY"])),
        gpus=int(_number("GPU", found["GPU"])) if "GPU" in found else 0,
    )
    if resources.vcpus <= 0:
        raise ApiError("ClientException", f"VCPU must be greater than 0, not {found['VCPU']}")
    if resources.memory_mib < MIN_MEMORY_MIB:
        raise ApiError("ClientException", f"MEMORY must be at least {MIN_MEMORY_MIB} MiB, not {found['MEMORY']}")
    return resources


def _overridden(container: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, str]:
    """The older `vcpus` and `memory` of overrides change those of a definition, and none of its `resourceRequirements`.

    Source: botocore shape `ContainerOverrides`, members `vcpus` and `memory`.
    """
    fixed = {entry["type"] for entry in container.get("resourceRequirements", [])}
    older = {kind: value for kind, value in _older(overrides).items() if kind not in fixed}
    return _requirements(container) | older | _listed(overrides)


def _older(container: Mapping[str, Any]) -> dict[str, str]:
    members = {"VCPU": container.get("vcpus"), "MEMORY": container.get("memory")}
    return {kind: str(value) for kind, value in members.items() if value}


def _listed(container: Mapping[str, Any]) -> dict[str, str]:
    return {entry["type"]: entry["value"] for entry in container.get("resourceRequirements", [])}


def _requirements(container: Mapping[str, Any]) -> dict[str, str]:
    return _older(container) | _listed(container)


def _number(kind: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = nan
    if not isfinite(number):
        raise ApiError("ClientException", f"resourceRequirements {kind} '{value}' is not a number")
    if kind != "VCPU" and number != int(number):
        raise ApiError("ClientException", f"resourceRequirements {kind} '{value}' is not a whole number")
    return number


def _check_refused(container: Mapping[str, Any]) -> None:
    linux = container.get("linuxParameters", {})
    given = [name for name in _REFUSED if container.get(name)]
    given += [name for name in _REFUSED_TRUE if container.get(name)]
    given += [f"linuxParameters.{name}" for name in _REFUSED_LINUX if linux.get(name)]
    if given:
        raise ApiError(
            "ClientException",
            f"trainworks does not implement container properties {', '.join(given)} of AWS Batch; leave them out",
        )
    if "instanceType" in container:
        raise ApiError("ClientException", "instanceType is not applicable to single-node container jobs")


def _check_fargate(container: Mapping[str, Any], resources: Resources) -> None:
    if resources.gpus:
        raise ApiError("ClientException", "GPU resource requirements are not supported on Fargate")
    allowed = FARGATE_MEMORY_MIB.get(resources.vcpus)
    if allowed is None:
        values = ", ".join(f"{value:g}" for value in FARGATE_MEMORY_MIB)
        raise ApiError(
            "ClientException", f"Fargate resource requirements (VCPU {resources.vcpus:g}) are not valid: {values}"
        )
    if resources.memory_mib not in allowed:
        raise ApiError(
            "ClientException",
            f"Fargate resource requirements (VCPU {resources.vcpus:g}, MEMORY {resources.memory_mib}) are not valid: "
            f"with this VCPU, MEMORY is one of {', '.join(str(value) for value in allowed)}",
        )
    if not container.get("executionRoleArn"):
        raise ApiError("ClientException", "An executionRoleArn is required for jobs that run on Fargate resources")

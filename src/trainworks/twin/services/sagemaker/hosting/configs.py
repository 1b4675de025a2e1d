"""Endpoint configurations: which models, on how many instances of which types. After "CreateEndpointConfig"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainworks.twin.ports import Caller, ControlPlane
from trainworks.twin.recorded import Record, Rows
from trainworks.twin.services.sagemaker.instances import MAX_INSTANCE_COUNT, check_instance_type
from trainworks.twin.services.sagemaker.kinds import Kind
from trainworks.twin.services.sagemaker.refusals import invalid
from trainworks.twin.wire import Call

_VARIANT_MEMBERS = (
    "AcceleratorType",
    "CapacityReservationConfig",
    "CoreDumpConfig",
    "EnableSSMAccess",
    "InferenceAmiVersion",
    "InstancePools",
    "ManagedInstanceScaling",
    "RoutingConfig",
    "ServerlessConfig",
    "VariantInstanceProvisionTimeoutInSeconds",
)
REFUSED_MEMBERS = (
    "AsyncInferenceConfig",
    "DataCaptureConfig",
    "EnableNetworkIsolation",
    "ExecutionRoleArn",
    "ExplainerConfig",
    "MetricsConfig",
    "ShadowProductionVariants",
    "VpcConfig",
    *(f"ProductionVariants.{member}" for member in _VARIANT_MEMBERS),
)
"""Members that are refused whatever they hold. A configuration's own role and VPC are for inference components."""


def config_kind(model: Kind) -> Kind:
    """Endpoint configurations as a kind of resource, over the `model`s that they name."""

    def models_are_there(rows: Rows, caller: Caller, spec: Mapping[str, Any]) -> None:
        for variant in spec["ProductionVariants"]:
            model.found(rows, model.arn(caller, variant["ModelName"]))

    return Kind(
        "EndpointConfig",
        "endpoint-config",
        "Instance variants; serverless, asynchronous, captured, shadowed and explained ones are refused by name. "
        "KmsKeyId, VolumeSizeInGB and ModelDataDownloadTimeoutInSeconds are recorded.",
        is_executed=True,
        check=_check,
        admit=models_are_there,
        refused_members=REFUSED_MEMBERS,
        exists=lambda arn: invalid(f'Cannot create already existing endpoint configuration "{arn}".'),
        unknown=lambda arn: invalid(f'Could not find endpoint configuration "{arn}".'),
    )


def variants_of(config: Record) -> list[dict[str, Any]]:
    """The production variants, with SageMaker's defaults."""
    return [{"InitialVariantWeight": 1.0, **variant} for variant in config.spec["ProductionVariants"]]


def _check(call: Call, _: ControlPlane) -> None:
    variants = call.params["ProductionVariants"]
    names = [variant["VariantName"] for variant in variants]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"ProductionVariants has the variant '{name}' more than once.")
    for variant in variants:
        _check_variant(variant)
    if not any(variant.get("InitialVariantWeight", 1.0) > 0 for variant in variants):
        raise invalid("At least one production variant needs an InitialVariantWeight above 0.")


def _check_variant(variant: Mapping[str, Any]) -> None:
    name = variant["VariantName"]
    for member in ("ModelName", "InstanceType", "InitialInstanceCount"):
        if member not in variant:
            raise invalid(f"{member} is required in the production variant '{name}'.")
    check_instance_type(variant["InstanceType"])
    check_count(name, variant["InitialInstanceCount"])


def check_count(name: str, count: int) -> None:
    """Raise for a number of instances that no variant may have."""
    if not 1 <= count <= MAX_INSTANCE_COUNT:
        raise invalid(
            f"The production variant '{name}' has {count} instances, which is not between 1 and "
            f"{MAX_INSTANCE_COUNT}, the twin's limit"
        )

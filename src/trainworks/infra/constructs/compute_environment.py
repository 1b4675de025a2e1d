"""A managed EC2 compute environment of AWS Batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_batch as batch
from constructs import Construct

from trainworks.aws.instance_types import has_nvidia_gpus
from trainworks.config.profile import BatchProfile
from trainworks.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ComputePlacement:
    """Where the hosts of a compute environment run, as whom, and made from which launch template."""

    subnet_ids: list[str]
    security_group_id: str
    instance_profile_arn: str
    launch_template: batch.CfnComputeEnvironment.LaunchTemplateSpecificationProperty


class ComputeEnvironment(Construct):
    """Spot or on-demand hosts of exactly the profile's instance types, from `min_vcpus` up to `max_vcpus`.

    It has no name, no service role and no bid percentage: names block replacement, Batch brings its service-linked
    role, and without a limit spot never costs more than on-demand. Nothing is added to the instance types, so that a
    job lands on what the profile says. The images are named, so that Batch's default can change without them.

    Raises `ConfigurationError` for instance types that these images do not support.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: BatchProfile,
        placement: ComputePlacement,
        spot: bool,
    ) -> None:
        super().__init__(scope, id)
        self.resource = batch.CfnComputeEnvironment(
            self,
            "Resource",
            type="MANAGED",
            state="ENABLED",
            replace_compute_environment=False,
            update_policy=batch.CfnComputeEnvironment.UpdatePolicyProperty(
                terminate_jobs_on_update=False, job_execution_timeout_minutes=60
            ),
            compute_resources=batch.CfnComputeEnvironment.ComputeResourcesProperty(
                type="SPOT" if spot else "EC2",
                allocation_strategy="SPOT_PRICE_CAPACITY_OPTIMIZED" if spot else "BEST_FIT_PROGRESSIVE",
                minv_cpus=profile.min_vcpus if spot else 0,
                maxv_cpus=profile.max_vcpus if spot else profile.on_demand_max_vcpus,
                instance_types=list(profile.instance_types),
                ec2_configuration=[
                    batch.CfnComputeEnvironment.Ec2ConfigurationObjectProperty(image_type=image_type)
                    for image_type in image_types(profile.instance_types)
                ],
                subnets=placement.subnet_ids,
                security_group_ids=[placement.security_group_id],
                instance_role=placement.instance_profile_arn,
                launch_template=placement.launch_template,
                update_to_latest_image_version=True,
            ),
        )
        self.compute_environment_arn = self.resource.attr_compute_environment_arn


def image_types(instance_types: Sequence[str]) -> list[str]:
    """Batch's names for the ECS-optimized images of Amazon Linux 2023: one for hosts with NVIDIA GPUs, one for others.

    If both are given, Batch takes the one that fits each host's type (API shape `Ec2Configuration`).
    """
    unsupported = [name for name in instance_types if name.startswith(_WITHOUT_IMAGE)]
    if unsupported:
        raise ConfigurationError(
            f"batch.instance_types names {', '.join(unsupported)}, and Batch's images of Amazon Linux 2023 support "
            "neither p3 nor g3",
            fix="use newer types, such as g4dn.xlarge or g5.xlarge",
        )
    with_gpus = {has_nvidia_gpus(name) for name in instance_types}
    return ["ECS_AL2023_NVIDIA" if gpus else "ECS_AL2023" for gpus in sorted(with_gpus)]


_WITHOUT_IMAGE = ("p3", "g3")

"""Faults of what people do with a platform: find it, tell environments apart, pay for it, deploy it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.snapshot.platform import Resource, Stacks

NEEDED_OUTPUTS = (
    "VpcId",
    "PrivateSubnetIds",
    "DatasetBucketName",
    "ModelBucketName",
    "ECRRepositoryUri",
    "TrainingRoleArn",
    "TrainingJobConfig",
    "ComputeEnvironmentArn",
    "JobQueueArn",
    "JobDefinitionArn",
    "DashboardName",
)
"""What that platform's nested stacks give as outputs, for its root to pass on."""

TAGLESS = re.compile(
    r"Policy$|Route$|SubnetRouteTableAssociation|VPCGatewayAttachment|SecurityGroup(In|E)gress|InstanceProfile|^Custom::"
)
"""Types without a `Tags` property in CloudFormation."""

COST_TAGS = ("Project", "Environment")


def tags_of(resource: Resource) -> dict[str, str]:
    """Its tags; budgets and cost monitors call them `ResourceTags`, a launch template has them in specifications."""
    specifications = resource.properties.get("TagSpecifications", [])
    specified = [tag for each in specifications if each["ResourceType"] == "launch-template" for tag in each["Tags"]]
    tags: Any = resource.properties.get("Tags", resource.properties.get("ResourceTags", specified))
    return dict(tags) if isinstance(tags, Mapping) else {tag["Key"]: tag["Value"] for tag in tags}


def untagged_resources(platform: Stacks) -> Iterator[str]:
    for resource in platform.resources():
        if TAGLESS.search(resource.type):
            continue
        if missing := [key for key in COST_TAGS if key not in tags_of(resource)]:
            yield f"{resource.logical_id} has no tag {', '.join(missing)}"


def hidden_outputs(platform: Stacks, needed: tuple[str, ...] = NEEDED_OUTPUTS) -> Iterator[str]:
    for key in needed:
        if not platform.outputs.get(key):
            yield f"the root stack has no output {key}"

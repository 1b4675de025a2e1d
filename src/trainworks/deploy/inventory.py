"""What a deployed stack consists of, nested stacks included, and what becomes of each resource when it is deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainworks.assembly.places import Places, StackPath
from trainworks.deploy.events import STACK_TYPE
from trainworks.deploy.nested import walk
from trainworks.deploy.stacks import deployed_template

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

_RETAINING = frozenset({"Retain", "RetainExceptOnCreate", "Snapshot"})


@dataclass(frozen=True, slots=True)
class DeployedResource:
    """One resource; `retained` says that deleting the stack leaves it."""

    place: str
    stack_path: StackPath
    logical_id: str
    physical_id: str
    resource_type: str
    status: str
    retained: bool


@dataclass(frozen=True, slots=True)
class Inventory:
    """All resources of a stack that exist, and the names of their places."""

    places: Places
    resources: tuple[DeployedResource, ...]

    @property
    def retained(self) -> tuple[DeployedResource, ...]:
        return tuple(resource for resource in self.resources if resource.retained)

    def deletable(self, resource_type: str) -> tuple[DeployedResource, ...]:
        """The resources of one type that go with the stack."""
        return tuple(
            resource
            for resource in self.resources
            if resource.resource_type == resource_type and not resource.retained and resource.physical_id
        )


def take_inventory(client: CloudFormationClient, stack_name: str, stack_id: str) -> Inventory:
    """Read templates and resources of a stack and its nested stacks from CloudFormation."""
    places = Places(stack_name)
    resources: list[DeployedResource] = []
    retained_stacks: dict[StackPath, bool] = {(): False}
    for stack in walk(client, stack_id):
        declared = deployed_template(client, stack.stack_id).get("Resources", {})
        for resource in stack.resources:
            policy = declared.get(resource.logical_id, {}).get("DeletionPolicy", "Delete")
            retained = retained_stacks[stack.stack_path] or policy in _RETAINING
            if resource.resource_type == STACK_TYPE and resource.physical_id:
                retained_stacks[*stack.stack_path, resource.logical_id] = retained
                continue
            resources.append(
                DeployedResource(
                    places.resource(stack.stack_path, resource.logical_id),
                    stack.stack_path,
                    resource.logical_id,
                    resource.physical_id,
                    resource.resource_type,
                    resource.status,
                    retained,
                )
            )
    return Inventory(places, tuple(resources))

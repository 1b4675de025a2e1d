"""One walk over a deployed stack and all stacks nested in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainworks.assembly.places import StackPath
from trainworks.deploy.events import STACK_TYPE
from trainworks.deploy.stacks import StackResource, list_resources

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """A stack, its path from the root, and its resources that exist; nested stacks are among them."""

    stack_path: StackPath
    stack_id: str
    resources: tuple[StackResource, ...]


def walk(client: CloudFormationClient, stack_id: str) -> Iterator[DeployedStack]:
    """The stack and those nested in it, each after its parent; what is deleted, and listed for a time, is left out."""
    pending: deque[tuple[StackPath, str]] = deque([((), stack_id)])
    while pending:
        stack_path, current = pending.popleft()
        resources = tuple(each for each in list_resources(client, current) if each.status != "DELETE_COMPLETE")
        yield DeployedStack(stack_path, current, resources)
        pending.extend(
            ((*stack_path, each.logical_id), each.physical_id)
            for each in resources
            if each.resource_type == STACK_TYPE and each.physical_id
        )

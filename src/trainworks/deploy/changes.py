"""What an update would change: a change set, read into records, stack by stack.

CloudFormation describes a nested stack's changes in a change set of its own (`IncludeNestedStacks`), which the change
of the nested stack points to. A stack that is created or removed as a whole needs none: its resources are listed from
the template or from what is deployed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from trainworks.assembly.places import Places, StackPath
from trainworks.deploy.events import STACK_TYPE
from trainworks.deploy.nested import DeployedStack, walk

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ResourceChangeTypeDef


class Replacement(StrEnum):
    """Whether a resource is deleted and created again, as CloudFormation words it."""

    TRUE = "True"
    FALSE = "False"
    CONDITIONAL = "Conditional"


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One resource that would change: `action` is Add, Modify, Remove, Import or Dynamic, `place` its construct path.

    `properties` are the names of what differs: properties, and attributes of the resource such as `DeletionPolicy`.
    `refused` is what CloudFormation answers instead of making the change, or nothing.
    """

    action: str
    place: str
    logical_id: str
    resource_type: str
    physical_id: str = ""
    replacement: Replacement = Replacement.FALSE
    properties: tuple[str, ...] = ()
    retained: bool = False
    refused: str = ""


@dataclass(frozen=True, slots=True)
class StackChanges:
    """The changes of one stack, in the order of their places, then those of its nested stacks."""

    stack: str
    changes: tuple[ResourceChange, ...] = ()
    nested: tuple[StackChanges, ...] = ()

    def walk(self) -> Iterator[ResourceChange]:
        """Every change, nested stacks included."""
        yield from self.changes
        for stack in self.nested:
            yield from stack.walk()

    @property
    def is_empty(self) -> bool:
        return next(self.walk(), None) is None

    @property
    def replaced(self) -> tuple[ResourceChange, ...]:
        """Resources that are, or may be, deleted and created again."""
        return tuple(change for change in self.walk() if change.replacement is not Replacement.FALSE)

    @property
    def removed(self) -> tuple[ResourceChange, ...]:
        """Resources that are deleted because the template has them no more (and their policy does not retain them)."""
        return tuple(change for change in self.walk() if change.action == "Remove" and not change.retained)


def changes_of_creation(places: Places, templates: Mapping[StackPath, Mapping[str, Any]]) -> StackChanges:
    """A stack that does not exist yet: every resource of `templates`, keyed by stack path, is added."""
    return _created(places, (), templates)


@dataclass(frozen=True, slots=True)
class ChangeSetReader:
    """Knows the new templates and the names of things; reads a change set whose creation is complete."""

    places: Places
    templates: Mapping[StackPath, Mapping[str, Any]]

    def read(self, client: CloudFormationClient, change_set_id: str, stack_path: StackPath) -> StackChanges:
        """The changes of the stack that lies `stack_path` down, with those of its nested stacks."""
        changes: list[ResourceChange] = []
        nested: list[StackChanges] = []
        for described in _described(client, change_set_id):
            if described["ResourceType"] != STACK_TYPE:
                changes.append(self._change(described, stack_path))
                continue
            below = (*stack_path, described["LogicalResourceId"])
            child_changes = self._nested(client, described, below)
            if child_changes is None:
                changes.append(self._change(described, stack_path))
            elif not child_changes.is_empty:
                nested.append(child_changes)
        return StackChanges(
            self.places.stack(stack_path),
            tuple(sorted(changes, key=lambda change: change.place)),
            tuple(sorted(nested, key=lambda stack: stack.stack)),
        )

    def _nested(
        self, client: CloudFormationClient, described: ResourceChangeTypeDef, stack_path: StackPath
    ) -> StackChanges | None:
        """The changes inside a nested stack, or None if nothing is known of its inside."""
        if described["Action"] == "Add" and stack_path in self.templates:
            return _created(self.places, stack_path, self.templates)
        if described["Action"] == "Remove":
            return self._removed(client, described["PhysicalResourceId"], stack_path)
        if described.get("ChangeSetId"):
            return self.read(client, described["ChangeSetId"], stack_path)
        return None

    def _removed(self, client: CloudFormationClient, stack_id: str, stack_path: StackPath) -> StackChanges:
        """What goes with a nested stack: all that is in it, and in those nested in it."""
        return self._gone((), {stack.stack_path: stack for stack in walk(client, stack_id)}, stack_path)

    def _gone(self, below: StackPath, stacks: Mapping[StackPath, DeployedStack], root: StackPath) -> StackChanges:
        stack_path = (*root, *below)
        resources = stacks[below].resources
        nested = [(*below, each.logical_id) for each in resources if (*below, each.logical_id) in stacks]
        return StackChanges(
            self.places.stack(stack_path),
            tuple(
                ResourceChange(
                    "Remove",
                    self.places.resource(stack_path, resource.logical_id),
                    resource.logical_id,
                    resource.resource_type,
                    resource.physical_id,
                )
                for resource in resources
                if resource.resource_type != STACK_TYPE
            ),
            tuple(self._gone(each, stacks, root) for each in nested),
        )

    def _change(self, described: ResourceChangeTypeDef, stack_path: StackPath) -> ResourceChange:
        logical_id = described["LogicalResourceId"]
        return ResourceChange(
            action=described["Action"],
            place=self.places.resource(stack_path, logical_id),
            logical_id=logical_id,
            resource_type=described["ResourceType"],
            physical_id=described.get("PhysicalResourceId", ""),
            replacement=Replacement(described.get("Replacement", "False")),
            properties=_changed_names(described),
            retained="Retain" in described.get("PolicyAction", ""),
        )


def _described(client: CloudFormationClient, change_set_id: str) -> Iterator[ResourceChangeTypeDef]:
    for page in client.get_paginator("describe_change_set").paginate(ChangeSetName=change_set_id):
        for change in page.get("Changes", []):
            if "ResourceChange" in change:
                yield change["ResourceChange"]


def _changed_names(described: ResourceChangeTypeDef) -> tuple[str, ...]:
    """Property names, and for changes of the resource's own attributes the attribute's name; each once."""
    targets = [detail["Target"] for detail in described.get("Details", []) if "Target" in detail]
    names = [target.get("Name") or target.get("Attribute", "") for target in targets]
    return tuple(dict.fromkeys(name for name in names if name))


def _created(places: Places, stack_path: StackPath, templates: Mapping[StackPath, Mapping[str, Any]]) -> StackChanges:
    changes: list[ResourceChange] = []
    nested: list[StackChanges] = []
    for logical_id, resource in templates[stack_path].get("Resources", {}).items():
        if (*stack_path, logical_id) in templates:
            nested.append(_created(places, (*stack_path, logical_id), templates))
        else:
            changes.append(ResourceChange("Add", places.resource(stack_path, logical_id), logical_id, resource["Type"]))
    return StackChanges(
        places.stack(stack_path),
        tuple(sorted(changes, key=lambda change: change.place)),
        tuple(sorted(nested, key=lambda stack: stack.stack)),
    )

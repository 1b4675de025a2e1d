"""A CloudFormation resource type of the twin: the contract between `resources` and `emulator`.

    emulator.register_resource_type("AWS::Batch::JobQueue", JobQueueType(...))

A type's operations run one at a time on the server's event loop: they may commit to a database, but must not wait for
anything that needs the loop. An `ApiError` or `ResourceError` that they raise is the reason of a `..._FAILED` event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from trainworks.twin.ports import Caller


class ResourceError(Exception):
    """A resource operation failed; the text is the stack event's reason."""


@dataclass(frozen=True, slots=True)
class ResourceRequest:
    """One operation on one resource of a stack.

    `properties` are resolved (no intrinsics left), with stack tags merged in where the type takes `Tags`.
    `physical_id` and `previous_properties` are set on update, `physical_id` on delete. `caller` is CloudFormation
    acting for the account that owns the stack, in the stack's region. `logical_id` may be empty on delete.
    """

    caller: Caller
    stack_name: str
    logical_id: str
    properties: Mapping[str, Any]
    physical_id: str = ""
    previous_properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as its template sees it: `physical_id` is its `Ref`, `attributes` are its `Fn::GetAtt`.

    An update that answers another `physical_id` has replaced the resource: the old one is deleted in the clean-up
    phase, or the new one when the stack rolls back.
    """

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


class ResourceType(Protocol):
    """Create, update and delete of one type. Delete of what is already gone succeeds."""

    def create(self, request: ResourceRequest) -> Resource: ...

    def update(self, request: ResourceRequest) -> Resource: ...

    def delete(self, request: ResourceRequest) -> None: ...


@runtime_checkable
class Readable(Protocol):
    """A type whose resources can be compared with their template: `compared` are the properties that `read` gives.

    None stands for all. `read` answers in the service's own words, whose names may differ in case, or None if the
    resource is gone.
    """

    compared: tuple[str, ...] | None

    def read(self, request: ResourceRequest) -> Mapping[str, Any] | None: ...

"""CloudFormation types of ours in ministack's engine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.cloudformation import drift, update_rules
from trainworks.twin.emulator.cloudformation.stack_recovery import note_made
from trainworks.twin.emulator.iam.authorization import root_caller
from trainworks.twin.home import RootCredentials
from trainworks.twin.ports import ApiError, Caller
from trainworks.twin.resource_types import Readable, Resource, ResourceError, ResourceRequest, ResourceType

_LOG = logging.getLogger(__name__)


class ResourceTypes:
    """Holds our types until CloudFormation is loaded, then adds them to its table.

    Their resources are in databases of their own, where they are durable at once. So the stack's row is brought to the
    disk, by `flush`, before the first and after each: a roll-back after a crash knows what was made.
    """

    def __init__(self, root: RootCredentials, flush: Callable[[], None]) -> None:
        self._root = root
        self._flush = flush
        self._types: dict[str, ResourceType] = {}
        self._later: list[Callable[[], Mapping[str, ResourceType]]] = []
        self._table: dict[str, Any] | None = None

    def register(self, type_name: str, resource_type: ResourceType) -> None:
        """See `Emulator.register_resource_type`."""
        self._types[type_name] = resource_type
        if self._table is not None:
            self._add(type_name, resource_type)

    def register_later(self, types: Callable[[], Mapping[str, ResourceType]]) -> None:
        """Types that are asked for when CloudFormation is loaded, so that a start does not wait for them."""
        self._later.append(types)

    @property
    def registered(self) -> Mapping[str, ResourceType]:
        """Our types by name."""
        while self._later:
            self._types.update(self._later.pop()())
        return self._types

    def install(self) -> None:
        """CloudFormation was loaded: add everything that was registered."""
        self._table = engine.module("services.cloudformation.provisioners")._RESOURCE_HANDLERS
        for type_name, resource_type in self.registered.items():
            self._add(type_name, resource_type)

    def _add(self, type_name: str, resource_type: ResourceType) -> None:
        if self._table is not None:
            self._table[type_name] = self._handler(type_name, resource_type)
        if isinstance(resource_type, Readable) and resource_type.compared is None:
            update_rules.BY_SCHEMA.add(type_name)
        if isinstance(resource_type, Readable):
            drift.register(type_name, self._reader(resource_type), resource_type.compared)

    def _reader(self, resource_type: Readable) -> drift.Reader:
        def read(physical_id: str, properties: Mapping[str, Any]) -> Mapping[str, Any] | None:
            return resource_type.read(ResourceRequest(self._caller(), "", "", properties, physical_id))

        return read

    def _handler(self, type_name: str, resource_type: ResourceType) -> dict[str, Any]:
        """The table's entry: functions with the parameters that ministack calls them with."""

        def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
            request = ResourceRequest(self._caller(), stack_name, logical_id, properties)
            return self._answer(type_name, request, resource_type.create)

        def update(
            physical_id: str,
            old_properties: dict[str, Any],
            new_properties: dict[str, Any],
            stack_name: str,
            logical_id: str,
        ) -> tuple[str, dict[str, Any]]:
            request = ResourceRequest(
                self._caller(), stack_name, logical_id or "", new_properties, physical_id, old_properties
            )
            return self._answer(type_name, request, resource_type.update)

        def delete(physical_id: str, properties: dict[str, Any], logical_id: str | None = None) -> None:
            request = ResourceRequest(self._caller(), "", logical_id or "", properties or {}, physical_id)
            try:
                resource_type.delete(request)
            except (ApiError, ResourceError) as error:
                raise ValueError(_reason(error)) from error

        return {
            "create": create,
            "update": update,
            "update_with_logical_id": True,
            "delete": delete,
            "delete_with_logical_id": True,
        }

    def _answer(
        self, type_name: str, request: ResourceRequest, operation: Callable[[ResourceRequest], Resource]
    ) -> tuple[str, dict[str, Any]]:
        stack = engine.service("cloudformation")._stacks.get(request.stack_name)
        try:
            if stack is not None and "_made" not in stack:
                self._flush()
            resource = operation(request)
        except (ApiError, ResourceError) as error:
            raise ValueError(_reason(error)) from error
        if stack is not None:
            note_made(stack, request.logical_id, type_name, resource.physical_id, request.properties)
            try:
                self._flush()
            except ApiError as error:  # it is made: the stack has to know it, and is written when the disk can be
                _LOG.warning("%s of stack %s is not on disk yet: %s", request.logical_id, request.stack_name, error)
        return resource.physical_id, dict(resource.attributes)

    def _caller(self) -> Caller:
        return root_caller(self._root.access_key_id, engine.module("core.responses").get_region())


def _reason(error: Exception) -> str:
    return f"{error.message} ({error.code})" if isinstance(error, ApiError) else str(error)

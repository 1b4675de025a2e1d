"""Resources of types without behaviour: stored, described by CloudFormation, and nothing else.

One mechanism for all of them, driven by AWS's schemas: `Ref` is the primary identifier, attributes are the read-only
properties (made up by `plausible`), a change of a create-only property replaces, drift is read from what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainworks.assembly.physical_ids import NAMINGS
from trainworks.assembly.schemas import Schema, schema
from trainworks.twin.recorded import Record, RecordedStore, Rows
from trainworks.twin.recorded.rows import scope_of, stack_resource_id
from trainworks.twin.resource_types import Resource, ResourceError, ResourceRequest
from trainworks.twin.resources.naming import physical_name
from trainworks.twin.resources.plausible import Maker, made_up_id

_SHORT_NAMES = {"ElasticLoadBalancingV2": 32, "ElasticLoadBalancing": 32, "Kinesis": 64}
_LOWER_CASE = frozenset(
    {"RDS", "DocDB", "Neptune", "ElastiCache", "MemoryDB", "Redshift", "RedshiftServerless", "OpenSearchServerless"}
    | {"OpenSearchService", "S3Tables", "S3Vectors", "CodeArtifact", "MWAA", "Glue", "Athena"}
)


class RecordedType:
    """One type. Nothing of its schema is read before a resource of it is made."""

    compared = None
    """Every property that the template sets."""

    def __init__(self, type_name: str, store: RecordedStore) -> None:
        self._type = type_name
        self._store = store

    def create(self, request: ResourceRequest) -> Resource:
        """Raises `ResourceError` if a resource of that name exists."""
        maker, identifier = self._made(request)
        attributes = self._attributes(request.properties, maker, {})
        record = Record(
            self._id(request, identifier),
            self._type,
            scope_of(request.caller),
            identifier,
            {"properties": request.properties, "attributes": attributes},
        )

        def work(rows: Rows) -> None:
            if rows.get(record.id) is not None:
                raise ResourceError(f"Resource of type '{self._type}' with identifier '{identifier}' already exists.")
            rows.insert(record)

        self._store.change(work)
        return Resource(identifier, attributes)

    def update(self, request: ResourceRequest) -> Resource:
        """What the service made stays; a property that is fixed at creation makes another resource."""
        if any(
            _at(request.previous_properties, path) != _at(request.properties, path) for path in self._schema.create_only
        ):
            return self.create(request)
        maker, _ = self._made(request)

        def work(rows: Rows) -> dict[str, Any]:
            record = rows.get(self._id(request, request.physical_id))
            if record is None:
                raise ResourceError(
                    f"Resource of type '{self._type}' with identifier '{request.physical_id}' was not found."
                )
            attributes = self._attributes(request.properties, maker, record.spec["attributes"])
            rows.update(record, spec={"properties": request.properties, "attributes": attributes})
            return attributes

        return Resource(request.physical_id, self._store.change(work))

    def delete(self, request: ResourceRequest) -> None:
        def work(rows: Rows) -> None:
            record = rows.get(self._id(request, request.physical_id))
            if record is not None:
                rows.delete(record)

        self._store.change(work)

    def read(self, request: ResourceRequest) -> Mapping[str, Any] | None:
        with self._store.look() as rows:
            record = rows.get(self._id(request, request.physical_id))
        if record is None:
            return None
        found: Mapping[str, Any] = record.spec["properties"]
        return found

    def _id(self, request: ResourceRequest, physical_id: str) -> str:
        return stack_resource_id(self._type, scope_of(request.caller), physical_id)

    # -- what is made up --------------------------------------------------------------------------------------

    @property
    def _schema(self) -> Schema:
        found = schema(self._type)
        if found is None:
            raise ResourceError(f"AWS has no type {self._type}")
        return found

    def _made(self, request: ResourceRequest) -> tuple[Maker, str]:
        """The maker of its values, and its physical id."""
        account, region = request.caller.account_id, request.caller.region
        made_id = made_up_id(self._type, region, account)
        name = self._name(request)
        maker = Maker(self._schema, name, made_id, account, region)
        parts = {path[-1]: self._part(path, request.properties, maker) for path in self._schema.identifier}
        return maker, _reference(self._schema, parts)

    def _part(self, path: tuple[str, ...], properties: Mapping[str, Any], maker: Maker) -> str:
        given = _at(properties, path)
        if given is not None:
            return str(given)
        return str(maker.value(path)) if path in self._schema.read_only else maker.name

    def _name(self, request: ResourceRequest) -> str:
        """The name that the template gives, or one of the stack's and the logical id's."""
        wanted = [NAMINGS[self._type].name_property] if self._type in NAMINGS else []
        kind = self._type.split("::")[2]
        wanted += [path[-1] for path in self._schema.identifier if path not in self._schema.read_only]
        wanted += ["Name", f"{kind}Name", f"{kind}Identifier"]
        for candidate in wanted:
            if isinstance(given := request.properties.get(candidate), str) and given:
                return given
        service = self._type.split("::")[1]
        made = physical_name(request, _SHORT_NAMES.get(service, 60))
        return made.lower() if service in _LOWER_CASE else made

    def _attributes(self, properties: Mapping[str, Any], maker: Maker, kept: Mapping[str, Any]) -> dict[str, Any]:
        """What `Fn::GetAtt` gives: a property as it is set, or what the service would give."""
        found: dict[str, Any] = {}
        for attribute in sorted(self._schema.attributes):
            path = tuple(attribute.split("."))
            given = _at(properties, path)
            if given is not None:
                found[attribute] = given
            elif attribute in kept:
                found[attribute] = kept[attribute]
            elif "*" not in attribute:
                found[attribute] = maker.value(path)
        return found


def _reference(found: Schema, parts: Mapping[str, str]) -> str:
    """What `Ref` gives of a primary identifier: its only part; of several the service's own, or that named as the type.

    The rest of a compound identifier names what the resource belongs to, as an API's id does for its stages.
    """
    if len(parts) <= 1:
        return next(iter(parts.values()), "")
    made = [path[-1] for path in found.identifier if path in found.read_only]
    if len(made) == 1:
        return parts[made[0]]
    kind = found.type_name.split("::")[2].lower()
    own = [name for name in parts if name.lower().startswith(kind)]
    return parts[own[0]] if len(own) == 1 else "|".join(parts.values())


def _at(properties: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = properties
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value

"""Resources of types without behaviour: stored, described by CloudFormation, and nothing else.

One mechanism for all of them, driven by AWS's schemas: `Ref` is the primary identifier, attributes are the read-only
properties (made up by `plausible`), a change of a create-only property replaces, drift is read from what is stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainworks.assembly.physical_ids import NAMINGS
from trainworks.assembly.schemas import Schema, schema
from trainworks.twin.resource_types import Resource, ResourceError, ResourceRequest
from trainworks.twin.resources.naming import physical_name
from trainworks.twin.resources.plausible import Maker, made_up_id
from trainworks.twin.store.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS recorded_resources (
    account TEXT NOT NULL, region TEXT NOT NULL, type TEXT NOT NULL, physical_id TEXT NOT NULL,
    properties TEXT NOT NULL, attributes TEXT NOT NULL,
    PRIMARY KEY (account, region, type, physical_id)
) WITHOUT ROWID;
"""
_PUT = "INSERT INTO recorded_resources VALUES (?, ?, ?, ?, ?, ?)"
_SET = (
    "UPDATE recorded_resources SET properties = ?, attributes = ? "
    "WHERE account = ? AND region = ? AND type = ? AND physical_id = ?"
)
_GET = "SELECT * FROM recorded_resources WHERE account = ? AND region = ? AND type = ? AND physical_id = ?"
_DROP = "DELETE FROM recorded_resources WHERE account = ? AND region = ? AND type = ? AND physical_id = ?"

_SHORT_NAMES = {"ElasticLoadBalancingV2": 32, "ElasticLoadBalancing": 32, "Kinesis": 64}
_LOWER_CASE = frozenset(
    {"RDS", "DocDB", "Neptune", "ElastiCache", "MemoryDB", "Redshift", "RedshiftServerless", "OpenSearchServerless"}
    | {"OpenSearchService", "S3Tables", "S3Vectors", "CodeArtifact", "MWAA", "Glue", "Athena"}
)


class RecordedStore:
    """The table that all recorded types share."""

    def __init__(self, database: Database) -> None:
        database.apply(_SCHEMA)
        self.database = database


class RecordedType:
    """One type. Nothing of its schema is read before a resource of it is made."""

    compared = None
    """Every property that the template sets."""

    def __init__(self, type_name: str, store: RecordedStore) -> None:
        self._type = type_name
        self._database = store.database

    def create(self, request: ResourceRequest) -> Resource:
        """Raises `ResourceError` where a resource of that name exists."""
        maker, identifier = self._made(request)
        if self._row(request, identifier) is not None:
            raise ResourceError(f"Resource of type '{self._type}' with identifier '{identifier}' already exists.")
        attributes = self._attributes(request.properties, maker, {})
        with self._database.transaction() as tx:
            tx.execute(_PUT, (*self._key(request, identifier), _text(request.properties), _text(attributes)))
        return Resource(identifier, attributes)

    def update(self, request: ResourceRequest) -> Resource:
        """What the service made stays; a property that is fixed at creation makes another resource."""
        if any(
            _at(request.previous_properties, path) != _at(request.properties, path) for path in self._schema.create_only
        ):
            return self.create(request)
        row = self._row(request, request.physical_id)
        if row is None:
            raise ResourceError(
                f"Resource of type '{self._type}' with identifier '{request.physical_id}' was not found."
            )
        kept = json.loads(row["attributes"])
        maker, _ = self._made(request)
        attributes = self._attributes(request.properties, maker, kept)
        with self._database.transaction() as tx:
            key = self._key(request, request.physical_id)
            tx.execute(_SET, (_text(request.properties), _text(attributes), *key))
        return Resource(request.physical_id, attributes)

    def delete(self, request: ResourceRequest) -> None:
        with self._database.transaction() as tx:
            tx.execute(_DROP, self._key(request, request.physical_id))

    def read(self, request: ResourceRequest) -> Mapping[str, Any] | None:
        row = self._row(request, request.physical_id)
        if row is None:
            return None
        found: Mapping[str, Any] = json.loads(row["properties"])
        return found

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

    # -- rows -------------------------------------------------------------------------------------------------

    def _row(self, request: ResourceRequest, physical_id: str) -> Any:
        return self._database.read_one(_GET, self._key(request, physical_id))

    def _key(self, request: ResourceRequest, physical_id: str) -> tuple[str, str, str, str]:
        return request.caller.account_id, request.caller.region, self._type, physical_id


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


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)

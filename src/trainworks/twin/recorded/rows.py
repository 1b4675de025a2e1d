"""The rows of recorded resources within one transaction. A record is never changed: `update` gives another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from sqlite3 import Connection, Row
from typing import Any

from trainworks.twin.ports import Caller
from trainworks.twin.recorded import tags
from trainworks.twin.recorded.spec import dump, load
from trainworks.twin.recorded.statements import SQL


@dataclass(frozen=True, slots=True)
class Record:
    """One resource, as `schema.sql` describes it. Times are seconds since the epoch, the store's to set."""

    id: str
    kind: str
    scope: str
    name: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    status: str = ""
    parent: str = ""
    created_at: float = 0.0
    modified_at: float = 0.0


class Rows:
    """What may be asked and done within `RecordedStore.change`; within `look`, SQLite refuses to write."""

    def __init__(self, tx: Connection, now: float) -> None:
        self.tx = tx
        self.now = now

    def get(self, record_id: str) -> Record | None:
        row = self.tx.execute(SQL["get"], (record_id,)).fetchone()
        return record_of(row) if row else None

    def first(self, kind: str, scope: str, *, parent: str = "", status: str | None = None) -> Record | None:
        """Any one of a kind; of those that belong to `parent`, or are in `status`."""
        named = {"kind": kind, "scope": scope, "parent": parent, "status": status}
        row = self.tx.execute(SQL["first_of" if status is None else "first_in_status"], named).fetchone()
        return record_of(row) if row else None

    def insert(self, record: Record) -> Record:
        """A new resource. Raises `sqlite3.IntegrityError` if its id is taken: look first."""
        return self.restore(replace(record, created_at=self.now, modified_at=self.now))

    def restore(self, record: Record) -> Record:
        """A resource of another home, with its own times."""
        self.tx.execute(SQL["insert"], _parameters(record))
        return record

    def update(self, record: Record, *, spec: Mapping[str, Any] | None = None, status: str | None = None) -> Record:
        """Another spec, another status, or both; a clock that is set back takes no time back."""
        changed = replace(
            record,
            spec=record.spec if spec is None else spec,
            status=record.status if status is None else status,
            modified_at=max(self.now, record.modified_at),
        )
        self.tx.execute(SQL["update"], _parameters(changed))
        return changed

    def delete(self, record: Record) -> None:
        """The resource and its tags."""
        self.tx.execute(SQL["delete"], (record.id,))
        tags.forget_tags(self.tx, record.id)

    def tags(self, arn: str) -> dict[str, str]:
        return tags.tags_of(self.tx, arn)

    def put_tags(self, arn: str, added: Mapping[str, str]) -> None:
        tags.put_tags(self.tx, arn, added)

    def delete_tags(self, arn: str, keys: Iterable[str]) -> None:
        tags.delete_tags(self.tx, arn, keys)


def record_of(row: Row) -> Record:
    return Record(**{**dict(row), "spec": load(row["spec"])})


def scope_of(caller: Caller) -> str:
    """Where a caller's resources of a regional service live."""
    return f"{caller.account_id}/{caller.region}"


def global_scope_of(caller: Caller) -> str:
    """The same, of a service that knows no regions."""
    return f"{caller.account_id}/"


def stack_resource_id(type_name: str, scope: str, physical_id: str) -> str:
    """What stands for the ARN of a resource that CloudFormation alone knows."""
    return f"{type_name}/{scope}/{physical_id}"


def _parameters(record: Record) -> dict[str, object]:
    return {
        "id": record.id,
        "kind": record.kind,
        "scope": record.scope,
        "parent": record.parent,
        "name": record.name,
        "status": record.status,
        "created_at": record.created_at,
        "modified_at": record.modified_at,
        "spec": dump(record.spec),
    }

"""The rows of endpoints: the record of each is in the store of recorded resources, its variants and containers here.

A change of an endpoint's status, the rows that go with it and its event are one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from trainworks.states.endpoint import EndpointStatus, may_follow
from trainworks.twin.ports import TaskEvent
from trainworks.twin.recorded import Record, RecordedStore, Rows
from trainworks.twin.recorded.rows import record_of
from trainworks.twin.services.sagemaker.hosting.records import (
    Container,
    Endpoint,
    Variant,
    container_of_row,
    endpoint_of,
    variant_of,
)
from trainworks.twin.services.sagemaker.task_events import write_events
from trainworks.twin.store import Database
from trainworks.twin.store.queries import load_queries, load_sql

_PACKAGE = "trainworks.twin.services.sagemaker.hosting"
SQL = load_queries(_PACKAGE)
KIND = "sagemaker:endpoint"


class IllegalTransitionError(RuntimeError):
    """A change to a status that may not follow the present one: a fault of this package, never of a user."""


@dataclass(frozen=True, slots=True)
class Hosted:
    """All that is known of one endpoint at one moment."""

    record: Record
    endpoint: Endpoint
    variants: tuple[Variant, ...]
    containers: tuple[Container, ...]

    def of_fleet(self, fleet: int) -> list[Variant]:
        return [each for each in self.variants if each.fleet == fleet]


class Endpoints:
    """Owns the tables of this package in `twin.db`."""

    def __init__(self, database: Database, recorded: RecordedStore) -> None:
        self.database = database
        self.recorded = recorded
        database.apply(load_sql(_PACKAGE, "schema.sql"))

    def change(self, arn: str, work: Callable[[Rows, Hosted], None]) -> bool:
        """Run `work` on an endpoint in one transaction; False if the endpoint is not there any more."""

        def within(rows: Rows) -> bool:
            hosted = self.load(rows, arn)
            if hosted is None:
                return False
            work(rows, hosted)
            return True

        return self.recorded.change(within)

    def load(self, rows: Rows, arn: str) -> Hosted | None:
        record = rows.get(arn)
        if record is None:
            return None
        variants = tuple(variant_of(row) for row in rows.tx.execute(SQL["variants"], (arn,)).fetchall())
        containers = tuple(container_of_row(row) for row in rows.tx.execute(SQL["containers"], (arn,)).fetchall())
        return Hosted(record, endpoint_of(record), variants, containers)

    def look(self, arn: str) -> Hosted | None:
        with self.recorded.look() as rows:
            return self.load(rows, arn)

    def all_arns(self) -> list[str]:
        """Every endpoint that there is."""
        return [record_of(row).id for row in self.database.read(SQL["all_endpoints"], (KIND,))]

    def whose(self, tx: Connection, task_id: str) -> tuple[Endpoint, Variant, Container] | None:
        """The endpoint, the variant and the container of a task; None if one of them is gone."""
        row = tx.execute(SQL["container"], (task_id,)).fetchone()
        if row is None:
            return None
        container = container_of_row(row)
        record = Rows(tx, 0.0).get(container.endpoint_arn)
        if record is None:
            return None
        variants = (variant_of(each) for each in tx.execute(SQL["variants"], (record.id,)).fetchall())
        variant = next((each for each in variants if each.key == container.key), None)
        return None if variant is None else (endpoint_of(record), variant, container)

    # -- changes, within a transaction ------------------------------------------------------------------------

    def update(self, rows: Rows, record: Record, status: EndpointStatus | None = None, **changes: Any) -> Record:
        """Another status, other members of the record, or both; a member that becomes None is removed.

        Raises `IllegalTransitionError` for a status that may not follow.
        """
        if status is not None and not may_follow(EndpointStatus(record.status), status):
            raise IllegalTransitionError(f"{record.name}: {status} may not follow {record.status}")
        spec = {name: value for name, value in {**record.spec, **changes}.items() if value is not None}
        return rows.update(record, spec=spec, status=None if status is None else status.value)

    def put_variants(self, tx: Connection, variants: Sequence[Variant]) -> None:
        tx.executemany(SQL["insert_variant"], [each.row() for each in variants])

    def scale(self, tx: Connection, variant: Variant, count: int, weight: float) -> None:
        """From now on `count` containers and `weight` as the share of requests are wanted."""
        named = {"endpoint_arn": variant.endpoint_arn, "fleet": variant.fleet, "name": variant.name}
        tx.execute(SQL["scale_variant"], {"count": count, "weight": weight, **named})

    def put_containers(self, tx: Connection, variant: Variant, task_ids: Iterable[str], now: float) -> None:
        named = {"endpoint_arn": variant.endpoint_arn, "fleet": variant.fleet, "variant": variant.name}
        tx.executemany(SQL["insert_container"], [{"task_id": each, "created_at": now, **named} for each in task_ids])

    def serve(self, tx: Connection, task_id: str) -> None:
        """The container has answered: it gets requests."""
        tx.execute(SQL["serve"], (task_id,))

    def drain(self, tx: Connection, task_ids: Iterable[str], now: float) -> None:
        tx.executemany(SQL["drain"], [(now, each) for each in task_ids])

    def note_stop(self, tx: Connection, task_ids: Iterable[str]) -> None:
        tx.executemany(SQL["stop_sent"], [(each,) for each in task_ids])

    def forget(self, tx: Connection, task_ids: Iterable[str]) -> None:
        tx.executemany(SQL["delete_container"], [(each,) for each in task_ids])

    def forget_fleet(self, tx: Connection, arn: str, fleet: int) -> None:
        tx.execute(SQL["delete_fleet"], (arn, fleet))

    def apply_events(self, tx: Connection, events: Sequence[TaskEvent]) -> set[str]:
        """Write task events into their rows; the ARNs of the endpoints concerned."""
        return write_events(tx, SQL["report"], events)

"""What homes of earlier versions have elsewhere: notebooks, anomaly monitors, CloudFormation's types, tags of jobs.

All of it is moved in one transaction, which also drops the tables: after a crash it is done, or not yet begun.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from sqlite3 import Connection, Row
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.twin.recorded.rows import Record, Rows, stack_resource_id
from trainworks.twin.recorded.statements import SQL
from trainworks.twin.store.database import Database

_STATUS = "NotebookInstanceStatus"

Found = tuple[Record, Mapping[str, str]]
"""A resource with its tags."""


def bring_over(database: Database, now: float) -> None:
    """Move what there is. `now` stands for a time of creation that is not known."""
    if not database.read(SQL["earlier_tables"]):
        return
    with database.transaction() as tx:
        rows = Rows(tx, now)
        for table in [row["name"] for row in tx.execute(SQL["earlier_tables"]).fetchall()]:
            if table in _TAGS:
                tx.execute(_TAGS[table])
            else:
                _restore(rows, _READ[table](tx, now))
            tx.execute(_DROP[table])


def _restore(rows: Rows, found: Iterator[Found]) -> None:
    for record, tags in list(found):
        if rows.get(record.id) is None:
            rows.restore(record)
            rows.put_tags(record.id, tags)


def _notebooks(tx: Connection, _: float) -> Iterator[Found]:
    for row in tx.execute(SQL["earlier_notebooks"]):
        spec = json.loads(row["spec"])
        tags = spec.pop("Tags", [])
        is_instance = row["kind"] == "notebook-instance"
        status = spec.pop(_STATUS, "Stopped") if is_instance else ""
        spec.pop("NotebookInstanceName" if is_instance else "NotebookInstanceLifecycleConfigName", None)
        yield _of_arn(row, "sagemaker", row["name"], spec, status, row["modified_at"]), _by_key(tags)


def _anomalies(tx: Connection, _: float) -> Iterator[Found]:
    for row in tx.execute(SQL["earlier_anomalies"]):
        spec = json.loads(row["spec"])
        name = row["arn"].rpartition("/")[2]
        yield _of_arn(row, "ce", name, spec, spec.get("MonitorType", ""), row["created_at"]), json.loads(row["tags"])


def _stack_resources(tx: Connection, now: float) -> Iterator[Found]:
    for row in tx.execute(SQL["earlier_stack_resources"]):
        spec = {name: json.loads(row[name]) for name in ("properties", "attributes")}
        scope, name = f"{row['account']}/{row['region']}", row["physical_id"]
        record_id = stack_resource_id(row["type"], scope, name)
        yield Record(record_id, row["type"], scope, name, spec, created_at=now, modified_at=now), {}


def _of_arn(  # noqa: PLR0917 - the columns of a row
    row: Row, service: str, name: str, spec: Mapping[str, Any], status: str, modified_at: float
) -> Record:
    arn = parts_of_arn(row["arn"])
    return Record(
        id=row["arn"],
        kind=f"{service}:{row['kind']}",
        scope=f"{arn.account}/{arn.region}",
        name=name,
        spec=spec,
        status=status,
        created_at=row["created_at"],
        modified_at=modified_at,
    )


def _by_key(tags: list[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


_READ: Mapping[str, Callable[[Connection, float], Iterator[Found]]] = {
    "sagemaker_notebook": _notebooks,
    "cost_anomaly": _anomalies,
    "recorded_resources": _stack_resources,
}
_TAGS = {"sagemaker_tag": SQL["earlier_tags"], "batch_tag": SQL["earlier_batch_tags"]}
_DROP = {table: f"DROP TABLE {table}" for table in (*_READ, *_TAGS)}

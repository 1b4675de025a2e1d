"""ListTrainingJobs: its filters, order and pages, each page read along the index of its order.

Source: `ListTrainingJobs` in the SageMaker API reference and botocore's model, defaults included.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import product
from typing import Any

from trainworks.twin.services.sagemaker.training.records import TrainingJob, job_of_row
from trainworks.twin.store.database import Database
from trainworks.twin.wire import read_page

_DEFAULT_PAGE = 10
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "Name": ("name",),
    "CreationTime": ("creation_time", "name"),
    "Status": ("status", "name"),
}


def _columns(sort_by: str, *, one_status: bool) -> tuple[str, ...]:
    """The columns of the order; jobs of one status are in the order of their names by it."""
    return _COLUMNS["Name" if one_status and sort_by == "Status" else sort_by]


def _index(sort_by: str, *, one_status: bool) -> str:
    """The index that has the jobs in their order. Named, because SQLite would rather use one for the limits of time."""
    if sort_by == "CreationTime":
        return "training_job_by_status_and_creation" if one_status else "training_job_by_creation"
    return "training_job_by_name" if sort_by == "Name" and not one_status else "training_job_by_status"


def _statement(sort_by: str, order: str, *, one_status: bool) -> str:
    """The jobs of a region behind the position `after_1`, `after_2`."""
    columns = _columns(sort_by, one_status=one_status)
    after = [f":after_{number}" for number, _ in enumerate(columns, start=1)]
    comparison = ">" if order == "Ascending" else "<"
    direction = "ASC" if order == "Ascending" else "DESC"
    position = f"({', '.join(columns)}) {comparison} ({', '.join(after)})"
    ordered = ", ".join(f"{column} {direction}" for column in columns)
    parts = (
        "SELECT",
        f"* FROM training_job INDEXED BY {_index(sort_by, one_status=one_status)} WHERE region = :region",
        "AND status = :status" if one_status else "",
        f"AND {position} AND instr(lower(name), :contains)",
        "AND creation_time > :created_after AND creation_time < :created_before",
        "AND last_modified_time > :modified_after AND last_modified_time < :modified_before",
        f"ORDER BY {ordered} LIMIT :limit",
    )
    return " ".join(parts)


STATEMENTS: Mapping[tuple[str, str, bool], str] = {
    (sort_by, order, one_status): _statement(sort_by, order, one_status=one_status)
    for sort_by, order, one_status in product(_COLUMNS, ("Ascending", "Descending"), (False, True))
}
"""By SortBy, SortOrder, and whether StatusEquals is given."""

_FOREVER = 1e18
_BEHIND_NAMES = "\x7f"


def list_page(database: Database, region: str, params: Mapping[str, Any]) -> tuple[list[TrainingJob], str | None]:
    """The page that a ListTrainingJobs request asks for, and the next token."""
    sort_by, order = params.get("SortBy", "CreationTime"), params.get("SortOrder", "Ascending")
    one_status = "StatusEquals" in params
    statement, columns = STATEMENTS[sort_by, order, one_status], _columns(sort_by, one_status=one_status)
    bounds = {
        "region": region,
        "status": params.get("StatusEquals"),
        "contains": params.get("NameContains", "").lower(),
        "created_after": _seconds(params.get("CreationTimeAfter"), -_FOREVER),
        "created_before": _seconds(params.get("CreationTimeBefore"), _FOREVER),
        "modified_after": _seconds(params.get("LastModifiedTimeAfter"), -_FOREVER),
        "modified_before": _seconds(params.get("LastModifiedTimeBefore"), _FOREVER),
    }
    start = [_first(column, ascending=order == "Ascending") for column in columns]

    def read(after: list[Any] | None, limit: int) -> list[TrainingJob]:
        position = {f"after_{number}": value for number, value in enumerate(after or start, start=1)}
        return [job_of_row(row) for row in database.read(statement, {**bounds, **position, "limit": limit})]

    return read_page(
        read,
        key=lambda job: [_value(job, column) for column in columns],
        limit=params.get("MaxResults", _DEFAULT_PAGE),
        token=params.get("NextToken"),
        request=params,
        like=start,
    )


def _first(column: str, *, ascending: bool) -> object:
    """What sorts before every value of a column."""
    if column == "creation_time":
        return -_FOREVER if ascending else _FOREVER
    return "" if ascending else _BEHIND_NAMES


def _value(job: TrainingJob, column: str) -> object:
    return {"name": job.name, "creation_time": job.creation_time, "status": job.status.value}[column]


def _seconds(moment: datetime | None, otherwise: float) -> float:
    return otherwise if moment is None else moment.timestamp()

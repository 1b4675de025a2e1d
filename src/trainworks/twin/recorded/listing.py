"""Lists of one kind: filters, order and pages, each page read along the index of its order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from trainworks.twin.recorded.rows import Record, Rows, record_of
from trainworks.twin.wire import read_page

_FOREVER = 1e18
_BEHIND_NAMES = "\U0010ffff"
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "name": ("name",),
    "created_at": ("created_at", "name"),
    "modified_at": ("modified_at", "name"),
    "status": ("status", "name"),
}
_INDEXES: Mapping[tuple[str, bool], str] = {
    ("name", False): "recorded_by_name",
    ("created_at", False): "recorded_by_creation",
    ("modified_at", False): "recorded_by_change",
    ("status", False): "recorded_by_status",
    ("name", True): "recorded_by_status",
    ("created_at", True): "recorded_by_status_and_creation",
    ("modified_at", True): "recorded_by_status_and_change",
}


def _statement(sort_by: str, *, descending: bool, one_status: bool) -> str:
    """The resources of a kind behind the position `after_1`, `after_2`."""
    columns = _COLUMNS[sort_by]
    after = [f":after_{number}" for number, _ in enumerate(columns, start=1)]
    direction = "DESC" if descending else "ASC"
    ordered = ", ".join(f"{column} {direction}" for column in columns)
    parts = (
        "SELECT",
        f"* FROM recorded INDEXED BY {_INDEXES[sort_by, one_status]}",
        "WHERE kind = :kind AND scope = :scope AND parent = :parent",
        "AND status = :status" if one_status else "",
        f"AND ({', '.join(columns)}) {'<' if descending else '>'} ({', '.join(after)})",
        "AND instr(lower(name), :contains) AND substr(name, 1, length(:prefix)) = :prefix",
        "AND created_at > :created_after AND created_at < :created_before",
        "AND modified_at > :modified_after AND modified_at < :modified_before",
        f"ORDER BY {ordered}",
    )
    return " ".join(part for part in parts if part)


STATEMENTS: Mapping[tuple[str, bool, bool], str] = {
    (sort_by, descending, one_status): _statement(sort_by, descending=descending, one_status=one_status)
    for (sort_by, one_status), descending in product(_INDEXES, (False, True))
}
"""By order, whether it is descending, and whether one status alone is asked for."""


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What of a kind is asked for. `sort_by` is a column: `name`, `created_at`, `modified_at`, `status`.

    `contains` is looked for in names whatever its case; the bounds of times are seconds since the epoch, exclusive.
    `matches` says about each that SQL has found whether it is meant.
    """

    kind: str
    scope: str
    parent: str = ""
    sort_by: str = "name"
    descending: bool = False
    status: str | None = None
    contains: str = ""
    prefix: str = ""
    created_after: float = -_FOREVER
    created_before: float = _FOREVER
    modified_after: float = -_FOREVER
    modified_before: float = _FOREVER
    matches: Callable[[Record], bool] | None = None

    @property
    def order(self) -> str:
        """The column to sort by: those of one status are in the order of their names by it."""
        return "name" if self.sort_by == "status" and self.status is not None else self.sort_by


def list_page(
    rows: Rows,
    question: ListQuery,
    *,
    limit: int,
    token: str | None,
    request: Mapping[str, Any],
    error_code: str = "ValidationException",
) -> tuple[list[Record], str | None]:
    """The page behind `token`, and the token of the next. `request` must stay the same from page to page."""
    columns = _COLUMNS[question.order]
    statement = STATEMENTS[question.order, question.descending, question.status is not None]
    start = [_first(column, descending=question.descending) for column in columns]

    def read(after: list[Any] | None, most: int) -> list[Record]:
        named = {f"after_{number}": value for number, value in enumerate(after or start, start=1)}
        with closing(rows.tx.execute(statement, _bounds(question) | named)) as cursor:
            return list(islice(filter(question.matches, map(record_of, cursor)), most))

    return read_page(
        read,
        key=lambda record: [getattr(record, column) for column in columns],
        limit=limit,
        token=token,
        request=request,
        error_code=error_code,
        like=start,
    )


def _bounds(question: ListQuery) -> dict[str, object]:
    return {
        "kind": question.kind,
        "scope": question.scope,
        "parent": question.parent,
        "status": question.status,
        "contains": question.contains.lower(),
        "prefix": question.prefix,
        "created_after": question.created_after,
        "created_before": question.created_before,
        "modified_after": question.modified_after,
        "modified_before": question.modified_before,
    }


def _first(column: str, *, descending: bool) -> object:
    """What sorts before every value of a column."""
    if column in ("created_at", "modified_at"):
        return _FOREVER if descending else -_FOREVER
    return _BEHIND_NAMES if descending else ""

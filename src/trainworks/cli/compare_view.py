"""How jobs look side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType

from trainworks.application.comparison import ASKED
from trainworks.cli.jobs_view import cost_cell, figure, seconds_text, shown
from trainworks.cli.output import records


@dataclass(frozen=True, slots=True)
class Row:
    """One fact of all jobs: `group` is `hyperparameter`, `metric`, or nothing."""

    group: str
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """Jobs side by side, for people."""

    names: tuple[str, ...]
    rows: tuple[Row, ...]


def compared(described: Sequence[Mapping[str, Any]]) -> Compared:
    """Records as rows, without facts that no job has."""
    rows = tuple(row for row in _rows(described) if any(row.values))
    return Compared(tuple(each["name"] for each in described), rows)


def _rows(described: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    for key in ASKED:
        yield Row("", key.replace("_", " "), tuple(shown(each.get(key)) for each in described))
    for group, key in (("hyperparameter", "hyperparameters"), ("metric", "metrics")):
        for name in dict.fromkeys(name for each in described for name in each[key]):
            values = (each[key].get(name) for each in described)
            yield Row(group, name, tuple("" if value is None else figure(value) for value in values))
    for name, key in (("ran for", "seconds"), ("billed", "billable_seconds")):
        yield Row("", name, tuple("" if each[key] is None else seconds_text(each[key]) for each in described))
    yield Row("", "interruptions", tuple(str(each["interruptions"] or "") for each in described))
    saved = (each["spot_savings_percent"] for each in described)
    yield Row("", "spot savings", tuple("" if percent is None else f"{percent} %" for percent in saved))
    yield Row("", "cost", tuple(cost_cell(each["cost"]) for each in described))


def comparison_of(compared: Compared) -> RenderableType:
    """What differs, a line a fact and a column a job; then what all have in common, once."""
    differing = [row for row in compared.rows if len(set(row.values)) > 1]
    common = [row for row in compared.rows if len(set(row.values)) == 1]
    parts: list[RenderableType] = [
        records(("", "", *compared.names), [(row.group, row.name, *row.values) for row in differing])
    ]
    if common:
        parts += ["", records(("", "in common", ""), [(row.group, row.name, row.values[0]) for row in common])]
    return Group(*parts)

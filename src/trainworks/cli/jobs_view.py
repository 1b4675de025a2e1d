"""How jobs look: lists, facts, metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from trainworks.cli.addressed import addressed
from trainworks.cli.output import facts, records

if TYPE_CHECKING:
    from trainworks.jobs.job import JobSummary
    from trainworks.jobs.metrics import MetricSeries

_BARS = "▁▂▃▄▅▆▇█"
_UNITS = {"memory_mib": ("memory", " MiB"), "spot_savings_percent": ("spot savings", " %"), "vcpus": ("vCPUs", "")}
"""Label and unit of facts whose names have a unit in them."""
_TABLES = ("transitions", "metrics", "hyperparameters")


def list_of(found: Sequence[JobSummary], more: Mapping[str, Sequence[str]], is_filtered: bool) -> RenderableType:
    """A line a job; `more` are further columns."""
    if not found:
        return "no such jobs" if is_filtered else addressed("no jobs yet: trainworks train SCRIPT")
    now = datetime.now(UTC)
    rows = [
        (each.name, each.kind, each.status, age(each.created_at, now), duration(each.created_at, each.ended_at))
        for each in found
    ]
    further = list(zip(*more.values(), strict=True)) if more else [()] * len(rows)
    columns = ("job", "kind", "status", "age", "took", *more)
    return records(columns, [(*row, *cells) for row, cells in zip(rows, further, strict=True)])


def facts_of(described: Mapping[str, object]) -> RenderableType:
    """One job: its facts, and what there are several of as lists."""
    plain = dict(
        _labelled(name, value) for name, value in described.items() if name not in _TABLES and value is not None
    )
    parts: list[RenderableType] = [facts(plain)]
    given = described.get("hyperparameters")
    if isinstance(given, Mapping) and given:
        parts += [
            "",
            records(("hyperparameter", "value"), [(str(name), shown(value)) for name, value in given.items()]),
        ]
    measured = described.get("metrics")
    if isinstance(measured, Mapping) and measured:
        parts += [
            "",
            records(("metric", "final value"), [(str(name), figure(value)) for name, value in measured.items()]),
        ]
    way = described.get("transitions")
    if isinstance(way, list) and way:
        rows = [(str(each["status"]), shown(each["at"]), str(each["message"])) for each in way]
        parts += ["", records(("secondary status", "since", "message"), rows, prose=("message",))]
    return Group(*parts)


def _labelled(name: str, value: object) -> tuple[str, str]:
    """A fact by the name and with the unit that people read."""
    label, unit = _UNITS.get(name, (name.replace("_", " ").replace("s3 uri", "URI").replace("uri", "URI"), ""))
    return label, f"{shown(value)}{unit}"


def metrics_table(found: Sequence[MetricSeries]) -> RenderableType:
    """A line a metric, with its way as bars."""
    rows = []
    for series in found:
        values = [point.value for point in series.points]
        figures = [f"{value:.4g}" for value in (values[-1], min(values), max(values))]
        rows.append((series.name, series.host or "", str(len(values)), *figures, sparkline(values)))
    return records(("metric", "host", "points", "last", "min", "max", ""), rows)


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """Values over time as bars, averaged into at most `width` of them."""
    if len(values) > width:
        edges = [index * len(values) // width for index in range(width + 1)]
        values = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(values), max(values)
    span = high - low
    return "".join(_BARS[round((value - low) / span * (len(_BARS) - 1)) if span else 0] for value in values)


def figure(value: object) -> str:
    """A number to six digits."""
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)


def cost_cell(cost: object) -> str:
    """What `describe` says about a cost, short enough for a column: the sum without where its prices are from."""
    return str(cost or "").partition(" (")[0]


def shown(value: object) -> str:
    """A value for people."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone():%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {count}" for key, count in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit that fits at least twice; `--output json` has the time itself."""
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def duration(start: datetime | None, end: datetime | None) -> str:
    """How long something took, or has taken so far."""
    if start is None:
        return ""
    text = seconds_text(((end or datetime.now(UTC)) - start).total_seconds())
    return text if end else f"{text}, so far"


def seconds_text(seconds: float) -> str:
    """`12.0 s`, `3.5 min`."""
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"

"""Metric data of CloudWatch on disk: a row per series and second, after three hours a row per series and minute.

Stock keeps every value of every series in memory, and walks all of them with each request. Here memory holds nothing,
and a series has at most 10,800 + 21,600 rows, whatever is published: values of one second are added up, as CloudWatch
does with those of one period. Percentiles are known while a second or minute has at most 150 different values, which is
what one `Values` array may have.

ministack reads series by walking `_metrics`; what a request asks for (`wanted`) bounds that walk.
"""

from __future__ import annotations

import contextvars
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from sqlite3 import Connection, Row
from types import ModuleType
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.store.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS metric_series (
    series_id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, dims TEXT NOT NULL,
    dimensions TEXT NOT NULL, last_at INTEGER NOT NULL,
    UNIQUE (account, region, namespace, name, dims));
CREATE INDEX IF NOT EXISTS metric_series_by_age ON metric_series (last_at);
CREATE TABLE IF NOT EXISTS metric_point (
    series_id INTEGER NOT NULL, at INTEGER NOT NULL, unit TEXT NOT NULL, is_fine INTEGER NOT NULL,
    count REAL NOT NULL, sum REAL NOT NULL, least REAL NOT NULL, most REAL NOT NULL, samples TEXT,
    PRIMARY KEY (series_id, at, unit)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS metric_point_by_age ON metric_point (is_fine, at);
"""
_FIND = (
    "SELECT series_id, last_at FROM metric_series "
    "WHERE account = ? AND region = ? AND namespace = ? AND name = ? AND dims = ?"
)
_MAKE = (
    "INSERT INTO metric_series (account, region, namespace, name, dims, dimensions, last_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_TOUCH = "UPDATE metric_series SET last_at = max(last_at, ?) WHERE series_id = ?"
_ALL = "SELECT * FROM metric_series WHERE account = ? AND region = ? ORDER BY namespace, name, dims"
_NAMESPACE = "SELECT * FROM metric_series WHERE account = ? AND region = ? AND namespace = ? ORDER BY name, dims"
_PAGE = 1000
_ALL_FROM = (
    "SELECT * FROM metric_series WHERE account = ? AND region = ? AND (namespace, name, dims) > (?, ?, ?) "
    "ORDER BY namespace, name, dims LIMIT 1000"
)
_NAMESPACE_FROM = (
    "SELECT * FROM metric_series WHERE account = ? AND region = ? AND namespace = ? AND (name, dims) > (?, ?) "
    "ORDER BY name, dims LIMIT 1000"
)
_NAMED = "SELECT * FROM metric_series WHERE account = ? AND region = ? AND namespace = ? AND name = ? ORDER BY dims"
_POINT = "SELECT * FROM metric_point WHERE series_id = ? AND at = ? AND unit = ?"
_POINTS = "SELECT * FROM metric_point WHERE series_id = ? AND at >= ? AND at < ? ORDER BY at"
_PUT = "INSERT OR REPLACE INTO metric_point VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DROP = "DELETE FROM metric_point WHERE series_id = ? AND at = ? AND unit = ?"
_OLD_FINE = "SELECT * FROM metric_point WHERE is_fine = 1 AND at < ? ORDER BY at LIMIT 500"
_OLD = "SELECT series_id, at, unit FROM metric_point WHERE is_fine = 0 AND at < ? ORDER BY at LIMIT 500"
_OLD_SERIES = (
    "DELETE FROM metric_series WHERE series_id IN (SELECT series_id FROM metric_series WHERE last_at < ? LIMIT 500)"
)

_FINE_SECONDS = 3 * 3600
_KEPT_SECONDS = 15 * 86_400
_UPKEEP_SECONDS = 60.0
_MOST_SAMPLES = 150
_END = 2**62


@dataclass(frozen=True, slots=True)
class SeriesSelection:
    """What a request asks for: names of series and seconds; all if it names none."""

    names: frozenset[tuple[str, str]] = frozenset()
    namespace: str = ""
    start: int = 0
    end: int = _END


_ANYTHING = SeriesSelection()
_wanted: contextvars.ContextVar[SeriesSelection] = contextvars.ContextVar("wanted", default=_ANYTHING)


@dataclass(slots=True)
class _Sum:
    """Values of one second or minute, added up."""

    count: float = 0.0
    sum: float = 0.0
    least: float = 0.0
    most: float = 0.0
    samples: dict[str, float] | None = field(default_factory=dict)

    def add(self, count: float, total: float, least: float, most: float, samples: Mapping[str, float] | None) -> None:
        self.least = least if not self.count else min(self.least, least)
        self.most = most if not self.count else max(self.most, most)
        self.count += count
        self.sum += total
        if samples is None or self.samples is None:
            self.samples = None
            return
        for value, times in samples.items():
            self.samples[value] = self.samples.get(value, 0.0) + times
        if len(self.samples) > _MOST_SAMPLES:
            self.samples = None

    def add_row(self, row: Row) -> None:
        samples = json.loads(row["samples"]) if row["samples"] is not None else None
        self.add(row["count"], row["sum"], row["least"], row["most"], samples)

    def columns(self) -> tuple[Any, ...]:
        samples = json.dumps(self.samples) if self.samples is not None else None
        return self.count, self.sum, self.least, self.most, samples


class MetricData:
    """Owns `metrics.db`. A commit survives the end of the process; only a power cut may take the last moments."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._next_upkeep = 0.0
        database.apply(_SCHEMA)

    def install(self, cloudwatch: ModuleType) -> None:
        """CloudWatch was loaded: its data is kept here, and what an earlier version kept is moved here."""
        module: Any = cloudwatch
        self._take_over(module)
        module._metrics = _Series(self)
        module._metric_bucket = lambda key: _Bucket(self, key)
        module._store_datum = self.store
        module._evict_old_metrics = self._keep_up
        for name in ("_get_metric_statistics", "_get_metric_data"):
            setattr(module, name, _bounded(getattr(module, name), module))

    def close(self) -> None:
        self._database.close()

    def transaction(self) -> Any:
        """Make what is stored in it one commit."""
        return self._database.transaction()

    def store(  # noqa: PLR0917 - ministack's own signature
        self,
        namespace: str,
        name: str,
        dims: Mapping[str, str],
        ts: float,
        unit: str,
        value: float | None,
        values: Sequence[float] | None,
        counts: Sequence[float] | None,
        stat_values: Mapping[str, float] | None,
    ) -> None:
        """Add one datum of `PutMetricData` to its series."""
        added = _Sum()
        if values is not None:
            for each, times in zip(values, counts or [1.0] * len(values), strict=True):
                added.add(times, each * times, each, each, {repr(float(each)): float(times)})
        elif stat_values is not None:
            least, most, total = (float(stat_values[key]) for key in ("Minimum", "Maximum", "Sum"))
            count = float(stat_values["SampleCount"])
            same = least == most and total == least * count
            added.add(count, total, least, most, {repr(least): count} if same else None)
        else:
            number = float(value or 0)
            added.add(1.0, number, number, number, {repr(number): 1.0})
        if added.count:
            with self._database.transaction() as tx:
                self._add(tx, self._series(tx, namespace, name, dims, int(ts)), int(ts), unit or "None", added)

    def series(self) -> Iterator[tuple[tuple[str, str, str], Row]]:
        """The series of the request's account and region that it wants, by ministack's key."""
        scope, wanted = engine.scope(), _wanted.get()
        if wanted.names:
            found = [row for names in sorted(wanted.names) for row in self._database.read(_NAMED, (*scope, *names))]
        elif wanted.namespace:
            found = self._database.read(_NAMESPACE, (*scope, wanted.namespace))
        else:
            found = self._database.read(_ALL, scope)
        for row in found:
            yield (row["namespace"], row["name"], row["dims"]), row

    def series_from(self, namespace: str, after: tuple[str, str, str]) -> Iterator[Row]:
        """The series of the request's account and region behind a key, of one namespace or of all."""
        scope = engine.scope()
        while True:
            if namespace:
                page = self._database.read(_NAMESPACE_FROM, (*scope, namespace, *after[1:]))
            else:
                page = self._database.read(_ALL_FROM, (*scope, *after))
            yield from page
            if len(page) < _PAGE:
                return
            after = (page[-1]["namespace"], page[-1]["name"], page[-1]["dims"])

    def find(self, key: tuple[str, str, str]) -> Row | None:
        return self._database.read_one(
            "SELECT * FROM metric_series WHERE account = ? AND region = ? AND namespace = ? AND name = ? AND dims = ?",
            (*engine.scope(), *key),
        )

    def points(self, series: Row, start: int, end: int) -> Iterator[dict[str, Any]]:
        """Points as ministack has them: a value with its count, or a statistic set."""
        dimensions = json.loads(series["dimensions"])
        for row in self._database.read(_POINTS, (series["series_id"], start, end)):
            base = {"Timestamp": float(row["at"]), "Unit": row["unit"], "Dimensions": dimensions}
            if row["samples"] is not None:
                for value, count in json.loads(row["samples"]).items():
                    yield {**base, "Value": float(value), "Count": count}
            else:
                statistic = {"SampleCount": row["count"], "Sum": row["sum"]}
                statistic |= {"Minimum": row["least"], "Maximum": row["most"]}
                yield {**base, "Value": row["sum"] / row["count"], "_stat": statistic}

    def _series(self, tx: Connection, namespace: str, name: str, dims: Mapping[str, str], at: int) -> int:
        scope = engine.scope()
        key = (*scope, namespace, name, dims_key(dims))
        row = tx.execute(_FIND, key).fetchone()
        if row is None:
            return int(tx.execute(_MAKE, (*key, json.dumps(dict(dims)), at)).lastrowid or 0)
        if at >= row["last_at"] + 3600:
            tx.execute(_TOUCH, (at, row["series_id"]))
        return int(row["series_id"])

    def _add(self, tx: Connection, series_id: int, at: int, unit: str, added: _Sum) -> None:
        is_fine = at >= self._clock() - _FINE_SECONDS
        at = at if is_fine else at // 60 * 60
        row = tx.execute(_POINT, (series_id, at, unit)).fetchone()
        if row is not None:
            added.add_row(row)
        tx.execute(_PUT, (series_id, at, unit, int(is_fine), *added.columns()))

    def _keep_up(self) -> None:
        """Once a minute: bring some old seconds together to minutes, and let go of what is too old."""
        now = self._clock()
        if now < self._next_upkeep:
            return
        self._next_upkeep = now + _UPKEEP_SECONDS
        with self._database.transaction() as tx:
            fine = tx.execute(_OLD_FINE, (int(now) - _FINE_SECONDS,)).fetchall()
            sums: dict[tuple[int, int, str], _Sum] = {}
            for row in fine:
                tx.execute(_DROP, (row["series_id"], row["at"], row["unit"]))
                sums.setdefault((row["series_id"], row["at"] // 60 * 60, row["unit"]), _Sum()).add_row(row)
            for (series_id, at, unit), added in sums.items():
                self._add(tx, series_id, at, unit, added)
            old = tx.execute(_OLD, (int(now) - _KEPT_SECONDS,)).fetchall()
            tx.executemany(_DROP, [tuple(row) for row in old])
            tx.execute(_OLD_SERIES, (int(now) - _KEPT_SECONDS - 3600,))
        if len(fine) == 500 or len(old) == 500:
            self._next_upkeep = now + 0.5

    def _take_over(self, module: Any) -> None:
        stored = getattr(module._metrics, "_data", None)
        if not stored:
            return
        scope = engine.module("core.responses").request_scope
        with self._database.transaction():
            for (account, region, key), points in list(dict.items(stored)):
                with scope(account, region):
                    for point in points:
                        self._take_over_point(key, point)
        stored.clear()

    def _take_over_point(self, key: tuple[str, str, str], point: Mapping[str, Any]) -> None:
        values = [point["Value"]] if "_stat" not in point else None
        counts = [point.get("Count", 1.0)] if values is not None else None
        if values is None or all(abs(each) < 2**360 for each in values):  # NaN is not a data point
            self.store(key[0], key[1], point["Dimensions"], point["Timestamp"], point["Unit"], None, values, counts,
                       point.get("_stat"))  # fmt: skip


class _Series:
    """In the place of `cloudwatch._metrics`."""

    def __init__(self, data: MetricData) -> None:
        self._data = data

    def items(self) -> Iterator[tuple[tuple[str, str, str], _Points]]:
        for key, row in self._data.series():
            yield key, _Points(self._data, row)

    def get(self, key: tuple[str, str, str], default: Any = None) -> Any:
        row = self._data.find(key)
        return default if row is None else _Points(self._data, row)

    def clear(self) -> None:
        raise NotImplementedError("the metric data of a twin goes with its home")


class _Points:
    """The points of one series; read when somebody walks through them."""

    def __init__(self, data: MetricData, series: Row) -> None:
        self._data = data
        self._series = series

    def __iter__(self) -> Iterator[dict[str, Any]]:
        wanted = _wanted.get()
        return self._data.points(self._series, wanted.start, wanted.end)

    def since(self, start: float) -> list[dict[str, Any]]:
        """The points from a second on."""
        return list(self._data.points(self._series, int(start), _END))

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, place: int) -> dict[str, Any]:
        """ministack takes the dimensions of a series from its first point."""
        return {"Dimensions": json.loads(self._series["dimensions"])}


class _Bucket:
    """What ministack's own services append their values to."""

    def __init__(self, data: MetricData, key: tuple[str, str, str]) -> None:
        self._data = data
        self._key = key

    def append(self, point: Mapping[str, Any]) -> None:
        namespace, name, _ = self._key
        self._data.store(
            namespace, name, point["Dimensions"], point["Timestamp"], point["Unit"], point["Value"], None, None, None
        )


def dims_key(dims: Mapping[str, str]) -> str:
    """As ministack writes the dimensions of a series."""
    return str(engine.service("cloudwatch")._dims_key(dims))


def _bounded(stock: Callable[..., Any], module: Any) -> Callable[..., Any]:
    """The stock operation, told which series and which time it is about."""

    def operation(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        def given(name: str) -> Any:
            return cbor_data.get(name) if is_cbor or is_json else module._p(params, name) or None

        start, end = module._parse_ts(given("StartTime")), module._parse_ts(given("EndTime"))
        names: set[tuple[str, str]] = set()
        if given("Namespace") and given("MetricName"):
            names.add((given("Namespace"), given("MetricName")))
        for query in _queries(params, cbor_data, module, is_document=is_cbor or is_json):
            names.add(query)
        token = _wanted.set(
            SeriesSelection(
                frozenset(names),
                given("Namespace") or "",
                int(start) if start is not None else 0,
                int(end) + 1 if end is not None else _END,
            )
        )
        try:
            return stock(params, cbor_data, is_cbor, is_json)
        finally:
            _wanted.reset(token)

    return operation


def _queries(params: Any, cbor_data: Any, module: Any, *, is_document: bool) -> Iterator[tuple[str, str]]:
    """Namespace and name of each query of GetMetricData."""
    if is_document:
        for query in cbor_data.get("MetricDataQueries") or []:
            metric = (query.get("MetricStat") or {}).get("Metric") or {}
            if metric.get("Namespace") and metric.get("MetricName"):
                yield metric["Namespace"], metric["MetricName"]
        return
    place = 1
    while module._p(params, f"MetricDataQueries.member.{place}.Id"):
        prefix = f"MetricDataQueries.member.{place}.MetricStat.Metric"
        namespace, name = module._p(params, f"{prefix}.Namespace"), module._p(params, f"{prefix}.MetricName")
        if namespace and name:
            yield namespace, name
        place += 1

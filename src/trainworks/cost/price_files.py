"""Price files: TOML in, `PriceTable` out, every wrong word named.

    region = "us-east-1"
    currency = "USD"

    [sources.price_list]
    title = "AWS Price List API"
    published = 2026-10-03                  # or: retrieved = 2026-11-22

    [[prices]]
    prefix = "vpc."                         # may be left out
    unit = "hour"
    source = "price_list"
    note = "what the figure leaves out"     # may be left out
    [prices.figures]
    nat_gateway = "0.045"
    "ec2.spot.m5.large" = { low = "0.0319", high = "0.0453" }

    [[disagreements]]                       # another source's figure, which is not used
    key = "vpc.nat_gateway"
    figure = "0.048"
    source = "some_page"
    why = "that page is older"

What ships comes last, before it what `trainworks cost refresh` wrote, before that the user's own file:
`$XDG_CONFIG_HOME/trainworks/prices/refreshed/REGION.toml` and `.../prices/REGION.toml`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Any

from trainworks.aws.partition import partition_of
from trainworks.config.toml_lines import line_of, parse_toml
from trainworks.cost.keys import Unit, similar, unit_of
from trainworks.cost.money import Money
from trainworks.cost.prices import Disagreement, Price, PriceSource, PriceTable
from trainworks.errors import ConfigurationError

CURRENCY = "USD"
_GLOBAL = "global"
_FIELDS = ("region", "currency", "sources", "prices", "disagreements")
_GROUP_FIELDS = ("prefix", "unit", "source", "note", "figures")
_DISAGREEMENT_FIELDS = ("key", "figure", "source", "why")


def load_prices(region: str, file: Path | None = None) -> PriceTable:
    """The prices of a region: those that are shipped, overridden by the user's own, overridden by those of `file` if
    one is named.

    A region that no file is about has an empty table. Raises `ConfigurationError` for a file that is wrong.
    """
    table = shipped_prices(region)
    for own in (refreshed_file(region), user_file(region)):
        if own.is_file():
            table = read_price_file(own, region).over(table)
    return table if file is None else read_price_file(file, region).over(table)


def shipped_prices(region: str) -> PriceTable:
    """The prices of the package's own file; in a commercial region, below them those that all such regions have."""
    alike = _packaged(_GLOBAL, _GLOBAL) if partition_of(region) == "aws" else PriceTable(region)
    return _packaged(region, region).over(alike)


def _packaged(name: str, region: str) -> PriceTable:
    shipped = resources.files("trainworks.cost") / "prices" / f"{name}.toml"
    if not shipped.is_file():
        return PriceTable(region)
    return parse_prices(shipped.read_text(encoding="utf-8"), f"prices/{name}.toml", region)


def user_file(region: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the user's own prices of a region are."""
    return _folder(environ) / f"{region}.toml"


def refreshed_file(region: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the prices are that AWS was asked for."""
    return _folder(environ) / "refreshed" / f"{region}.toml"


def _folder(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "trainworks" / "prices"


def read_price_file(path: Path, region: str) -> PriceTable:
    """The prices in a file, which must be about `region`. Raises `ConfigurationError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}", fix="check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 text: {error}", fix="save it as UTF-8") from error
    return parse_prices(text, str(path), region)


def parse_prices(text: str, name: str, region: str) -> PriceTable:
    """The prices in the text of a price file called `name`. Raises `ConfigurationError`."""
    return _File(name, text, parse_toml(text, name)).table(region)


@dataclass(frozen=True, slots=True)
class _File:
    """A document that can say at which line something is wrong."""

    name: str
    text: str
    document: Mapping[str, Any]

    def table(self, region: str) -> PriceTable:
        self._only(self.document, _FIELDS, "")
        for field, wanted in (("region", region), ("currency", CURRENCY)):
            if (given := self.document.get(field)) != wanted:
                raise self.wrong(field, f"is {given!r}; allowed here: {wanted!r}", f'write {field} = "{wanted}"')
        sources = {key: self._source(key, value) for key, value in self._tables("sources").items()}
        prices: dict[str, Price] = {}
        for number, group in enumerate(self._list("prices")):
            for price in self._group(f"prices[{number}]", group, sources):
                if price.key in prices:
                    raise self.wrong(price.key, "has two figures", "keep one; note the other under [[disagreements]]")
                prices[price.key] = price
        for number, entry in enumerate(self._list("disagreements")):
            self._disagreement(f"disagreements[{number}]", entry, sources, prices)
        return PriceTable(region, prices)

    def _group(self, where: str, group: Mapping[str, Any], sources: Mapping[str, PriceSource]) -> Iterator[Price]:
        self._only(group, _GROUP_FIELDS, where)
        unit, source = self._unit(where, group), self._named_source(where, group, sources)
        prefix, note = self._text(where, group, "prefix", ""), self._text(where, group, "note", "")
        figures = group.get("figures")
        if not isinstance(figures, dict) or not figures:
            raise self.wrong(
                f"{where}.figures", "is not a table with figures", "write [prices.figures] below the group"
            )
        for name, value in _flat(figures):
            key = prefix + name
            self._check_unit(key, unit)
            yield Price(key, self._money(key, value), unit, source, note)

    def _check_unit(self, key: str, unit: Unit) -> None:
        wanted = unit_of(key)
        if wanted is None:
            close = similar(key)
            raise self.wrong(
                key, "is not something that has a price here", f"did you mean {close}?" if close else "remove the line"
            )
        if unit is not wanted:
            raise self.wrong(key, f"has the unit {unit.value!r}; its unit is {wanted.value!r}", "convert the figure")

    def _money(self, key: str, value: object) -> Money:
        if isinstance(value, dict):
            if set(value) != {"low", "high"}:
                raise self.wrong(key, f"is {value!r}; a range has low and high", 'write { low = "0.1", high = "0.2" }')
            low, high = self._figure(f"{key}.low", value["low"]), self._figure(f"{key}.high", value["high"])
            if low > high:
                raise self.wrong(key, f"goes from {low} down to {high}", "exchange low and high")
            return Money(low, high)
        return Money.exactly(self._figure(key, value))

    def _figure(self, key: str, value: object) -> Decimal:
        """A figure is text: TOML's numbers are binary and would not be what was written."""
        try:
            figure = Decimal(value) if isinstance(value, str) else None
        except InvalidOperation:
            figure = None
        if figure is None or not figure.is_finite() or figure < 0:
            raise self.wrong(key, f"is {value!r}; allowed: a decimal number as text", 'write it as "0.045"')
        return figure

    def _unit(self, where: str, group: Mapping[str, Any]) -> Unit:
        given = group.get("unit")
        try:
            return Unit(given)  # type: ignore[arg-type]  # what is none of them is refused just here
        except ValueError:
            close = similar(str(given), [unit.value for unit in Unit])
            allowed = ", ".join(unit.value for unit in Unit)
            raise self.wrong(
                f"{where}.unit",
                f"is {given!r}; allowed: {allowed}",
                f"did you mean {close!r}?" if close else "choose one",
            ) from None

    def _source(self, key: str, value: Mapping[str, Any]) -> PriceSource:
        where = f"sources.{key}"
        self._only(value, ("title", "published", "retrieved"), where)
        days = [name for name in ("published", "retrieved") if name in value]
        if len(days) != 1:
            raise self.wrong(where, f"has {len(days)} of the two dates", "give one: published or retrieved")
        day = value[days[0]]
        if not isinstance(day, date) or isinstance(day, datetime):
            raise self.wrong(f"{where}.{days[0]}", f"is {day!r}; allowed: a date", "write it as 2026-10-03")
        title = self._text(where, value, "title", "")
        if not title:
            raise self.wrong(f"{where}.title", "is missing", "say where the figures were read")
        return PriceSource(title, day, days[0] == "published")

    def _named_source(self, where: str, group: Mapping[str, Any], sources: Mapping[str, PriceSource]) -> PriceSource:
        given = group.get("source")
        if not isinstance(given, str) or given not in sources:
            raise self.wrong(f"{where}.source", f"is {given!r}; defined: {', '.join(sources)}", "add it to [sources]")
        return sources[given]

    def _disagreement(
        self, where: str, entry: Mapping[str, Any], sources: Mapping[str, PriceSource], prices: dict[str, Price]
    ) -> None:
        self._only(entry, _DISAGREEMENT_FIELDS, where)
        key = self._text(where, entry, "key", "")
        if key not in prices:
            raise self.wrong(f"{where}.key", f"is {key!r}, which has no figure here", "name a key that has one")
        figure, source = self._figure(f"{where}.figure", entry.get("figure")), self._named_source(where, entry, sources)
        found = Disagreement(figure, source, self._text(where, entry, "why", ""))
        prices[key] = replace(prices[key], disagreements=(*prices[key].disagreements, found))

    def _text(self, where: str, table: Mapping[str, Any], key: str, default: str) -> str:
        value = table.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(f"{where}.{key}", f"is {value!r}; allowed: text", f'write {key} = "..."')
        return value

    def _tables(self, key: str) -> Mapping[str, Mapping[str, Any]]:
        value = self.document.get(key, {})
        if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
            raise self.wrong(key, "is not a set of tables", f"write [{key}.NAME]")
        return value

    def _list(self, key: str) -> list[Mapping[str, Any]]:
        value = self.document.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.wrong(key, "is not a list of tables", f"write [[{key}]]")
        return value

    def _only(self, table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
        for key in table:
            if key not in allowed:
                dotted = f"{where}.{key}" if where else key
                raise self.wrong(dotted, f"unknown key; allowed: {', '.join(allowed)}", "remove or correct the key")

    def wrong(self, key: str, message: str, fix: str) -> ConfigurationError:
        line = _line(self.text, key)
        return ConfigurationError(f"{self.name}{f':{line}' if line else ''}: {key}: {message}", fix=fix)


def _flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Keys with their figures; a bare key with dots, which TOML reads as nested tables, is the same as a quoted one."""
    for key, value in figures.items():
        if isinstance(value, dict) and not {"low", "high"} & set(value):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _line(text: str, key: str) -> int | None:
    """The line that says `key`: of a figure by the end of its key, else by the path to it."""
    if "[" not in key:
        for number, line in enumerate(text.splitlines(), start=1):
            name = line.partition("=")[0].strip().strip('"')
            if name and "=" in line and (key == name or key.endswith(f".{name}")):
                return number
    return line_of(text, tuple(key.split(".")))

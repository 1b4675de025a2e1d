"""A price table as the text of a price file, which `price_files` reads back as the same table."""

from __future__ import annotations

import json
from collections.abc import Iterator

from trainworks.cost.price_files import CURRENCY
from trainworks.cost.prices import Price, PriceSource, PriceTable


def price_file(table: PriceTable) -> str:
    """The text; figures of one source and unit stand together."""
    sources = {source: f"source_{number}" for number, source in enumerate(dict.fromkeys(p.source for p in table), 1)}
    lines = [f'region = "{table.region}"', f'currency = "{CURRENCY}"']
    for source, name in sources.items():
        lines += ["", *_source(source, name)]
    groups: dict[tuple[PriceSource, str, str], list[Price]] = {}
    for price in table:
        groups.setdefault((price.source, price.unit.value, price.note), []).append(price)
    for (source, unit, note), prices in groups.items():
        lines += ["", "[[prices]]", f"unit = {json.dumps(unit)}", f"source = {json.dumps(sources[source])}"]
        lines += [f"note = {json.dumps(note)}"] if note else []
        lines += ["[prices.figures]", *(_figure(price) for price in prices)]
    return "\n".join(lines) + "\n"


def _source(source: PriceSource, name: str) -> Iterator[str]:
    yield f"[sources.{name}]"
    yield f"title = {json.dumps(source.title, ensure_ascii=False)}"
    yield f"{'published' if source.is_published else 'retrieved'} = {source.day.isoformat()}"


def _figure(price: Price) -> str:
    if price.figure.is_exact:
        return f'"{price.key}" = "{price.figure.low:f}"'
    return f'"{price.key}" = {{ low = "{price.figure.low:f}", high = "{price.figure.high:f}" }}'

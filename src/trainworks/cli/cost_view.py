"""How costs look: tables for people, records for programs. Amounts are rounded here and nowhere else.

In records an amount is `{"low": "58.40", "high": "58.40"}`, exact and as text; null is unknown.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from trainworks.cli.output import facts, records
from trainworks.cli.records import Records
from trainworks.cost.idle import Charge, IdleCost, ResourceCost
from trainworks.cost.money import Money, total, unit_price
from trainworks.cost.prices import PriceTable

if TYPE_CHECKING:
    from trainworks.cost.changes import CostChange, CostChanges
    from trainworks.cost.refresh import Refreshed

UNKNOWN = "unknown"
_SHOWN = 8
_COUNTED = ("hour", "day", "month")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two platforms side by side."""

    name: str
    cost: IdleCost
    other_name: str
    other: IdleCost


def idle_text(name: str, cost: IdleCost, running: IdleCost, prices: PriceTable, everything: bool) -> RenderableType:
    """What is metered and its cost, stack by stack; then the total and what it leaves out.

    Into a pipe goes one record a line, with nothing broken or cut.
    """
    title = f"{name}, a month in {cost.region} without use"
    shown = {
        stack: [each for each in resources if everything or each.charges or each.unknown]
        for stack, resources in cost.by_stack.items()
    }
    draw = _table if sys.stdout.isatty() else _lines
    return Group(draw(title, {stack: each for stack, each in shown.items() if each}), *_summary(cost, running, prices))


def _table(title: str, stacks: Mapping[str, Sequence[ResourceCost]]) -> RenderableType:
    rows: list[tuple[str, str, str]] = []
    headings: set[int] = set()
    for stack, resources in stacks.items():
        headings.add(len(rows))
        rows.append((stack, "", _total(resources)))
        for resource in resources:
            place = "  " + resource.place.removeprefix(f"{stack}/")
            for metered, amount_of_it in _rows(resource):
                rows.append((place, metered, amount_of_it))
                place = ""
    drawn = Records(("resource", "metered", "a month"), rows, prose=("metered",), right=("a month",), bold=headings)
    return Group(Text(title, style="italic"), "", drawn, "")


def _lines(title: str, stacks: Mapping[str, Sequence[ResourceCost]]) -> RenderableType:
    """Columns in the order that a program wants them: the amount, the resource, its type, what is metered."""
    rows = [
        (amount_of_it or "by use", resource.place, resource.resource_type, metered)
        for resources in stacks.values()
        for resource in resources
        for metered, amount_of_it in _rows(resource)
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = [
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3])) for row in rows
    ]
    return Text("\n", no_wrap=True, overflow="ignore").join([Text(title), *map(Text, lines)])


def _total(resources: Sequence[ResourceCost]) -> str:
    least = "at least " if any(not each.is_known for each in resources) else ""
    return f"{least}{total(each.amount for each in resources)}"


def _rows(resource: ResourceCost) -> Iterable[tuple[str, str]]:
    """What is metered all the time a line each, what costs by use together in one, and what its limits would add."""
    for charge in resource.charges:
        if not charge.is_by_use:
            yield quantity_and_price(charge), UNKNOWN if charge.amount is None else str(charge.amount)
    used = [price_by_use(charge) for charge in resource.charges if charge.is_by_use]
    if used:
        yield f"by use: {', '.join(used)}", ""
    if not resource.more_at_most.is_zero:
        yield "more when it never stops, at its limit", f"(+{resource.more_at_most})"
    for why in resource.unknown:
        yield why, UNKNOWN
    if resource.free:
        yield resource.free, "free"


def quantity_and_price(charge: Charge) -> str:
    """`interface endpoint in 2 zones: 1,460 hours x $0.01`."""
    price = UNKNOWN if charge.unit_price is None else price_range(charge.unit_price)
    unit = f"{charge.unit}s" if charge.quantity != 1 and charge.unit.endswith(_COUNTED) else charge.unit
    note = f" ({charge.note})" if charge.note else ""
    return f"{charge.what}: {plain(charge.quantity)} {unit} x {price}{note}"


def price_by_use(charge: Charge) -> str:
    """`storage $0.023 a GB-month`."""
    if charge.unit_price is None:
        return f"{charge.what} at an unknown price"
    article = "for" if charge.unit[:1].isdigit() else "an" if charge.unit == "hour" else "a"
    note = f" ({charge.note})" if charge.note else ""
    return f"{charge.what} {price_range(charge.unit_price)} {article} {charge.unit}{note}"


def plain(number: Decimal) -> str:
    """Without zeros at the end of its decimals: `1,460`, `30.42`."""
    rounded = round(number, 2)
    return f"{rounded:,.0f}" if rounded == rounded.to_integral_value() else f"{rounded:,.2f}"


def price_range(price: Money) -> str:
    """A unit price with all its digits, or the lowest and the highest."""
    low, high = unit_price(price.low), unit_price(price.high)
    return low if low == high else f"{low} to {high}"


def _summary(cost: IdleCost, running: IdleCost, prices: PriceTable) -> Iterable[RenderableType]:
    yield Text(f"total  {_total(cost.resources)} a month", style="bold green")
    if not cost.assumptions.notebook_hours and running.total != cost.total:
        hours = plain(running.assumptions.notebook_hours)
        yield Text(f"       {running.total} with every notebook running day and night (--notebook-hours {hours})")
    if cost.growing:
        yield Text(limits_sentence(cost))
    if cost.unknown:
        yield Text(unknown_sentence(cost.unknown), style="yellow")
    free = sum(bool(resource.free) for resource in cost.resources)
    days = prices.oldest_and_newest
    age = f", read between {days[0].isoformat()} and {days[1].isoformat()}" if days else ""
    what = "1 resource costs nothing by itself (--all names it)"
    if free != 1:
        what = f"{free} resources cost nothing by themselves (--all names them)"
    yield Text(
        f"{what}. List prices{age}; free tiers are not taken off, and use is not included.",
        style="dim",
    )


def limits_sentence(cost: IdleCost) -> str:
    """`$1,029.30 more when nothing ever stops and all is at its limit: Notebook $1,029.30`, the largest by name."""
    named = ", ".join(f"{each.place} {each.more_at_most}" for each in cost.growing[:_SHOWN])
    more = f", and {len(cost.growing) - _SHOWN} more" if len(cost.growing) > _SHOWN else ""
    amount_of_it = total(each.more_at_most for each in cost.growing)
    return f"       {amount_of_it} more when nothing ever stops and all is at its limit: {named}{more}"


def unknown_sentence(resources: Sequence[ResourceCost]) -> str:
    """`unknown: 2 resources, the largest first (A, B)`, at most a few by name."""
    names = [resource.place for resource in resources]
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    what = "resource" if len(names) == 1 else "resources, the largest first"
    return f"unknown: {len(names)} {what} ({', '.join(names[:_SHOWN])}{more}), not in the total"


def idle_record(name: str, cost: IdleCost) -> dict[str, Any]:
    """Everything that was counted, and the totals."""
    return {
        "name": name,
        "region": cost.region,
        "currency": "USD",
        "notebook_hours": str(cost.assumptions.notebook_hours),
        "total": amount(cost.total),
        "at_least": bool(cost.unknown),
        "more_at_most": amount(total(each.more_at_most for each in cost.growing)),
        "unknown": [resource.place for resource in cost.unknown],
        "stacks": {stack: amount(total(r.amount for r in members)) for stack, members in cost.by_stack.items()},
        "resources": [_resource_record(resource) for resource in cost.resources],
    }


def _resource_record(resource: ResourceCost) -> dict[str, Any]:
    return {
        "stack": resource.stack,
        "place": resource.place,
        "resource_type": resource.resource_type,
        "amount": amount(resource.amount),
        "more_at_most": amount(resource.more_at_most),
        "charges": [
            {
                "what": charge.what,
                "price_keys": list(charge.keys),
                "quantity": str(charge.quantity),
                "unit": charge.unit,
                "unit_price": amount(charge.unit_price),
                "amount": amount(charge.amount),
                "by_use": charge.is_by_use,
                "at_most": amount(charge.at_most),
                "note": charge.note,
            }
            for charge in resource.charges
        ],
        "unknown": list(resource.unknown),
        "free": resource.free,
    }


def amount(money: Money | None) -> dict[str, str] | None:
    """An exact amount as text, since JSON's numbers are binary."""
    return None if money is None else {"low": f"{money.low.normalize():f}", "high": f"{money.high.normalize():f}"}


def comparison_text(pair: Comparison) -> RenderableType:
    """Both totals stack by stack, and the difference."""
    ours, others = _stack_totals(pair.cost), _stack_totals(pair.other)
    rows = [
        (
            stack,
            _optional(ours.get(stack)),
            _optional(others.get(stack)),
            _difference(ours.get(stack), others.get(stack)),
        )
        for stack in dict.fromkeys((*ours, *others))
    ]
    difference = signed(pair.other.total - pair.cost.total)
    rows.append(("total", _total(pair.cost.resources), _total(pair.other.resources), difference))
    parts: list[RenderableType] = [records(("stack", pair.name, pair.other_name, "difference"), rows), ""]
    for name, cost in ((pair.name, pair.cost), (pair.other_name, pair.other)):
        if cost.unknown:
            parts.append(Text(f"{name}: {unknown_sentence(cost.unknown)}", style="yellow"))
    return Group(*parts)


def comparison_record(pair: Comparison) -> dict[str, Any]:
    """Both records and the difference of their totals."""
    return {
        "difference": amount(pair.other.total - pair.cost.total),
        "platforms": [idle_record(pair.name, pair.cost), idle_record(pair.other_name, pair.other)],
    }


def _stack_totals(cost: IdleCost) -> dict[str, Money]:
    """By the name that a stack has within its platform: the root's own name differs from platform to platform."""
    totals: dict[str, Money] = {}
    for stack, members in cost.by_stack.items():
        name = stack if any(member.stack_path for member in members) else "root"
        totals[name] = total(member.amount for member in members)
    return totals


def _optional(money: Money | None) -> str:
    return "" if money is None else str(money)


def _difference(before: Money | None, after: Money | None) -> str:
    none = Money.exactly(0)
    return signed((after or none) - (before or none))


def signed(difference: Money) -> str:
    """`+$3.00`, `-$1.50`, or nothing if nothing changes."""
    if difference.is_zero:
        return ""
    text = str(difference)
    return text if text.startswith("-") else f"+{text}"


def refreshed_text(refreshed: Refreshed, path: Path) -> RenderableType:
    """What was written, and what the Price List did not answer as it was asked."""
    return facts(
        {
            "prices": len(refreshed.table.prices),
            "written to": path,
            "not in the Price List": _few(refreshed.missing),
            "not used": _few(refreshed.refused, "; "),
            "usage types that nothing here needs": len(refreshed.unknown_usage_types) or None,
        }
    )


def refreshed_record(refreshed: Refreshed, path: Path) -> dict[str, Any]:
    return {
        "region": refreshed.table.region,
        "path": path,
        "prices": {price.key: amount(price.figure) for price in refreshed.table},
        "missing": list(refreshed.missing),
        "refused": list(refreshed.refused),
        "unknown_usage_types": list(refreshed.unknown_usage_types),
    }


def changes_sentence(changes: CostChanges) -> str:
    """`monthly cost when idle: $1.90 -> $4.90 (+$3.00)`."""
    difference = signed(changes.difference)
    count = changes.unknown_after
    unknown = f"; {count} resource{' has' if count == 1 else 's have'} no known cost" if count else ""
    least = "at least " if count else ""
    if not difference:
        return f"monthly cost when idle: {least}{changes.after}, unchanged{unknown}"
    return f"monthly cost when idle: {changes.before} -> {least}{changes.after} ({difference}){unknown}"


def change_label(change: CostChange | None) -> str:
    """What is written next to a changed resource: the difference a month, or that it is unknown."""
    if change is None:
        return ""
    label = signed(change.difference)
    if label:
        return f"{label} a month" if change.is_known else f"{label} a month at least, more is unknown"
    return "cost unknown"


def changes_record(changes: CostChanges) -> dict[str, Any]:
    return {
        "before": amount(changes.before),
        "after": amount(changes.after),
        "difference": amount(changes.difference),
        "unknown_after": changes.unknown_after,
        "changes": [
            {
                "stack_path": list(change.key[0]),
                "logical_id": change.key[1],
                "difference": amount(change.difference),
                "is_known": change.is_known,
            }
            for change in changes.changes
        ],
    }


def _few(names: Sequence[str], separator: str = ", ") -> str | None:
    more = f"{separator}and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return separator.join(names[:_SHOWN]) + more if names else None


def or_unknown(money: Money | None) -> str:
    """An amount, or the word for none that is known."""
    return UNKNOWN if money is None else str(money)

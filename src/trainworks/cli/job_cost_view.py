"""How the costs of jobs look: an upper bound before they run, a bill after it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from trainworks.cli.cost_view import UNKNOWN, amount, or_unknown, plain, price_range
from trainworks.cli.output import records
from trainworks.cost.bill import JobBill
from trainworks.cost.job import JobEstimate
from trainworks.cost.money import Money

_HOURS_OF = {"training": "instances", "batch": "containers"}


def estimate_text(estimate: JobEstimate) -> RenderableType:
    """A job before it runs: by the hour, and at most."""
    rows = [(line.market, line.what, _rate(line.per_hour), or_unknown(line.at_most)) for line in estimate.lines]
    hours = f"{plain(estimate.hours)} hour{'' if estimate.hours == 1 else 's'}"
    limits = f"{estimate.name}: at most {hours} of {_HOURS_OF[estimate.kind]}, {estimate.region}"
    parts: list[RenderableType] = [
        Text(limits, style="bold"),
        records(("", "what", "an hour", "at most"), rows, prose=("what",), right=("an hour", "at most")),
        "",
    ]
    for market in ("on demand", "spot"):
        if any(line.market == market for line in estimate.lines):
            parts.append(Text(f"{market}: at most {or_unknown(estimate.at_most(market))}", style="bold"))
    return Group(*parts, *(Text(note, style="dim") for note in estimate.notes))


def _rate(money: Money | None) -> str:
    """An hour's price to a hundredth of a cent."""
    if money is None:
        return UNKNOWN
    return price_range(Money(round(money.low, 4), round(money.high, 4)))


def estimate_record(estimate: JobEstimate) -> dict[str, Any]:
    return {
        "name": estimate.name,
        "kind": estimate.kind,
        "region": estimate.region,
        "currency": "USD",
        "max_hours": str(estimate.hours),
        "at_most": {market: amount(estimate.at_most(market)) for market in ("on demand", "spot")},
        "lines": [
            {"market": e.market, "what": e.what, "per_hour": amount(e.per_hour), "at_most": amount(e.at_most)}
            for e in estimate.lines
        ],
        "notes": list(estimate.notes),
    }


def bill_text(bill: JobBill, is_twin: bool) -> RenderableType:
    """A job that ran; on the twin it cost nothing, and this is what it would have."""
    rows = [
        (line.what, str(line.amount) if line.amount is not None else f"{UNKNOWN}: {line.why}") for line in bill.lines
    ]
    verb = "on AWS this would have cost" if is_twin else "cost"
    parts: list[RenderableType] = [
        records(("what", "amount"), rows, prose=("what",)),
        "",
        Text(f"{bill.name}: {verb} {or_unknown(bill.total)} ({bill.region})", style="bold"),
    ]
    if bill.saved_percent:
        parts.append(Text(saved_sentence(bill), style="green"))
    if bill.is_attribution:
        parts.append(Text("AWS bills hosts: this is the job's share of those that Batch may have chosen", style="dim"))
    return Group(*parts)


def saved_sentence(bill: JobBill) -> str:
    """What spot saved, in percent and, where the price is known, in money."""
    percent = f"{round(bill.saved_percent or Decimal(0), 1)} %"
    return f"spot saved {percent}" + (f", {bill.saved}" if bill.saved is not None else "")


def bill_record(bill: JobBill) -> dict[str, Any]:
    return {
        "name": bill.name,
        "kind": bill.kind,
        "region": bill.region,
        "currency": "USD",
        "total": amount(bill.total),
        "is_attribution": bill.is_attribution,
        "saved": amount(bill.saved),
        "saved_percent": None if bill.saved_percent is None else str(round(bill.saved_percent, 1)),
        "lines": [{"what": line.what, "amount": amount(line.amount), "why": line.why} for line in bill.lines],
    }

"""`cost.md` and the README's table of costs: the three profiles and the reference, as `trainworks cost` counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from platforms import REGION, graphs

from trainworks.aws.instance_types import instance_type
from trainworks.cli.cost_view import price_by_use, quantity_and_price
from trainworks.cost.idle import IdleCost, idle_cost
from trainworks.cost.metering import Assumptions
from trainworks.cost.money import HOURS_PER_MONTH, ZERO, Money, total, unit_price
from trainworks.cost.price_files import shipped_prices
from trainworks.cost.prices import Price, PriceSource, PriceTable

README = Path(__file__).resolve().parent.parent / "README.md"
_BLOCK = re.compile(r"(?<=<!-- cost: begin -->\n).*?(?=<!-- cost: end -->)", re.DOTALL)
_DAY_AND_NIGHT = Assumptions(HOURS_PER_MONTH)

# What the figures are made of, by the beginning of the price key. The rest is told as such.
_PARTS = (
    ("interface endpoints", "vpc.interface_endpoint"),
    ("NAT gateway", "vpc.nat_gateway"),
    ("public IPv4 addresses", "vpc.public_ipv4"),
    ("KMS keys", "kms."),
    ("alarms", "cloudwatch.alarm"),
    ("dashboards", "cloudwatch.dashboard"),
    ("notebook volume", "sagemaker.notebook_volume"),
    ("notebook instance, day and night", "sagemaker.notebook."),
)


@cache
def counted() -> dict[str, tuple[IdleCost, IdleCost]]:
    """Each platform with its notebook stopped, and with it running day and night; at the prices that ship."""
    prices = shipped_prices(REGION)
    return {
        name: (idle_cost(graph, prices), idle_cost(graph, prices, _DAY_AND_NIGHT)) for name, graph in graphs().items()
    }


def readme() -> str:
    """The README with its table of costs as it is now."""
    return _BLOCK.sub(lambda _: "\n".join((*totals(), "")), README.read_text(encoding="utf-8"))


def totals() -> Iterator[str]:
    """What each platform costs when nobody uses it, part by part, as a table."""
    names = list(counted())
    yield "| US dollars a month without use | " + " | ".join(names) + " |"
    yield "|---|" + "---:|" * len(names)
    for label, prefix in _PARTS:
        amounts = [_part(running, prefix) for _, running in counted().values()]
        yield f"| {label} | " + " | ".join(_figure(amount) for amount in amounts) + " |"
    for label, index in (("notebook stopped", 0), ("notebook running", 1)):
        yield (
            f"| **total, {label}** | " + " | ".join(f"**{costs[index].total}**" for costs in counted().values()) + " |"
        )


def _part(cost: IdleCost, prefix: str) -> Money:
    return total(
        charge.amount
        for resource in cost.resources
        for charge in resource.charges
        if charge.amount is not None and charge.keys and charge.keys[0].startswith(prefix)
    )


def _figure(amount: Money) -> str:
    return "" if amount == ZERO else str(amount)


def page() -> str:
    """The whole page."""
    prices = shipped_prices(REGION)
    _check_parts()
    lines = [
        "# Cost",
        "",
        "What `trainworks cost` says of the three profiles and of the reference, a platform in TypeScript with the",
        "same purpose, at the prices that ship with this version.",
        "",
        f"Region {REGION}, a month of 730 hours in which nobody uses the platform. Free tiers are not taken off. What",
        "costs by use alone has its unit price below; what has no known price is named, and never counted as nothing.",
        "How each resource type of AWS is counted, down to its members, is in",
        "[What each resource type costs by](cost-types.md); why a platform costs what it does, in",
        "[Costs](../explanation/costs.md).",
        "",
        "Runs that a schedule starts are not counted either: the platform's two daily state machines pass some hundred",
        "states a month, cents at the unit price, and fewer than an account's free 4,000.",
        "",
        *totals(),
        "",
        *_notes(),
        "",
    ]
    for name, (stopped, _) in counted().items():
        lines += [f"## {name}", "", *_platform(stopped), ""]
    lines += ["## By use", "", *_by_use(), "", "## Prices", "", *_prices(prices)]
    return "\n".join(lines) + "\n"


def _check_parts() -> None:
    """Every amount is in one of the table's rows."""
    for name, (_, running) in counted().items():
        parts = total(_part(running, prefix) for _, prefix in _PARTS)
        if parts != running.total:
            raise SystemExit(f"pages/cost_page.py: the rows of {name} add up to {parts}, not {running.total}")


def _notes() -> Iterator[str]:
    endpoints, notebook = (_part(counted()["reference"][1], prefix) for prefix in ("vpc.", "sagemaker.notebook."))
    yield (
        f"Of the reference's {counted()['reference'][1].total}, {endpoints + notebook} are its interface endpoints "
        f"({endpoints}) and a notebook that nothing stops ({notebook}). In `dev` a notebook stops itself when it is "
        "idle, hosts of Batch reach AWS by an address of their own that no inbound rule opens, and training jobs need "
        "the gateway endpoint to S3 alone, which is free."
    )


def _platform(cost: IdleCost) -> Iterator[str]:
    yield "| resource | type | metered | a month |"
    yield "|---|---|---|---:|"
    for resource in cost.resources:
        for charge in resource.charges:
            if not charge.is_by_use:
                yield (
                    f"| {resource.place} | {resource.resource_type} | {quantity_and_price(charge)} "
                    f"| {'unknown' if charge.amount is None else charge.amount} |"
                )
    yield f"| | | **total** | **{cost.total}** |"
    yield ""
    by_use = sum(bool(r.charges) and all(charge.is_by_use for charge in r.charges) for r in cost.resources)
    free = sum(bool(resource.free) for resource in cost.resources)
    unknown = ", ".join(f"{r.place} ({'; '.join(r.unknown)})" for r in cost.unknown) or "none"
    yield f"{by_use} resources cost by use alone, {free} cost nothing by themselves. Unknown: {unknown}."


def _by_use() -> Iterator[str]:
    seen: dict[tuple[str, str], None] = {}
    for stopped, _ in counted().values():
        for resource in stopped.resources:
            for charge in resource.charges:
                if charge.is_by_use:
                    seen[resource.resource_type, price_by_use(charge)] = None
    yield "| type | unit price |"
    yield "|---|---|"
    for resource_type, price in sorted(seen):
        yield f"| {resource_type} | {price} |"


def _prices(prices: PriceTable) -> Iterator[str]:
    sources = {source: number for number, source in enumerate(dict.fromkeys(price.source for price in prices), start=1)}
    for price in prices:
        for other in price.disagreements:
            sources.setdefault(other.source, len(sources) + 1)
    yield "| key | US dollars | unit | source |"
    yield "|---|---:|---|---|"
    families: dict[tuple[str, str, PriceSource], list[Price]] = {}
    for price in prices:
        prefix, _, name = price.key.rpartition(".") if price.key.startswith("ec2.") else (price.key, "", "")
        if name:
            prefix, _, family = prefix.rpartition(".")
            families.setdefault((prefix, family, price.source), []).append(price)
        else:
            note = f" {price.note}" if price.note else ""
            yield f"| `{price.key}` | {_range(price)} | {price.unit.value}.{note} | {sources[price.source]} |"
    for (prefix, family, source), members in families.items():
        yield f"| `{prefix}.{family}.*` | {_sizes(members)} | hour | {sources[source]} |"
    yield ""
    yield "Sources:"
    yield ""
    for source, number in sources.items():
        yield f"{number}. {source}."
    yield ""
    yield "Where sources disagree:"
    yield ""
    yield "| key | used | another says | source | why it is not used |"
    yield "|---|---:|---:|---|---|"
    for price in prices:
        for other in price.disagreements:
            figure = unit_price(other.figure)
            yield f"| `{price.key}` | {_range(price)} | {figure} | {sources[other.source]} | {other.why} |"
    yield ""
    yield (
        'Managed spot training has no price here: AWS\'s "up to 90 %" is not a figure to count with. SageMaker tells '
        "what it saved with the job's billable seconds, and `trainworks cost job NAME` says it in dollars. Spot prices "
        "of EC2 are the lowest and highest of the region's zones at one moment; they change by the hour. `trainworks "
        "cost refresh` asks AWS's Price List API for today's list prices (*static*: no account was at hand; it is "
        "tested against answers in that API's shape)."
    )


def _range(price: Price) -> str:
    low, high = unit_price(price.figure.low), unit_price(price.figure.high)
    return low if price.figure.is_exact else f"{low} to {high}"


def _sizes(prices: list[Price]) -> str:
    ordered = sorted(prices, key=lambda price: instance_type(price.key.split(".", 2)[2]).vcpus)
    return ", ".join(f"{price.key.rpartition('.')[2]} {_range(price)}" for price in ordered)

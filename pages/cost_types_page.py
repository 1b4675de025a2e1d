"""`cost-types.md`: how each resource type is counted, down to its members, from the tables that count it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trainworks.assembly.schemas import type_names
from trainworks.cost.families import FAMILIES
from trainworks.cost.families.by_use import BY_USAGE, BY_USE_TYPES
from trainworks.cost.families.free import FREE, FREE_BY_REASON
from trainworks.cost.families.members import READ, UNREAD, neutral_members


def page() -> str:
    """The whole page."""
    known = {*FAMILIES, *FREE, *BY_USE_TYPES}
    lines = [
        "# What each resource type costs by",
        "",
        "How `trainworks cost` counts a resource, by its type.",
        "",
        f"Of the {len(type_names()):,} resource types that AWS has, {len(FAMILIES)} are counted member by member,",
        f"{len(BY_USE_TYPES)} are billed by use alone, {len(FREE)} cost nothing by themselves. The other",
        f"{len(type_names() - known):,} are unknown: `cost` names each, and the total then says 'at least'.",
        "",
        "## Counted",
        "",
        "*Told*: a member that changes the price and is not counted. Where a template sets it, that part is unknown by",
        "name and the total says 'at least'; in italics, what costs when it is used and not before. *Neutral* members",
        "change no price of the resource itself.",
        "",
        "| type | read | told | neutral |",
        "|---|---|---|---:|",
        *_counted(),
        "",
        "## By use",
        "",
        *_listed(BY_USAGE, "billed by"),
        "",
        "## Free",
        "",
        *_listed(FREE_BY_REASON, "reason"),
    ]
    return "\n".join(lines) + "\n"


def _counted() -> Iterator[str]:
    neutral = neutral_members()
    for type_ in sorted(FAMILIES):
        told = [
            f"*{name}: {unread.what}*" if unread.by_use else f"{name}: {unread.what}"
            for name, unread in UNREAD.get(type_, {}).items()
        ]
        read = READ.get(type_, "").replace(" ", ", ") or "that it is there"
        yield f"| `{type_}` | {read} | {'; '.join(told)} | {len(neutral[type_])} |"


def _listed(table: Mapping[str, Mapping[str, str]], title: str) -> Iterator[str]:
    yield f"| {title} | types |"
    yield "|---|---|"
    for words, services in table.items():
        types = "; ".join(f"{service}: {names.replace(' ', ', ')}" for service, names in services.items())
        yield f"| {words} | {types} |"

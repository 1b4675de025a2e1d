"""What a platform costs in a month in which nobody uses it, resource by resource, from its templates.

    Graph --> families (meters: so many hours of this, so many GB of that) --> PriceTable --> IdleCost

Every resource is in the result: with an amount, as costing by use alone, as free with the reason, or as unknown with
what is not known. Unknown is never counted as nothing: the total says how many resources it leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from trainworks.assembly.graph import Graph, Resource
from trainworks.assembly.places import StackPath
from trainworks.cost.families import FAMILIES
from trainworks.cost.families.by_use import usage_of
from trainworks.cost.families.free import why_free
from trainworks.cost.families.members import unread_members
from trainworks.cost.keys import unit_of
from trainworks.cost.likely import likely_amount, likely_size
from trainworks.cost.metering import BY_USE, Assumptions, Choice, Meter, Reading, Unmetered
from trainworks.cost.money import ZERO, Money, total
from trainworks.cost.prices import PriceTable

_STACK = "AWS::CloudFormation::Stack"
_MONTH = "month"
_STACK_IS_FREE = "what is in the stack is counted by itself"


@dataclass(frozen=True, slots=True)
class Charge:
    """`quantity` units a month at `unit_price`. `amount` is None if there is no price for it."""

    what: str
    keys: tuple[str, ...]
    quantity: Decimal
    unit: str
    unit_price: Money | None
    amount: Money | None
    note: str = ""
    at_most: Money | None = None
    """The cost of a month in which it never stops, or is as large as its limit; None: no more than `amount`."""

    @property
    def is_by_use(self) -> bool:
        return not self.quantity

    @property
    def more_at_most(self) -> Money:
        """What its limit adds to the amount."""
        return ZERO if self.at_most is None else self.at_most - (self.amount or ZERO)


@dataclass(frozen=True, slots=True)
class ResourceCost:
    """One resource. `unknown` says what of it has no known cost; `free` why it has none at all."""

    stack: str
    stack_path: StackPath
    logical_id: str
    place: str
    resource_type: str
    charges: tuple[Charge, ...] = ()
    unknown: tuple[str, ...] = ()
    free: str = ""
    likely: Decimal = Decimal(0)
    """The size of what is unknown, in dollars a month; a guess that orders what is named, and is shown nowhere."""

    @property
    def amount(self) -> Money:
        """What is known of its monthly cost."""
        return total(charge.amount for charge in self.charges if charge.amount is not None)

    @property
    def more_at_most(self) -> Money:
        """What it costs more when it never stops, or grows to its limit."""
        return total(charge.more_at_most for charge in self.charges)

    @property
    def is_known(self) -> bool:
        return not self.unknown


@dataclass(frozen=True, slots=True)
class IdleCost:
    """The monthly cost of all resources, those of each stack together."""

    region: str
    resources: tuple[ResourceCost, ...]
    assumptions: Assumptions = field(default_factory=Assumptions)

    @property
    def total(self) -> Money:
        """The sum of what is known."""
        return total(resource.amount for resource in self.resources)

    @property
    def unknown(self) -> tuple[ResourceCost, ...]:
        """Resources of which at least a part has no known cost, the largest first."""
        return tuple(sorted((each for each in self.resources if not each.is_known), key=lambda each: -each.likely))

    @property
    def growing(self) -> tuple[ResourceCost, ...]:
        """Resources that cost more when they never stop, or grow to their limits; the largest first."""
        found = [each for each in self.resources if not each.more_at_most.is_zero]
        return tuple(sorted(found, key=lambda each: -each.more_at_most.high))

    @property
    def by_stack(self) -> dict[str, tuple[ResourceCost, ...]]:
        """The resources of each stack, in the order of the templates."""
        grouped: dict[str, list[ResourceCost]] = {}
        for resource in self.resources:
            grouped.setdefault(resource.stack, []).append(resource)
        return {stack: tuple(resources) for stack, resources in grouped.items()}


def idle_cost(graph: Graph, prices: PriceTable, assumptions: Assumptions | None = None) -> IdleCost:
    """The idle cost of what `graph` will be, at the prices of its region."""
    count = _Count(graph, prices, assumptions or Assumptions())
    return IdleCost(prices.region, tuple(count.cost(resource) for resource in graph.resources), count.assumptions)


@dataclass(frozen=True)
class _Count:
    """What is the same for every resource that is counted."""

    graph: Graph
    prices: PriceTable
    assumptions: Assumptions

    @cached_property
    def stack_names(self) -> dict[tuple[str, StackPath], str]:
        """How each template is called: a nested one by its place, a root one by its name."""
        names: dict[tuple[str, StackPath], str] = {(stack, ()): stack for stack in self.graph.stacks}
        for resource in self.graph.of_type(_STACK):
            names[resource.stack, (*resource.stack_path, resource.logical_id)] = resource.place
        return names

    @cached_property
    def templates(self) -> frozenset[tuple[str, StackPath]]:
        return frozenset(
            (stack, stack_path) for stack in self.graph.stacks for stack_path in self.graph.stack_paths(stack)
        )

    def cost(self, resource: Resource) -> ResourceCost:
        charges: list[Charge] = []
        unknown: list[str] = []
        likely = Decimal(0)
        for reading in (*self._readings(resource), *unread_members(resource)):
            if isinstance(reading, Unmetered):
                unknown.append(reading.why)
                likely = max(likely, likely_size(resource.type))
                continue
            charge = _charge(reading, self.prices) if isinstance(reading, Meter) else _chosen(reading, self.prices)
            charges.append(charge)
            if charge.amount is None:
                unknown.append(f"no price of {_missing(reading, self.prices)} in {self.prices.region}")
                likely += likely_amount(reading) or likely_size(resource.type)
        return ResourceCost(
            self.stack_names[resource.stack, resource.stack_path],
            resource.stack_path,
            resource.logical_id,
            resource.place,
            resource.type,
            tuple(charges),
            tuple(unknown),
            "" if charges or unknown else _free_reason(resource),
            likely,
        )

    def _readings(self, resource: Resource) -> Iterator[Reading]:
        family = FAMILIES.get(resource.type)
        if family is not None:
            yield from family(resource, self.graph, self.assumptions)
        elif resource.type == _STACK:
            if (resource.stack, (*resource.stack_path, resource.logical_id)) not in self.templates:
                yield Unmetered("its template is not here")
        elif (usage := usage_of(resource.type)) is not None:
            yield Meter(usage, (), BY_USE)
        elif why_free(resource.type) is None:
            yield Unmetered(f"the cost of {resource.type} is not known")


def _free_reason(resource: Resource) -> str:
    if resource.type == _STACK:
        return _STACK_IS_FREE
    return why_free(resource.type) or "with these settings nothing is metered"


def _charge(reading: Meter, prices: PriceTable) -> Charge:
    """What is billed by use costs nothing when idle, whatever the price; other amounts are unknown if the price is."""
    unit_price = prices.range_of(reading.keys)
    unit = unit_of(reading.keys[0]) if reading.keys else None
    if not reading.quantity:
        amount: Money | None = ZERO
    else:
        amount = None if unit_price is None else unit_price.times(reading.quantity)
    grows = reading.at_most is not None and reading.at_most > reading.quantity
    at_most = unit_price.times(reading.at_most) if grows and unit_price is not None and reading.at_most else None
    return Charge(
        reading.what,
        reading.keys,
        reading.quantity,
        unit.value if unit else "",
        unit_price,
        amount,
        reading.note,
        at_most,
    )


def _chosen(reading: Choice, prices: PriceTable) -> Charge:
    """From the cheapest to the dearest option; unknown if one of them is. Nothing, if all are billed by use."""
    charges = [_charge(option, prices) for option in reading.options]
    keys = tuple(dict.fromkeys(key for option in reading.options for key in option.keys))
    limits = _between([charge.at_most for charge in charges])
    if all(charge.is_by_use for charge in charges):
        return Charge(reading.what, keys, BY_USE, charges[0].unit, prices.range_of(keys), ZERO, at_most=limits)
    between = _between([charge.amount for charge in charges])
    return Charge(reading.what, keys, Decimal(1), _MONTH, between, between, at_most=limits)


def _between(amounts: list[Money | None]) -> Money | None:
    known = [amount for amount in amounts if amount is not None]
    if not known or len(known) != len(amounts):
        return None
    return Money(min(amount.low for amount in known), max(amount.high for amount in known))


def _missing(reading: Meter | Choice, prices: PriceTable) -> str:
    meters = (reading,) if isinstance(reading, Meter) else reading.options
    missing = [key for each in meters for key in each.keys if prices.find(key) is None]
    return ", ".join(missing) or reading.what

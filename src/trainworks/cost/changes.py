"""How the monthly cost changes from one set of templates to another, resource by resource.

A resource is the same if its stack path and logical id are, as CloudFormation sees it.
"""

from __future__ import annotations

from dataclasses import dataclass

from trainworks.assembly.places import StackPath
from trainworks.cost.idle import IdleCost, ResourceCost
from trainworks.cost.money import ZERO, Money

Key = tuple[StackPath, str]
"""Stack path and logical id."""


@dataclass(frozen=True, slots=True)
class CostChange:
    """One resource before and after; None if it is not there. Amounts are what is known of it."""

    key: Key
    before: ResourceCost | None
    after: ResourceCost | None

    @property
    def place(self) -> str:
        present = self.after or self.before
        return "" if present is None else present.place

    @property
    def difference(self) -> Money:
        return _amount(self.after) - _amount(self.before)

    @property
    def is_known(self) -> bool:
        return all(each is None or each.is_known for each in (self.before, self.after))


@dataclass(frozen=True, slots=True)
class CostChanges:
    """Every resource whose cost changes, or may, and the totals of both sides."""

    before: Money
    after: Money
    changes: tuple[CostChange, ...]
    unknown_after: int
    """How many resources of the new platform have no known cost."""

    @property
    def difference(self) -> Money:
        return self.after - self.before

    def at(self, place: str) -> CostChange | None:
        """The change of the resource at a construct path; None if its cost stays as it is."""
        return next((change for change in self.changes if change.place == place), None)


def compare(before: IdleCost | None, after: IdleCost) -> CostChanges:
    """The changes from `before` (None: nothing is deployed) to `after`."""
    old = {(each.stack_path, each.logical_id): each for each in (before.resources if before else ())}
    new = {(each.stack_path, each.logical_id): each for each in after.resources}
    changes = [CostChange(key, old.get(key), new.get(key)) for key in dict.fromkeys((*old, *new))]
    return CostChanges(
        before.total if before else ZERO,
        after.total,
        tuple(change for change in changes if _matters(change)),
        len(after.unknown),
    )


def _matters(change: CostChange) -> bool:
    if change.difference.is_zero:
        was = None if change.before is None else change.before.unknown
        return not change.is_known and was != (None if change.after is None else change.after.unknown)
    return True


def _amount(cost: ResourceCost | None) -> Money:
    return ZERO if cost is None else cost.amount

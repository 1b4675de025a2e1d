from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.preflight.draft import Draft, only, quiet
from trainworks.preflight.rules.spot_fleet_role import RULE

Platform = Callable[[str], Draft]


@pytest.mark.parametrize("strategy", ["BEST_FIT", None])
def test_best_fit_also_by_default(platform: Platform, strategy: str | None) -> None:
    draft = platform("dev")
    compute = draft.properties("Batch/Spot")["ComputeResources"]
    if strategy is None:
        del compute["AllocationStrategy"]
    else:
        compute["AllocationStrategy"] = strategy
    (found,) = only(draft, RULE)
    assert found.is_error
    assert found.place == "Batch/Spot"


def test_with_a_role(platform: Platform) -> None:
    draft = platform("dev")
    draft.properties("Batch/Spot")["ComputeResources"] |= {
        "AllocationStrategy": "BEST_FIT",
        "SpotIamFleetRole": "arn:aws:iam::111111111111:role/fleet",
    }
    quiet(draft, RULE)


def test_on_demand_needs_none(platform: Platform) -> None:
    draft = platform("dev")
    draft.properties("Batch/Spot")["ComputeResources"] |= {"Type": "EC2", "AllocationStrategy": "BEST_FIT"}
    quiet(draft, RULE)

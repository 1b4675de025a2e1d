from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.preflight.draft import Draft, only, quiet
from trainworks.preflight.rules.types_beside_optimal import RULE

Platform = Callable[[str], Draft]


@pytest.mark.parametrize("types", [["m5.xlarge", "optimal"], ["c5", "default_x86_64"]])
def test_named_types_beside_open_ones(platform: Platform, types: list[str]) -> None:
    draft = platform("dev")
    draft.properties("Batch/Spot")["ComputeResources"]["InstanceTypes"] = types
    (found,) = only(draft, RULE)
    assert not found.is_error
    assert types[0] in found.message


@pytest.mark.parametrize("types", [["optimal"], ["m5", "c5"]])
def test_either_alone(platform: Platform, types: list[str]) -> None:
    draft = platform("dev")
    draft.properties("Batch/Spot")["ComputeResources"]["InstanceTypes"] = types
    quiet(draft, RULE)

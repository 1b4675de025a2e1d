from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, only, quiet
from tests.unit.preflight.rules.training_config import edited, state_machine
from trainworks.preflight.rule import Fault
from trainworks.preflight.rules.spot_training_limits import RULE, find
from trainworks.preflight.settings import CheckSettings

Platform = Callable[[str], Draft]


def test_no_time_to_wait(platform: Platform) -> None:
    (found,) = only(edited(platform("dev"), ',"MaxWaitTimeInSeconds":172800', ""), RULE)
    assert found.is_error
    assert "without MaxWaitTimeInSeconds" in found.message


def test_less_time_to_wait_than_to_run(platform: Platform) -> None:
    (found,) = only(edited(platform("dev"), '"MaxWaitTimeInSeconds":172800', '"MaxWaitTimeInSeconds":3600'), RULE)
    assert "3600 is below MaxRuntimeInSeconds, 86400" in found.message


def test_limits_beside_the_stopping_condition(platform: Platform) -> None:
    draft = edited(
        platform("prod"),
        '"StoppingCondition":{"MaxRuntimeInSeconds":86400,"MaxWaitTimeInSeconds":172800}',
        '"MaxRuntimeInSeconds":86400,"MaxWaitTimeInSeconds":172800',
    )
    (found,) = only(draft, RULE)
    assert "MaxRuntimeInSeconds and MaxWaitTimeInSeconds" in found.message


def test_on_demand_needs_no_time_to_wait(platform: Platform) -> None:
    draft = edited(platform("dev"), '"EnableManagedSpotTraining":true', '"EnableManagedSpotTraining":false')
    quiet(edited(draft, ',"MaxWaitTimeInSeconds":172800', ""), RULE)


def _faults(request: dict[str, Any]) -> list[Fault]:
    return list(find(state_machine(request).graph(), CheckSettings()))


@pytest.mark.parametrize(
    "stopping",
    [
        {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600},
        {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds.$": "$.wait"},
        {"MaxRuntimeInSeconds": "{% $runtime %}", "MaxWaitTimeInSeconds": 1},
    ],
)
def test_requests_of_state_machines_that_are_right_or_unknown(stopping: dict[str, Any]) -> None:
    assert _faults({"EnableManagedSpotTraining": True, "StoppingCondition": stopping}) == []


def test_the_runtime_has_a_default() -> None:
    (fault,) = _faults({"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxWaitTimeInSeconds": 3600}})
    assert "86400 by default" in fault.message


def test_settings_that_say_nothing_of_stopping(platform: Platform) -> None:
    draft = edited(
        platform("dev"), '"StoppingCondition":{"MaxRuntimeInSeconds":86400,"MaxWaitTimeInSeconds":172800},', ""
    )
    (found,) = only(draft, RULE)
    assert not found.is_error

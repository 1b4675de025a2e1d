from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, only, quiet
from trainworks.preflight.rules.job_too_big import RULE

Platform = Callable[[str], Draft]


def _asks(draft: Draft, **sizes: str) -> Draft:
    container = draft.properties("Batch/JobDefinition")["ContainerProperties"]
    container["ResourceRequirements"] = [{"Type": type_, "Value": value} for type_, value in sizes.items()]
    return draft


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ({"VCPU": "8", "MEMORY": "2048"}, "has 4 vCPU"),
        ({"VCPU": "2", "MEMORY": "65536"}, "at most 16096 MiB"),
        ({"VCPU": "1", "MEMORY": "16384"}, "keep their share"),
        ({"VCPU": "1", "MEMORY": "2048", "GPU": "1"}, "more than 0 GPU"),
    ],
)
def test_more_than_any_allowed_type_has(platform: Platform, sizes: dict[str, str], why: str) -> None:
    (found,) = only(_asks(platform("dev"), **sizes), RULE)
    assert found.is_error
    assert found.place == "Batch/JobDefinition"
    assert why in found.message


def test_no_type_has_all_of_it_at_once(platform: Platform) -> None:
    draft = _asks(platform("dev"), VCPU="2", MEMORY="3000")
    draft.properties("Batch/Spot")["ComputeResources"]["InstanceTypes"] = ["c6i.large", "t2.medium"]
    assert any("keep their share" in each.message for each in only(_asks(draft, VCPU="2", MEMORY="4096"), RULE))


def test_all_of_a_hosts_memory_does_not_fit_though_the_type_declares_it(platform: Platform) -> None:
    draft = _asks(platform("dev"), VCPU="2", MEMORY="8192")
    draft.properties("Batch/Spot")["ComputeResources"]["InstanceTypes"] = ["m5.large"]
    (found,) = only(draft, RULE)
    assert "8032 MiB" in found.message


def test_a_type_that_takes_no_job_is_useless(platform: Platform) -> None:
    (found,) = only(_asks(platform("dev"), VCPU="4", MEMORY="2048"), RULE)
    assert not found.is_error
    assert found.place == "Batch/Spot"
    assert "m5.large" in found.message


@pytest.mark.parametrize(
    "types", [["optimal"], ["c5"], ["default_x86_64"], ["z9.huge", "m5.large"], [{"Ref": "Nobody"}]]
)
def test_families_and_types_that_are_unknown(platform: Platform, types: list[Any]) -> None:
    draft = _asks(platform("dev"), VCPU="8", MEMORY="12000")
    if isinstance(types[0], dict):
        draft.template("Batch")["Parameters"]["Nobody"] = {"Type": "String"}
    draft.properties("Batch/Spot")["ComputeResources"]["InstanceTypes"] = types
    quiet(draft, RULE)


def test_another_environment_may_take_it(platform: Platform) -> None:
    draft = _asks(platform("prod"), VCPU="64", MEMORY="2048")
    draft.properties("Batch/OnDemand")["ComputeResources"]["InstanceTypes"] = ["m5.16xlarge"]
    quiet(draft, RULE)


def test_the_older_members_count_as_well(platform: Platform) -> None:
    draft = platform("dev")
    container = draft.properties("Batch/JobDefinition")["ContainerProperties"]
    del container["ResourceRequirements"]
    container |= {"Vcpus": 16, "Memory": 2048}
    assert only(draft, RULE)[0].is_error

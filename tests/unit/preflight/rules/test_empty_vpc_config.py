from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
from tests.unit.preflight.rules.training_config import state_machine, without_references
from trainworks.preflight.rules.empty_vpc_config import RULE, find
from trainworks.preflight.settings import CheckSettings

Platform = Callable[[str], Draft]


def test_no_subnets_in_the_settings_of_training_jobs(platform: Platform) -> None:
    (found,) = only(without_references(platform("dev"), '"Subnets":['), RULE)
    assert found.is_error
    assert found.place == "TrainingJobConfig"
    assert "no subnet" in found.message


def test_no_security_groups_in_the_settings_of_training_jobs(platform: Platform) -> None:
    (found,) = only(without_references(platform("prod"), '"SecurityGroupIds":['), RULE)
    assert "no security group" in found.message


def test_no_subnets_of_batch_hosts(platform: Platform) -> None:
    draft = platform("staging")
    draft.properties("Batch/Spot")["ComputeResources"]["Subnets"] = []
    (found,) = only(draft, RULE)
    assert found.place == "Batch/Spot"


def test_an_empty_text_is_no_subnet() -> None:
    draft = draft_of({"F": {"Type": "AWS::Lambda::Function", "Properties": {}}})
    draft.properties("F")["VpcConfig"] = {"SubnetIds": [""], "SecurityGroupIds": ["sg-1"]}
    assert len(list(find(draft.graph(), CheckSettings()))) == 1


def test_a_request_in_a_state_machine() -> None:
    draft = state_machine({"VpcConfig": {"Subnets": [], "SecurityGroupIds": ["sg-1"]}})
    (fault,) = find(draft.graph(), CheckSettings())
    assert "DefinitionString.States.Train" in fault.message


def test_settings_without_a_job_around_them() -> None:
    value = json.dumps({"network": {"VpcConfig": {"Subnets": [], "SecurityGroupIds": ["sg-1"]}}})
    draft = draft_of({"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}})
    (fault,) = find(draft.graph(), CheckSettings())
    assert "network.VpcConfig.Subnets" in fault.message


@pytest.mark.parametrize(
    "vpc_config",
    [
        {"SubnetIds": [], "SecurityGroupIds": []},  # takes a function out of its VPC
        {"SubnetIds": {"Ref": "Subnets"}, "SecurityGroupIds": [{"Ref": "Group"}]},
    ],
)
def test_what_is_fine_or_unknown(vpc_config: dict[str, object]) -> None:
    parameters = {"Subnets": {"Type": "List<AWS::EC2::Subnet::Id>"}, "Group": {"Type": "String"}}
    function = {"Type": "AWS::Lambda::Function", "Properties": {"VpcConfig": vpc_config}}
    draft = draft_of({"Parameters": parameters, "Resources": {"F": function}})
    assert list(find(draft.graph(), CheckSettings())) == []


def test_a_clean_platform_has_none(platform: Platform) -> None:
    nothing(platform("dev"))

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, only
from tests.unit.preflight.rules.training_config import edited, state_machine
from tests.unit.preflight.small_vpc import group, group_id, ref, resource, vpc
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault
from trainworks.preflight.rules.instances_apart import RULE, find
from trainworks.preflight.settings import CheckSettings

Platform = Callable[[str], Draft]
MEMBERS = "Training/TrainingSecurityGroup"


def _without(draft: Draft, type_: str) -> Draft:
    resources = draft.template("Training")["Resources"]
    for name in [key for key, body in resources.items() if body["Type"] == f"AWS::EC2::SecurityGroup{type_}"]:
        del resources[name]
    return draft


def test_no_rule_for_members_inbound(platform: Platform) -> None:
    (found,) = only(_without(platform("dev"), "Ingress"), RULE)
    assert not found.is_error  # the number of instances is not in the settings
    assert "no traffic inbound from its own members" in found.message
    assert "as soon as it has more than one" in found.message


def test_no_rule_for_members_outbound(platform: Platform) -> None:
    (found,) = only(_without(platform("prod"), "Egress"), RULE)
    assert "no traffic outbound to" in found.message


def test_neither(platform: Platform) -> None:
    (found,) = only(_without(_without(platform("dev"), "Egress"), "Ingress"), RULE)
    assert "inbound from nor outbound to" in found.message


def test_a_platform_that_says_how_many(platform: Platform) -> None:
    settings = '"EnableManagedSpotTraining":true,"ResourceConfig":{"InstanceCount":%s},'
    draft = _without(platform("dev"), "Ingress")
    (found,) = only(edited(draft, '"EnableManagedSpotTraining":true,', settings % 2), RULE)
    assert found.is_error
    assert edited(draft, settings % 2, settings % 1).findings() == []


def _faults(count: Any, rules: dict[str, Any]) -> list[Fault]:
    request = {
        "VpcConfig": {"Subnets": ["SUBNET"], "SecurityGroupIds": ["GROUP"]},
        "ResourceConfig": {"InstanceCount": count},
    }
    draft = state_machine(request, **vpc(), **group("Group", **rules))
    properties = draft.properties("Machine")
    before, between, after = properties["DefinitionString"].replace("SUBNET", "GROUP").split("GROUP")
    properties["DefinitionString"] = {"Fn::Join": ["", [before, ref("Subnet"), between, group_id("Group"), after]]}
    return list(find(draft.graph(), CheckSettings()))


def _inbound(first: int, last: int, cidr_block: str = "10.0.0.0/16") -> dict[str, Any]:
    return {"SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": first, "ToPort": last, "CidrIp": cidr_block}]}


@pytest.mark.parametrize(
    ("count", "rules", "severity"),
    [
        (2, {}, Severity.ERROR),
        (2, _inbound(443, 443), Severity.ERROR),
        (2, _inbound(0, 65535, "10.7.0.0/16"), Severity.ERROR),
        (2, _inbound(0, 65535), None),
        (1, {}, None),
        ("{% $count %}", {}, Severity.WARNING),
    ],
)
def test_state_machines(count: Any, rules: dict[str, Any], severity: Severity | None) -> None:
    assert [fault.severity for fault in _faults(count, rules)] == ([severity] if severity else [])


def test_multi_node_jobs_of_batch(platform: Platform) -> None:
    draft = platform("dev")
    container = draft.properties("Batch/JobDefinition").pop("ContainerProperties")
    draft.properties("Batch/JobDefinition")["NodeProperties"] = {
        "NumNodes": 2,
        "MainNode": 0,
        "NodeRangeProperties": [{"TargetNodes": "0:1", "Container": container}],
    }
    (found,) = [each for each in draft.findings() if each.code == RULE.code]
    assert found.is_error
    assert found.place == "Batch/Spot"


def test_groups_of_another_stack_are_not_judged() -> None:
    draft = state_machine(
        {"VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}, "ResourceConfig": {"InstanceCount": 4}},
        Other=resource("SNS::Topic"),
    )
    assert list(find(draft.graph(), CheckSettings())) == []

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, only
from trainworks.preflight.rules.blocked_connection import RULE

Platform = Callable[[str], Draft]
ENDPOINTS = "Network/EndpointSecurityGroup"


def test_the_endpoints_take_nothing(platform: Platform) -> None:
    draft = platform("prod")
    draft.properties(ENDPOINTS)["SecurityGroupIngress"] = []
    found = only(draft, RULE)
    assert all(each.is_error for each in found)
    assert "Network/EcsAgentEndpoint" in {each.place for each in found}
    assert "allows no HTTPS from the Batch hosts" in found[0].message


@pytest.mark.parametrize(
    "rule",
    [
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0"},
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "192.168.0.0/16"},
        {"IpProtocol": "udp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"},
    ],
)
def test_the_endpoints_take_something_else(platform: Platform, rule: dict[str, Any]) -> None:
    draft = platform("prod")
    draft.properties(ENDPOINTS)["SecurityGroupIngress"] = [rule]
    assert {each.is_error for each in only(draft, RULE)} == {True}


def test_the_hosts_let_nothing_out(platform: Platform) -> None:
    draft = platform("prod")
    (rule,) = draft.properties("Batch/SecurityGroup")["SecurityGroupEgress"]
    rule["ToPort"] = rule["FromPort"] = 5432
    found = only(draft, RULE)
    assert {each.place for each in found} == {"Batch/Spot", "Batch/OnDemand"}
    assert "allow no outbound HTTPS to ecs, ecs-agent" in found[0].message


def test_endpoints_alone_are_not_enough_for_s3(platform: Platform) -> None:
    draft = platform("prod")
    draft.properties("Batch/SecurityGroup")["SecurityGroupEgress"][0]["CidrIp"] = "10.0.0.0/8"
    found = only(draft, RULE)
    assert all("allow no outbound HTTPS to s3:" in each.message for each in found)
    assert "prefix list of S3" in found[0].fix


def test_the_prefix_list_of_s3_is(platform: Platform) -> None:
    draft = platform("prod")
    draft.properties("Batch/SecurityGroup")["SecurityGroupEgress"] = [
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.0.0.0/8"},
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "DestinationPrefixListId": "pl-6da54004"},
    ]
    assert draft.findings() == []


def test_training_jobs_that_cannot_get_out(platform: Platform) -> None:
    draft = platform("dev")
    draft.properties("Training/TrainingSecurityGroup")["SecurityGroupEgress"][0]["CidrIp"] = "10.0.0.0/8"
    (found,) = only(draft, RULE)
    assert found.place == "TrainingJobConfig"
    assert "read its input or write its output" in found.message


def test_a_rule_of_its_own_opens_the_way(platform: Platform) -> None:
    draft = platform("prod")
    group = draft.body(ENDPOINTS)
    group["Properties"]["SecurityGroupIngress"] = []
    name = next(key for key, body in draft.template("Network")["Resources"].items() if body is group)
    draft.add(
        "Opened",
        "AWS::EC2::SecurityGroupIngress",
        {
            "GroupId": {"Fn::GetAtt": [name, "GroupId"]},
            "IpProtocol": "tcp",
            "FromPort": 443,
            "ToPort": 443,
            "CidrIp": "10.0.0.0/8",
        },
        stack="Network",
    )
    assert [each for each in draft.findings() if each.code == RULE.code] == []


def test_endpoints_in_the_default_group_take_only_its_members(platform: Platform) -> None:
    draft = platform("prod")
    del draft.properties("Network/LogsEndpoint")["SecurityGroupIds"]
    found = only(draft, RULE)
    assert {each.place for each in found} == {"Network/LogsEndpoint"}

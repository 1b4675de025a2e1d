from __future__ import annotations

from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, only, quiet
from trainworks.preflight.rules.open_load_balancer import RULE

_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"


def _service(*, listens: bool = True, ingress: list[dict[str, Any]] | None = None, **properties: Any) -> Draft:
    given = {"Type": "network", "Scheme": "internal", "Subnets": ["subnet-1"]}
    resources: dict[str, Any] = {"Balancer": {"Type": _BALANCER, "Properties": dict(given)}}
    if listens:
        group = {"Port": 5000, "Protocol": "TCP", "VpcId": "vpc-1", "TargetType": "ip"}
        resources["Group"] = {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": group}
        forward = [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}]
        listener = {"LoadBalancerArn": {"Ref": "Balancer"}, "Port": 80, "Protocol": "TCP", "DefaultActions": forward}
        resources["Listener"] = {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": listener}
    if ingress is not None:
        own = {"GroupDescription": "who may come", "VpcId": "vpc-1", "SecurityGroupIngress": ingress}
        resources["Who"] = {"Type": "AWS::EC2::SecurityGroup", "Properties": own}
        properties["SecurityGroups"] = [{"Fn::GetAtt": ["Who", "GroupId"]}]
    draft = draft_of(resources)
    draft.template()["Resources"]["Balancer"]["Properties"] = {
        name: value for name, value in {**given, **properties}.items() if value is not None
    }
    return draft


EVERYBODY = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0"}]
OFFICE = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "198.51.100.0/24"}]


@pytest.mark.parametrize("scheme", ["internet-facing", None])
def test_everybody_reaches_the_service(scheme: str | None) -> None:
    (found,) = only(_service(Scheme=scheme), RULE)
    assert not found.is_error
    assert "TCP 80" in found.message


def test_a_group_that_lets_everybody_in_changes_nothing() -> None:
    assert [f.code for f in _service(Scheme="internet-facing", ingress=EVERYBODY).findings() if f.code == RULE.code]


@pytest.mark.parametrize(
    "draft",
    [
        _service(Scheme="internal"),
        _service(Scheme="internet-facing", Type="application"),
        _service(Scheme="internet-facing", listens=False),
        _service(Scheme="internet-facing", ingress=OFFICE),
        _service(Scheme="internet-facing", SecurityGroups=["sg-of-elsewhere"]),
    ],
    ids=["internal", "application", "no listener", "office only", "unknown group"],
)
def test_what_is_closed_or_cannot_be_known(draft: Draft) -> None:
    quiet(draft, RULE)

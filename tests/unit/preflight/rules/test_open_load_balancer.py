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


def _before_another(*, actions: list[dict[str, Any]], ingress: list[dict[str, Any]], rule: bool = False) -> Draft:
    """A network load balancer before an application load balancer."""
    draft = _service(Scheme="internet-facing", listens=True)
    resources = draft.template()["Resources"]
    group = resources["Group"]["Properties"]
    group |= {"TargetType": "alb", "Targets": [{"Id": {"Ref": "Inner"}}]}
    own = {"GroupDescription": "g", "VpcId": "vpc-1", "SecurityGroupIngress": ingress}
    inner = {"Type": "application", "Scheme": "internal", "Subnets": ["subnet-1"]}
    inner["SecurityGroups"] = [{"Fn::GetAtt": ["InnerGroup", "GroupId"]}]
    listener = {"LoadBalancerArn": {"Ref": "Inner"}, "Port": 443, "Protocol": "HTTPS", "DefaultActions": actions}
    resources |= {
        "InnerGroup": {"Type": "AWS::EC2::SecurityGroup", "Properties": own},
        "Inner": {"Type": _BALANCER, "Properties": inner},
        "InnerListener": {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": listener},
    }
    if rule:
        condition = {"Field": "path-pattern", "Values": ["/open"]}
        body = {"ListenerArn": {"Ref": "InnerListener"}, "Priority": 1, "Conditions": [condition], "Actions": [FORWARD]}
        resources["Rule"] = {"Type": "AWS::ElasticLoadBalancingV2::ListenerRule", "Properties": body}
    return draft


FORWARD: dict[str, Any] = {"Type": "forward", "TargetGroupArn": "arn:of-elsewhere"}
LOGIN: list[dict[str, Any]] = [{"Type": "authenticate-oidc", "Order": 1}, {**FORWARD, "Order": 2}]


@pytest.mark.parametrize(
    ("draft", "open_"),
    [
        (_before_another(actions=LOGIN, ingress=EVERYBODY), False),
        (_before_another(actions=[FORWARD], ingress=OFFICE), False),
        (_before_another(actions=[FORWARD], ingress=EVERYBODY), True),
        (_before_another(actions=LOGIN, ingress=EVERYBODY, rule=True), True),
    ],
    ids=["login", "office only", "open", "a rule without login"],
)
def test_what_stands_behind_it_may_ask_who_comes(draft: Draft, open_: bool) -> None:
    found = [each.place for each in draft.findings() if each.code == RULE.code]
    assert found == ["Balancer"] * open_

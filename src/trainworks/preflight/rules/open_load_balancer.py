"""TW35: a network load balancer that lets the whole internet at what is behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.assembly.graph import Graph, Resource
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads.values import table, tables, text, texts

_ANYWHERE = ("0.0.0.0/0", "::/0")
_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_ASKS = frozenset({"authenticate-oidc", "authenticate-cognito", "jwt-validation", "redirect", "fixed-response"})

_Owned = Mapping[Resource, list[Resource]]


@dataclass(frozen=True, slots=True)
class _Network:
    """Listeners by their load balancer, their rules by the listener, rules of security groups that stand `apart`."""

    listeners: _Owned
    rules: _Owned
    apart: _Owned


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    network = _Network(
        _by_owner(graph, "AWS::ElasticLoadBalancingV2::Listener", "LoadBalancerArn"),
        _by_owner(graph, "AWS::ElasticLoadBalancingV2::ListenerRule", "ListenerArn"),
        _by_owner(graph, "AWS::EC2::SecurityGroupIngress", "GroupId"),
    )
    for balancer in graph.of_type(_BALANCER):
        # Without a scheme it faces the internet.
        if balancer.get("Type") != "network" or balancer.get("Scheme", default="internet-facing") != "internet-facing":
            continue
        groups = texts(balancer.get("SecurityGroups"))
        if groups and not any(_is_open(graph, each, network.apart) for each in groups):
            continue
        listeners = [each for each in network.listeners.get(balancer, []) if not _is_guarded(graph, each, network)]
        if not listeners:
            continue
        ports = ", ".join(f"{text(each.get('Protocol'))} {each.get('Port', default='?')}" for each in listeners)
        yield Fault(
            balancer,
            f"is open to the internet and authenticates nobody: anyone can reach what listens behind {ports}",
            {"Scheme": balancer.get("Scheme", default="internet-facing"), "SecurityGroups": list(groups)},
            "Scheme internal, or a security group with the addresses that may come, or an application load balancer "
            "that authenticates; accept it where the service asks for credentials itself",
        )


def _is_guarded(graph: Graph, listener: Resource, network: _Network) -> bool:
    """Whether it forwards only to application load balancers that do not admit everybody.

    One outside the templates counts as such: it is not known whom it admits.
    """
    forwarded = [arn for action in tables(listener.get("DefaultActions")) for arn in _forwarded(action)]
    groups = [graph.owner(arn) for arn in forwarded if arn is not None]
    behind = [
        graph.owner(target.get("Id"))
        for group in groups
        for target in (tables(group.get("Targets")) if group is not None else ())
    ]
    are_balancers = all(group is not None and group.get("TargetType") == "alb" for group in groups)
    return bool(groups) and are_balancers and all(_lets_in_few(graph, each, network) for each in behind)


def _forwarded(action: Mapping[str, Any]) -> Iterator[object]:
    yield action.get("TargetGroupArn")
    for group in tables(table(action.get("ForwardConfig")).get("TargetGroups")):
        yield group.get("TargetGroupArn")


def _lets_in_few(graph: Graph, balancer: Resource | None, network: _Network) -> bool:
    """Whether the application load balancer authenticates callers, or its security groups admit only some."""
    if balancer is None or balancer.type != _BALANCER:
        return True
    listeners = network.listeners.get(balancer, [])
    rules = [rule for each in listeners for rule in network.rules.get(each, [])]
    mutual = all(each.get("MutualAuthentication", "Mode") == "verify" for each in listeners)
    asks = all(map(_asks, [*listeners, *rules]))
    groups = texts(balancer.get("SecurityGroups"))
    closed = bool(groups) and not any(_is_open(graph, each, network.apart) for each in groups)
    return closed or (bool(listeners) and (mutual or asks))


def _asks(resource: Resource) -> bool:
    """Whether a listener or one of its rules asks each request for a login, refuses it or sends it elsewhere."""
    actions = (*tables(resource.get("DefaultActions")), *tables(resource.get("Actions")))
    return any(text(action.get("Type")) in _ASKS for action in actions)


def _by_owner(graph: Graph, type_name: str, property_: str) -> _Owned:
    """Resources of the type by the resource that their property names."""
    found: dict[Resource, list[Resource]] = defaultdict(list)
    for resource in graph.of_type(type_name):
        owner = graph.owner(resource.get(property_))
        if owner is not None:
            found[owner].append(resource)
    return found


def _is_open(graph: Graph, group_id: str, apart: _Owned) -> bool:
    """Whether the group admits everybody, by its own rules or by separate ones (`apart`). False for a group that
    the templates do not have: its rules are not known."""
    group = graph.owner(group_id)
    if group is None or group.type != "AWS::EC2::SecurityGroup":
        return False
    rules = [*tables(group.get("SecurityGroupIngress")), *(each.properties for each in apart.get(group, []))]
    return any(str(rule.get(name)) in _ANYWHERE for rule in rules for name in ("CidrIp", "CidrIpv6"))


RULE = Rule(
    code="TW35",
    severity=Severity.WARNING,
    title="a network load balancer that opens a service to the whole internet",
    origin="A tracking server without a login behind a network load balancer is everybody's tracking server.",
    find=find,
)

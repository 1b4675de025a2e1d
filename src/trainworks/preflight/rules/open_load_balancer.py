"""TW35: a network load balancer that lets the whole internet at what is behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from trainworks.assembly.graph import Graph, Resource
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import Settings
from trainworks.preflight.workloads.values import tables, text, texts

_ANYWHERE = ("0.0.0.0/0", "::/0")


def find(graph: Graph, settings: Settings) -> Iterator[Fault]:
    del settings
    listening = _by_owner(graph, "AWS::ElasticLoadBalancingV2::Listener", "LoadBalancerArn")
    apart = _by_owner(graph, "AWS::EC2::SecurityGroupIngress", "GroupId")
    for balancer in graph.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        # Without a scheme it faces the internet.
        if balancer.get("Type") != "network" or balancer.get("Scheme", default="internet-facing") != "internet-facing":
            continue
        listeners = listening.get(balancer, [])
        groups = texts(balancer.get("SecurityGroups"))
        if not listeners or (groups and not any(_is_open(graph, each, apart) for each in groups)):
            continue
        ports = ", ".join(f"{text(each.get('Protocol'))} {each.get('Port', default='?')}" for each in listeners)
        yield Fault(
            balancer,
            f"faces the internet and authenticates nobody: whoever finds it reaches what listens behind {ports}",
            {"Scheme": balancer.get("Scheme", default="internet-facing"), "SecurityGroups": list(groups)},
            "Scheme internal, or a security group with the addresses that may come, or an application load balancer "
            "that authenticates; accept it where the service asks for credentials itself",
        )


def _by_owner(graph: Graph, type_name: str, property_: str) -> Mapping[Resource, list[Resource]]:
    """Resources of the type by the resource that their property names."""
    found: dict[Resource, list[Resource]] = defaultdict(list)
    for resource in graph.of_type(type_name):
        owner = graph.owner(resource.get(property_))
        if owner is not None:
            found[owner].append(resource)
    return found


def _is_open(graph: Graph, group_id: str, apart: Mapping[Resource, list[Resource]]) -> bool:
    """Whether the group lets everybody in, by its own rules or those that stand `apart`; of a group of elsewhere
    nothing is known."""
    group = graph.owner(group_id)
    if group is None or group.type != "AWS::EC2::SecurityGroup":
        return False
    rules = [*tables(group.get("SecurityGroupIngress")), *(each.properties for each in apart.get(group, []))]
    return any(str(rule.get(name)) in _ANYWHERE for rule in rules for name in ("CidrIp", "CidrIpv6"))


RULE = Rule(
    code="TW35",
    severity=Severity.WARNING,
    title="a network load balancer that lets the whole internet at a service",
    origin="A tracking server without a login behind a network load balancer is everybody's tracking server.",
    find=find,
)

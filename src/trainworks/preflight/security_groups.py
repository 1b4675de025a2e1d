"""The security groups of a graph for `aws.security_groups`, from rules inline and of resources of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from trainworks.assembly.graph import Graph, Unknown
from trainworks.aws.security_groups import EVERYTHING, Group, Permission, SecurityGroups
from trainworks.preflight.workloads.values import number, tables, text


@lru_cache(maxsize=4)
def security_groups_of(graph: Graph) -> SecurityGroups:
    """All groups of a graph; read once per graph."""
    groups: dict[str, Group] = {}
    ingress = _separate(graph, "AWS::EC2::SecurityGroupIngress")
    egress = _separate(graph, "AWS::EC2::SecurityGroupEgress")
    for resource in graph.of_type("AWS::EC2::SecurityGroup"):
        id_ = resource.attribute("GroupId")
        inward, outward = ingress.get(id_, ()), egress.get(id_, ())
        inline = resource.get("SecurityGroupIngress")
        inline_out = resource.get("SecurityGroupEgress")
        groups[id_] = Group(
            (*_permissions(inline), *inward),
            (*_permissions(inline_out), *outward) if inline_out is not None or outward else (EVERYTHING,),
        )
    for vpc in graph.of_type("AWS::EC2::VPC"):
        id_ = vpc.attribute("DefaultSecurityGroup")
        members = Permission("-1", None, None, group=id_)
        groups[id_] = Group((members, *ingress.get(id_, ())), (EVERYTHING, *egress.get(id_, ())))
    return SecurityGroups(groups)


def _separate(graph: Graph, type_: str) -> Mapping[str, tuple[Permission, ...]]:
    """Rules that are resources, by the id of their group."""
    found: dict[str, list[Permission]] = {}
    for resource in graph.of_type(type_):
        owner = graph.owner(resource.get("GroupId"))
        id_ = text(resource.get("GroupId"))
        if owner is not None and owner.type == "AWS::EC2::SecurityGroup":
            id_ = owner.attribute("GroupId")
        found.setdefault(id_, []).append(_permission(resource.properties))
    return {id_: tuple(permissions) for id_, permissions in found.items()}


def _permissions(value: object) -> Iterator[Permission]:
    if isinstance(value, Unknown):
        yield Permission(value, value, value, group=value)
    for each in tables([value] if isinstance(value, Mapping) else value):
        yield _permission(each)


def _permission(rule: Mapping[str, Any]) -> Permission:
    return Permission(
        text(rule.get("IpProtocol")).lower() if not isinstance(rule.get("IpProtocol"), Unknown) else rule["IpProtocol"],
        number(rule.get("FromPort")),
        number(rule.get("ToPort")),
        group=text(rule.get("SourceSecurityGroupId", rule.get("DestinationSecurityGroupId"))),
        cidr_block=text(rule.get("CidrIp")),
        prefix_list=text(rule.get("SourcePrefixListId", rule.get("DestinationPrefixListId"))),
    )

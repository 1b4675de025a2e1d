"""Which connections the security groups of a graph let through, in both directions.

Rules are read inline and from resources of their own. What is unknown (a group of another stack, a port or address that
only the deployment tells, a prefix list) counts as let through: a rule here is read as "certainly not".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from trainworks.assembly.graph import Graph, Unknown
from trainworks.preflight.workloads.values import number, tables, text

HTTPS = 443
ALL_TCP = (0, 65535)
_Net = ipaddress.IPv4Network


@dataclass(frozen=True, slots=True)
class Peer:
    """The other side: an interface in `groups` with an address in one of `cidr_blocks` (empty: unknown).

    `is_public`: an address outside the VPC, as that of a service's public endpoint or of S3 behind its gateway.
    """

    groups: frozenset[str] = frozenset()
    cidr_blocks: tuple[str, ...] = ()
    is_public: bool = False


PUBLIC = Peer(is_public=True)


@dataclass(frozen=True, slots=True)
class Permission:
    """One rule. `group`, `cidr_block` or `prefix_list` is the peer; ports are None for all, Unknown where unknown."""

    protocol: str
    from_port: float | Unknown | None
    to_port: float | Unknown | None
    group: str = ""
    cidr_block: str = ""
    prefix_list: str = ""

    def covers(self, ports: tuple[int, int]) -> bool:
        """Whether it lets TCP at all of `ports` through, or may."""
        if isinstance(self.protocol, Unknown) or self.protocol in ("-1", "all"):
            return True
        if self.protocol not in ("tcp", "6"):
            return False
        first, last = self.from_port, self.to_port
        if isinstance(first, Unknown) or isinstance(last, Unknown) or first is None or last is None:
            return True
        # Port 0 is not used: 1 to 65535 is all of TCP.
        return first == -1 or (first <= max(ports[0], 1) and last >= ports[1])

    def admits(self, peer: Peer) -> bool:
        """Whether the peer is meant, or may be."""
        if self.prefix_list or isinstance(self.group, Unknown) or isinstance(self.cidr_block, Unknown):
            return True
        if self.group:
            return self.group in peer.groups
        network = _network(self.cidr_block)
        if network is None:
            return False
        if peer.is_public:
            return not network.is_private or network.prefixlen == 0
        others = [_network(each) for each in peer.cidr_blocks]
        return not others or any(other is None or other.overlaps(network) for other in others)


@dataclass(frozen=True, slots=True)
class Group:
    """The rules of one group."""

    ingress: tuple[Permission, ...]
    egress: tuple[Permission, ...]


class SecurityGroups:
    """All groups of a graph, by id."""

    def __init__(self, graph: Graph) -> None:
        self._groups: dict[str, Group] = {}
        ingress = _separate(graph, "AWS::EC2::SecurityGroupIngress")
        egress = _separate(graph, "AWS::EC2::SecurityGroupEgress")
        for resource in graph.of_type("AWS::EC2::SecurityGroup"):
            id_ = resource.attribute("GroupId")
            inward, outward = ingress.get(id_, ()), egress.get(id_, ())
            inline = resource.get("SecurityGroupIngress")
            inline_out = resource.get("SecurityGroupEgress")
            self._groups[id_] = Group(
                (*_permissions(inline), *inward),
                (*_permissions(inline_out), *outward) if inline_out is not None or outward else (_EVERYTHING,),
            )
        for vpc in graph.of_type("AWS::EC2::VPC"):
            id_ = vpc.attribute("DefaultSecurityGroup")
            members = Permission("-1", None, None, group=id_)
            self._groups[id_] = Group((members, *ingress.get(id_, ())), (_EVERYTHING, *egress.get(id_, ())))

    def knows_all(self, groups: Iterable[str]) -> bool:
        """Whether the graph has all of them."""
        return all(each in self._groups for each in groups)

    def lets_out(self, groups: Iterable[str], peer: Peer, ports: tuple[int, int] = (HTTPS, HTTPS)) -> bool:
        """Whether an interface with `groups` may open a TCP connection to `peer`."""
        return self._lets(groups, peer, ports, outward=True)

    def lets_in(self, groups: Iterable[str], peer: Peer, ports: tuple[int, int] = (HTTPS, HTTPS)) -> bool:
        """Whether an interface with `groups` accepts a TCP connection from `peer`."""
        return self._lets(groups, peer, ports, outward=False)

    def _lets(self, groups: Iterable[str], peer: Peer, ports: tuple[int, int], *, outward: bool) -> bool:
        for id_ in groups:
            group = self._groups.get(id_)
            if group is None:
                return True
            permissions = group.egress if outward else group.ingress
            if any(each.covers(ports) and each.admits(peer) for each in permissions):
                return True
        return False


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


@lru_cache(maxsize=1024)
def _network(cidr_block: str) -> _Net | None:
    try:
        return _Net(cidr_block, strict=False)
    except ValueError:
        return None


_EVERYTHING = Permission("-1", None, None, cidr_block="0.0.0.0/0")


@lru_cache(maxsize=4)
def security_groups_of(graph: Graph) -> SecurityGroups:
    """The groups, read once per graph."""
    return SecurityGroups(graph)

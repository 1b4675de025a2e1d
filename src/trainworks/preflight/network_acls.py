"""The network ACLs of a graph for `aws.network_acls`: those of its subnets, and its VPCs' default ones."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.network_acls import OPEN, Entry, NetworkAcl, Ports
from trainworks.preflight.workloads.values import flag, number, table, text


class NetworkAcls:
    """The ACLs of a graph, by subnet."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._entries: dict[str, list[Entry | None]] = defaultdict(list)
        for resource in graph.of_type("AWS::EC2::NetworkAclEntry"):
            self._entries[self._key(resource.get("NetworkAclId"))].append(_entry(resource))
        self._chosen: dict[Resource, NetworkAcl | None] = {}
        for association in graph.of_type("AWS::EC2::SubnetNetworkAclAssociation"):
            subnet = graph.owner(association.get("SubnetId"))
            if subnet is not None:
                self._chosen[subnet] = self._named(association.get("NetworkAclId"))

    def of(self, subnet: Resource) -> NetworkAcl | None:
        """That of the subnet's association, or its VPC's default one; None for one that the graph does not have."""
        if subnet in self._chosen:
            return self._chosen[subnet]
        vpc = self._graph.owner(subnet.get("VpcId"))
        if vpc is None or vpc.type != "AWS::EC2::VPC":
            return None
        return self._made(f"the default ACL of {vpc.place}", vpc.attribute("DefaultNetworkAcl"), OPEN)

    def _named(self, acl_id: object) -> NetworkAcl | None:
        owner = self._graph.owner(acl_id)
        if owner is None:
            return None
        if owner.type == "AWS::EC2::VPC":  # its default one, by Fn::GetAtt
            return self._made(f"the default ACL of {owner.place}", owner.attribute("DefaultNetworkAcl"), OPEN)
        return self._made(owner.place, owner.place) if owner.type == "AWS::EC2::NetworkAcl" else None

    def _made(self, name: str, key: str, had: tuple[Entry, ...] = ()) -> NetworkAcl:
        given = self._entries.get(key, [])
        entries = tuple(each for each in given if each is not None)
        # An entry in the template whose ACL is not known may belong to this one.
        return NetworkAcl(name, (*had, *entries), is_whole=None not in given and not self._entries.get(""))

    def _key(self, acl_id: object) -> str:
        owner = self._graph.owner(acl_id)
        if owner is None:
            return "" if isinstance(acl_id, Unknown) else text(acl_id)
        return owner.place if owner.type == "AWS::EC2::NetworkAcl" else owner.attribute("DefaultNetworkAcl")


def _entry(resource: Resource) -> Entry | None:
    """One entry; None if its rule number is not known."""
    rule_number, egress = number(resource.get("RuleNumber")), flag(resource.get("Egress", default=False))
    if not isinstance(rule_number, float) or isinstance(egress, Unknown):
        return None
    action = resource.get("RuleAction")
    return Entry(
        int(rule_number),
        None if isinstance(action, Unknown) else text(action).lower() == "allow",
        bool(egress),
        text(resource.get("Protocol", default="-1")),
        _block(resource),
        _ports(resource),
    )


def _block(resource: Resource) -> str:
    return text(resource.get("CidrBlock")) or text(resource.get("Ipv6CidrBlock"))


def _ports(resource: Resource) -> Ports | Unknown | None:
    given = resource.get("PortRange")
    if given is None or isinstance(given, Unknown):
        return given
    first, last = number(table(given).get("From")), number(table(given).get("To"))
    if isinstance(first, float) and isinstance(last, float):
        return int(first), int(last)
    return Unknown("ports that only the deployment tells")


@lru_cache(maxsize=4)
def network_acls_of(graph: Graph) -> NetworkAcls:
    """The network ACLs of a graph; read once per graph."""
    return NetworkAcls(graph)

"""What becomes of a connection in a VPC, followed packet by packet with addresses and ports of its own choice.

The judge of `trainworks.aws.reach` and `acl_stops` in their tests. Shares no code with them.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from itertools import product

PUBLIC_ADDRESSES = ("3.5.0.9", "52.216.1.1", "198.51.100.7")


@dataclass
class AclRule:
    number: int
    allow: bool
    egress: bool
    protocol: str
    cidr: str
    first: int = 0
    last: int = 65535


@dataclass
class World:
    """Subnet `a` (10.0.0.0/24) has the workload, `b` (10.0.1.0/24) may have a NAT gateway; endpoints in either.

    `acls` by subnet: None for the one that a VPC comes with.
    """

    route_of_a: str = "none"
    b_leads_out: bool = True
    attached: bool = True
    public_address: bool = False
    gateway_endpoint: bool = False
    interface_subnets: tuple[str, ...] = ()
    private_dns: bool = True
    host_names: bool = True
    dns_support: bool = True
    acls: dict[str, list[AclRule] | None] = field(default_factory=dict)


BLOCKS = {"a": "10.0.0.0/24", "b": "10.0.1.0/24"}
HOSTS = {"a": ("10.0.0.5", "10.0.0.250"), "b": ("10.0.1.5", "10.0.1.250")}


def outcomes(world: World) -> set[bool]:
    """Whether HTTPS gets through, for all choices of addresses; a connection that fails at some port fails."""
    if not world.dns_support:
        return {False}
    if world.interface_subnets and world.private_dns and world.host_names:
        found = set()
        for where in world.interface_subnets:
            for me, there in product(HOSTS["a"], HOSTS[where]):
                found.add(
                    where == "a"
                    or (
                        crosses(world, "a", me, there, 443, True)
                        and crosses(world, where, me, there, 443, False)
                        and all(
                            crosses(world, where, there, me, port, True) and crosses(world, "a", there, me, port, False)
                            for port in ports(world, 32768, 60999)
                        )
                    )
                )
        return found
    return {out(world, me, there) for me, there in product(HOSTS["a"], PUBLIC_ADDRESSES)}


def out(world: World, me: str, there: str) -> bool:
    """To a public address."""
    own = crosses(world, "a", me, there, 443, True) and all(
        crosses(world, "a", there, me, port, False) for port in ports(world, 32768, 60999)
    )
    if world.gateway_endpoint:
        return own
    if world.route_of_a == "internet":
        return own and world.attached and world.public_address
    if world.route_of_a != "nat in b" or not (world.b_leads_out and world.attached):
        return False
    nat = "10.0.1.99"
    return (
        own
        and crosses(world, "b", me, there, 443, False)
        and crosses(world, "b", nat, there, 443, True)
        and all(crosses(world, "b", there, nat, port, False) for port in ports(world, 1024, 65535))
        and all(crosses(world, "b", there, me, port, True) for port in ports(world, 32768, 60999))
    )


def ports(world: World, first: int, last: int) -> set[int]:
    """Enough of them: the ends, and those beside the ends of any rule."""
    rules = [rule for acl in world.acls.values() for rule in acl or ()]
    near = {edge + step for rule in rules for edge in (rule.first, rule.last) for step in (-1, 0, 1)}
    return {first, (first + last) // 2, last} | {port for port in near if first <= port <= last}


def crosses(  # noqa: PLR0917 - a packet
    world: World, subnet: str, source: str, target: str, port: int, egress: bool
) -> bool:
    """Whether a packet passes the border of a subnet: rules know the other side's address and the port it goes to."""
    acl = world.acls.get(subnet)
    if acl is None:
        return True
    peer = ipaddress.ip_address(target if egress else source)
    for rule in sorted(acl, key=lambda each: each.number):
        if rule.egress is not egress or rule.protocol not in ("-1", "6"):
            continue
        block = ipaddress.ip_network(rule.cidr)
        if block.version == 4 and peer in block and (rule.protocol == "-1" or rule.first <= port <= rule.last):
            return rule.allow
    return False

"""Where network ACLs block HTTPS, or its answers, on a route that `aws.reach` found. Pure; no calls.

    gateway endpoint, internet gateway   the subnet's own ACL, out and in
    NAT gateway                          the subnet's own, and that of the gateway's subnet
    interface endpoint                   the subnet's own, and that of the endpoint's subnet; none within one subnet

An interface endpoint of several subnets may be found in any of them: it is out of reach if the routes to all are
blocked. ACLs do not apply to queries to the VPC's own resolver.

Source: "Network ACLs", "NAT gateway basics" (Amazon VPC User Guide).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from trainworks.aws.network_acls import EPHEMERAL, NAT_EPHEMERAL, PUBLIC, AclStop, Peer, Ports
from trainworks.aws.reach import Reachability, Subnet

_HTTPS: Ports = (443, 443)

SubnetOf = Callable[[str], Subnet | None]
"""The subnet of an interface endpoint by its id; None if it is not known."""


@dataclass(frozen=True, slots=True)
class _Leg:
    subnet: Subnet
    outward: bool
    ports: Ports
    peer: Peer

    @property
    def passes(self) -> bool | None:
        acl = self.subnet.acl
        return None if acl is None else acl.lets(self.peer, self.ports, outward=self.outward)

    @property
    def stop(self) -> AclStop:
        if self.subnet.acl is None:
            raise AssertionError("an unknown ACL cannot be said to block anything")
        return AclStop(self.subnet.acl.acl_id, self.subnet.subnet_id, self.outward, self.ports, self.peer)


def acl_stop(subnet: Subnet, answer: Reachability, subnet_of: SubnetOf) -> AclStop | None:
    """Where ACLs certainly block the connection of `answer` from `subnet`; None if they allow it, or may allow it."""
    return passing(subnet, answer, subnet_of)[1]


def passing(subnet: Subnet, answer: Reachability, subnet_of: SubnetOf) -> tuple[bool | None, AclStop | None]:
    """Whether ACLs allow it, None if that is not known; and, if they certainly do not, where they block it."""
    endpoint = answer.endpoint
    if endpoint is None or endpoint.is_gateway:
        return _along([*_outside(subnet), *_by_nat(subnet, answer)])
    ways = [_to(subnet, subnet_of(each)) for each in endpoint.subnets]
    if not ways or any(stop is None for _, stop in ways):
        return (True if ways and all(passes for passes, _ in ways) else None), None
    return ways[0]


def _along(legs: list[_Leg]) -> tuple[bool | None, AclStop | None]:
    answers = [leg.passes for leg in legs]
    if False in answers:
        return False, legs[answers.index(False)].stop
    return (None if None in answers else True), None


def _outside(subnet: Subnet, ephemeral: Ports = EPHEMERAL) -> Iterator[_Leg]:
    yield _Leg(subnet, True, _HTTPS, PUBLIC)
    yield _Leg(subnet, False, ephemeral, PUBLIC)


def _by_nat(subnet: Subnet, answer: Reachability) -> Iterator[_Leg]:
    """Through the subnet of the NAT gateway, and from there with a port of the gateway."""
    there = None if answer.nat is None else answer.nat.subnet
    if there is None or there.subnet_id == subnet.subnet_id:
        return
    yield from _accepting(there, subnet)
    yield from _outside(there, NAT_EPHEMERAL)


def _accepting(there: Subnet, subnet: Subnet) -> Iterator[_Leg]:
    yield _Leg(there, False, _HTTPS, Peer(subnet.cidr_block))
    yield _Leg(there, True, EPHEMERAL, Peer(subnet.cidr_block))


def _to(subnet: Subnet, there: Subnet | None) -> tuple[bool | None, AclStop | None]:
    """To a network interface in another subnet, and back."""
    if there is None:
        own = [_Leg(subnet, True, _HTTPS, Peer()), _Leg(subnet, False, EPHEMERAL, Peer())]
        passes, stop = _along(own)
        return (None if passes else passes), stop
    if there.subnet_id == subnet.subnet_id:
        return True, None
    block = Peer(there.cidr_block)
    return _along(
        [_Leg(subnet, True, _HTTPS, block), _Leg(subnet, False, EPHEMERAL, block), *_accepting(there, subnet)]
    )

"""Which TCP connections the entries of a network ACL allow into and out of its subnets. Pure; no calls.

Entries are tried in the order of their numbers, the first that matches decides, and without a match traffic is denied.
ACLs are stateless: answers need entries of their own. Connections here are TCP over IPv4, as the names of
AWS's services resolve to; entries for IPv6 do not apply to them. Answers are True, False, and None if nobody knows.

Source: "Network ACLs", "Ephemeral ports" (Amazon VPC User Guide).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from trainworks.aws.unknown import Unknown

Ports = tuple[int, int]
EPHEMERAL: Ports = (32768, 60999)
"""The ports of Linux's clients (`net.ipv4.ip_local_port_range`), to which answers come."""
NAT_EPHEMERAL: Ports = (1024, 65535)
"""Those of NAT gateways."""
ALL_PORTS: Ports = (1, 65535)
_Net = ipaddress.IPv4Network


@dataclass(frozen=True, slots=True)
class Peer:
    """The other side: an address in `cidr_block` ("" if unknown), or some address outside the VPC (`is_public`)."""

    cidr_block: str = ""
    is_public: bool = False

    def __str__(self) -> str:
        return "addresses outside the VPC" if self.is_public else self.cidr_block or "an unknown subnet"


PUBLIC = Peer(is_public=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `protocol` is a number or a name, -1 for all; `ports` None for all, Unknown if they are unknown.

    `allows` is None if nobody knows whether it allows or denies.
    """

    rule_number: int
    allows: bool | None
    is_egress: bool
    protocol: str
    cidr_block: str
    ports: Ports | Unknown | None = None

    def fits(self, peer: Peer, port: int) -> bool | None:
        """Whether it matches TCP at `port` with `peer`."""
        answers = (self._is_tcp(), self._has(port), self._meets(peer))
        return False if False in answers else None if None in answers else True

    def _is_tcp(self) -> bool | None:
        return None if isinstance(self.protocol, Unknown) else self.protocol.lower() in ("-1", "all", "6", "tcp")

    def _has(self, port: int) -> bool | None:
        # An entry for all protocols covers all ports, whatever range it names.
        if self.ports is None or self.protocol in ("-1", "all"):
            return True
        return None if isinstance(self.ports, Unknown) else self.ports[0] <= port <= self.ports[1]

    def _meets(self, peer: Peer) -> bool | None:
        if isinstance(self.cidr_block, Unknown):
            return None
        network = _network(self.cidr_block)
        if network is None:
            return False
        if network.prefixlen == 0:
            return True
        if peer.is_public:
            return False if network.is_private else None
        block = _network(peer.cidr_block)
        if block is None:
            return None
        return True if block.subnet_of(network) else None if block.overlaps(network) else False


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    """The entries of one ACL. `is_whole` is False if there may be others, or their order is unknown."""

    acl_id: str
    entries: tuple[Entry, ...] = ()
    is_whole: bool = True

    def lets(self, peer: Peer, ports: Ports, *, outward: bool) -> bool | None:
        """Whether TCP at all of `ports` is allowed: out to `peer`, or in from it. False if one is certainly denied."""
        if not self.is_whole:
            return None
        entries = sorted(
            (each for each in self.entries if each.is_egress is outward), key=lambda each: each.rule_number
        )
        answers = {_decided(entries, peer, port) for port in _starts(entries, ports)}
        return False if False in answers else None if None in answers else True


@dataclass(frozen=True, slots=True)
class AclStop:
    """The ACL of `subnet_id` blocks TCP at `ports`: out to `peer` if `outward`, else in from it."""

    acl_id: str
    subnet_id: str
    outward: bool
    ports: Ports
    peer: Peer

    def __str__(self) -> str:
        first, last = self.ports
        at = f"TCP {first}" if first == last else f"all of TCP {first} to {last}, the ports of answers,"
        way = f"out to {self.peer}" if self.outward else f"in from {self.peer}"
        return f"the network ACL {self.acl_id} of {self.subnet_id} does not let {at} {way}"

    @property
    def fix(self) -> str:
        """The entry that is missing, or comes after one that denies it."""
        first, last = self.ports
        kind = "outbound" if self.outward else "inbound"
        block = self.peer.cidr_block or "0.0.0.0/0"
        at = first if first == last else f"{first} to {last}"
        return (
            f"allow {kind} TCP {at} {'to' if self.outward else 'from'} {block} in {self.acl_id} "
            "(AWS::EC2::NetworkAclEntry), with a number below that of any entry that denies it"
        )


def _starts(entries: Sequence[Entry], ports: Ports) -> Iterator[int]:
    """A port of each part of `ports` that all entries treat alike."""
    yield ports[0]
    for each in entries:
        if isinstance(each.ports, tuple):
            yield from (port for port in (each.ports[0], each.ports[1] + 1) if ports[0] < port <= ports[1])


def _decided(entries: Sequence[Entry], peer: Peer, port: int) -> bool | None:
    possible: set[bool] = set()
    for each in entries:
        fits = each.fits(peer, port)
        if fits is not False:
            possible |= {True, False} if each.allows is None else {each.allows}
        if fits:
            break
    else:
        possible.add(False)
    return possible.pop() if len(possible) == 1 else None


@lru_cache(maxsize=1024)
def _network(cidr_block: str) -> _Net | None:
    """None for a value that is not an IPv4 block."""
    try:
        return _Net(cidr_block, strict=False)
    except ValueError:
        return None


OPEN = (
    Entry(100, allows=True, is_egress=False, protocol="-1", cidr_block="0.0.0.0/0"),
    Entry(100, allows=True, is_egress=True, protocol="-1", cidr_block="0.0.0.0/0"),
)
"""What the default ACL of a new VPC has."""

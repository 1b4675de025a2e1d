"""Which connections security groups allow, in both directions. Pure; no calls.

`check` makes the groups from templates (`preflight/security_groups.py`), `doctor` from what EC2 describes
(`doctor/network.py`). What is unknown (a group of another stack, a port or address that only the deployment tells, a
prefix list) counts as let through: an answer here is read as "certainly not".

Source: "Security group rules" (Amazon VPC User Guide).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from trainworks.aws.reach import ANYWHERE, VpcEndpoint
from trainworks.aws.unknown import Unknown

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
    """Groups by id."""

    def __init__(self, groups: Mapping[str, Group]) -> None:
        self._groups = groups

    def knows_all(self, groups: Iterable[str]) -> bool:
        """Whether the rules of all of them are known."""
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

    def stopped(
        self, workload: Side, endpoint: VpcEndpoint | None, block_of: Callable[[str], str] = lambda subnet_id: ""
    ) -> Stop | None:
        """Where HTTPS of a workload to a service is stopped that it reaches by `endpoint`, by none over the internet.

        `block_of` tells the block of a subnet, "" for an unknown one: an interface endpoint there may have any address.
        """
        if endpoint is None or endpoint.is_gateway:
            return None if self.lets_out(workload.groups, PUBLIC) else Stop.OUT
        theirs, blocks = endpoint.security_groups, tuple(map(block_of, endpoint.subnets))
        if not self.lets_out(workload.groups, Peer(frozenset(theirs), blocks if all(blocks) else ())):
            return Stop.OUT
        own = Peer(frozenset(workload.groups), (workload.cidr_block,) if workload.cidr_block else ())
        return None if self.lets_in(theirs, own) else Stop.IN


class Stop(StrEnum):
    """OUT: the workload's own groups do not let it out. IN: the endpoint's groups do not admit it."""

    OUT = "out"
    IN = "in"


@dataclass(frozen=True, slots=True)
class Side:
    """A workload's interface: its groups, and the block of its subnet ("" for an unknown one)."""

    groups: tuple[str, ...]
    cidr_block: str = ""


@lru_cache(maxsize=1024)
def _network(cidr_block: str) -> _Net | None:
    try:
        return _Net(cidr_block, strict=False)
    except ValueError:
        return None


EVERYTHING = Permission("-1", None, None, cidr_block=ANYWHERE)
"""What a new group has for egress."""

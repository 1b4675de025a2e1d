"""Address blocks of VPCs, as plain numbers: the import of `ipaddress` would be paid by every command."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_PATTERN = re.compile(r"^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})/(\d{1,2})$")
_FIRST, _LAST = 16, 255
"""Second numbers of derived blocks; those below 16 are what people and AWS's examples choose first."""


@dataclass(frozen=True, slots=True)
class CidrBlock:
    """`address` is the first address as a number, `prefix_length` how many bits all addresses share."""

    address: int
    prefix_length: int

    @classmethod
    def parse(cls, text: str) -> CidrBlock:
        """Raises `ValueError` for what is not a block, and for an address that is not the block's first."""
        match = _PATTERN.match(text)
        if match is None or any(int(part) > 255 for part in match.groups()[:4]) or int(match[5]) > 32:
            raise ValueError(f"{text!r} is not an IPv4 block such as 10.20.0.0/16")
        parts = [int(part) for part in match.groups()[:4]]
        address = parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | parts[3]
        block = cls(address, int(match[5]))
        first = address >> block._host_bits << block._host_bits
        if first != address:
            raise ValueError(f"{text!r} does not start at its first address: {cls(first, block.prefix_length)}")
        return block

    @property
    def _host_bits(self) -> int:
        return 32 - self.prefix_length

    def subnets(self, mask: int) -> int:
        """How many subnets with `mask` fit."""
        return 1 << (mask - self.prefix_length) if mask >= self.prefix_length else 0

    def subnet(self, mask: int, slot: int) -> CidrBlock:
        """The subnet with `mask` that has `slot` others before it. Raises `ValueError` if it does not fit."""
        if slot >= self.subnets(mask):
            raise ValueError(f"{self} holds {self.subnets(mask)} subnets of /{mask}, and {slot + 1} are needed")
        return CidrBlock(self.address + (slot << (32 - mask)), mask)

    def __str__(self) -> str:
        return ".".join(str(self.address >> shift & 255) for shift in (24, 16, 8, 0)) + f"/{self.prefix_length}"


def derived_cidr_block(environment_suffix: str) -> str:
    """The block of an environment that names none: always the same for a suffix, mostly another for each suffix.

    One of 240 blocks `10.16.0.0/16` to `10.255.0.0/16`. Two suffixes can get the same block; that matters only if their
    VPCs are connected, and then set `network.cidr_block`.
    """
    digest = hashlib.sha256(environment_suffix.encode()).digest()
    return f"10.{_FIRST + int.from_bytes(digest[:4], 'big') % (_LAST - _FIRST + 1)}.0.0/16"

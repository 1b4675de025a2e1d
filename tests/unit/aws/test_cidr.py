"""Blocks of addresses, compared with the standard library's."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.aws.cidr import CidrBlock, derived_cidr_block
from trainworks.config.environment import SUFFIX_PATTERN

BLOCKS = st.builds(
    lambda address, length: IPv4Network((address >> (32 - length) << (32 - length), length)),
    st.integers(0, 2**32 - 1),
    st.integers(1, 32),
)
SUFFIXES = st.from_regex(SUFFIX_PATTERN, fullmatch=True)


@given(BLOCKS)
def test_a_block_is_read_and_written(block: IPv4Network) -> None:
    parsed = CidrBlock.parse(str(block))
    assert (parsed.address, parsed.prefix_length) == (int(block.network_address), block.prefixlen)
    assert str(parsed) == str(block)


@given(BLOCKS, st.integers(1, 32))
def test_subnets_are_counted(block: IPv4Network, mask: int) -> None:
    expected = 2 ** (mask - block.prefixlen) if mask >= block.prefixlen else 0
    assert CidrBlock.parse(str(block)).subnets(mask) == expected


@given(BLOCKS, st.integers(0, 6), st.integers(0, 63))
def test_subnets_are_numbered(block: IPv4Network, bits: int, slot: int) -> None:
    mask, parsed = block.prefixlen + bits, CidrBlock.parse(str(block))
    if mask > 32:
        return
    if slot < 2**bits:
        assert str(parsed.subnet(mask, slot)) == str(list(block.subnets(new_prefix=mask))[slot])
    else:
        with pytest.raises(ValueError, match=f"and {slot + 1} are needed"):
            parsed.subnet(mask, slot)


@pytest.mark.parametrize("text", ["10.0.0.0", "10.0.0/16", "256.0.0.0/16", "10.0.0.0/33", "10.0.0.1/16", "::/16", ""])
def test_what_is_no_block_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an IPv4 block|does not start"):
        CidrBlock.parse(text)


@given(SUFFIXES)
def test_a_suffix_has_one_private_block(suffix: str) -> None:
    block = IPv4Network(derived_cidr_block(suffix))
    assert block == IPv4Network(derived_cidr_block(suffix))
    assert block.prefixlen == 16
    assert block.subnet_of(IPv4Network("10.0.0.0/8"))
    assert 16 <= int(str(block).split(".")[1]) <= 255


def test_suffixes_mostly_have_blocks_of_their_own() -> None:
    blocks = [derived_cidr_block(suffix) for suffix in ("dev", "staging", "prod", "test", "demo", "local")]
    assert len(set(blocks)) == len(blocks)

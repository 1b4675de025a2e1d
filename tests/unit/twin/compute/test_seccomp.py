"""The filter, run by a small interpreter of its own instructions: what the kernel answers on either architecture."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.compute.sandbox import seccomp

ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026
KEY = 0x123456789ABCDEF
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# unshare, mount, keyctl, bpf, io_uring_setup, userfaultfd / read, openat, execve, mmap, ptrace
REFUSED = {"x86_64": (272, 165, 250, 321, 425, 323), "aarch64": (97, 40, 219, 280, 425, 282)}
ALLOWED = {"x86_64": (0, 257, 59, 9, 101, 57), "aarch64": (63, 56, 221, 222, 117, 129)}
CLONE = {"x86_64": 56, "aarch64": 220}
KEYED = {"x86_64": (272, 308, 428, 170), "aarch64": (97, 268, 428, 161)}


def answer(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the program returns for a system call."""
    code = seccomp.program(machine, KEY)
    instructions = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    known = ARCHITECTURES[machine] if architecture is None else architecture
    data = struct.pack("<IIQ6Q", number, known, 0, *padded)
    accumulator, place = 0, 0
    for _ in range(len(instructions)):
        operation, then, otherwise, value = instructions[place]
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
                place += 1
            case 0x06:
                return int(value)
            case _:
                tests = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}
                place += 1 + (then if tests[operation] else otherwise)
    raise AssertionError("the program does not end")


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_what_is_refused_and_what_is_not(machine: str) -> None:
    assert {answer(machine, number) for number in REFUSED[machine]} == {EPERM}
    assert {answer(machine, number) for number in ALLOWED[machine]} == {ALLOW}
    assert answer(machine, 435) == answer(machine, 467) == answer(machine, 0x40000000) == ENOSYS
    assert answer(machine, ALLOWED[machine][0], architecture=0x40000003) == ENOSYS
    assert answer(machine, CLONE[machine], 0x003D0F00) == answer(machine, CLONE[machine], 17) == ALLOW
    assert answer(machine, CLONE[machine], 0x10000011) == EPERM


@given(st.sampled_from(sorted(ARCHITECTURES)), st.integers(0, 2**64 - 1))
def test_the_key_alone_opens_what_the_slot_needs(machine: str, guess: int) -> None:
    for number in KEYED[machine]:
        assert answer(machine, number, 0, 0, 0, 0, 0, KEY) == ALLOW
        assert answer(machine, number, 0, 0, 0, 0, 0, guess) == (ALLOW if guess == KEY else EPERM)


@given(st.sampled_from(sorted(ARCHITECTURES)), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_every_call_gets_one_of_three_answers(machine: str, number: int, argument: int) -> None:
    assert answer(machine, number, argument) in (ALLOW, EPERM, ENOSYS)


def test_an_architecture_that_is_not_known_is_said() -> None:
    with pytest.raises(OSError, match="does not know the architecture riscv64"):
        seccomp.program("riscv64", KEY)

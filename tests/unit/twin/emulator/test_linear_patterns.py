"""Wildcards of SNS and Step Functions: what they match, and that a near miss costs nothing."""

from __future__ import annotations

import time

import pytest

from trainworks.twin.emulator.linear_patterns import matches, matches_escaped


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("log-*.txt", "log-2026.txt", True),
        ("log-*.txt", "log-2026.txt.gz", False),
        ("a?c", "abc", False),
        ("a?c", "a?c", True),
        (r"a\*c", "a*c", True),
        (r"a\*c", "abc", False),
        (r"a\\*", r"a\anything", True),
    ],
)
def test_a_backslash_makes_a_star_itself(pattern: str, value: str, expected: bool) -> None:
    assert matches_escaped(value, pattern) is expected


def test_a_near_miss_takes_no_time() -> None:
    started = time.thread_time()
    for match in (matches, matches_escaped):
        assert not match("a" * 5000, "a*" * 40 + "b")
    assert time.thread_time() - started < 2.0

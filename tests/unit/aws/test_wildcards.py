"""Wildcards mean what they say, and no text makes them slow."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.aws.wildcards import covers, matches, with_stars


@given(st.text("ab*?.", max_size=9), st.text("ab.\n", max_size=9))
def test_wildcards_match_as_a_chain_of_any_text_does(pattern: str, text: str) -> None:
    naive = "".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in pattern)
    expected = re.fullmatch(naive, text, re.DOTALL) is not None
    assert matches(pattern, text) == expected
    starred = "".join(".*" if char == "*" else re.escape(char) for char in pattern)
    assert with_stars(pattern).matches(text) == (re.fullmatch(starred, text, re.DOTALL) is not None)


@pytest.mark.timeout(60)
def test_a_long_text_that_just_misses_is_decided() -> None:
    """By backtracking it would take longer than anybody waits."""
    assert not covers("a*" * 30 + "b", "a" * 2000)
    assert not matches("a*" * 30 + "b", "a" * 2000)

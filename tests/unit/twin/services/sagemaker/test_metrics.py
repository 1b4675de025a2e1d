"""Values in log lines: finite ones, in linear time, within bounds."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.linear_regex import UnsupportedPatternError, compile_linear, compile_wildcards
from trainworks.twin.services.sagemaker.metrics import values_in


def test_what_is_no_finite_number_is_no_value_and_harms_no_other() -> None:
    definitions = (("acc", compile_linear("acc=([0-9.]+)")), ("loss", compile_linear(r"loss=(\S+)")))
    lines = [b"acc=0.5 loss=nan", b"loss=inf", b"loss=-Infinity", b"loss=1e999", b"loss=1_0", b"loss=\xff", b"loss=2"]
    assert values_in(lines, definitions) == [("acc", 0.5), ("loss", 2.0)]


@pytest.mark.parametrize("regex", ["((a|aa)+)$", "(a+)+!$", "(a*)*b", "(x+x+)+y", r"(\w+\s?)+z", "(.*a){30}"])
def test_no_expression_takes_long(regex: str) -> None:
    line = b"a" * 60_000 + b"!"
    started = time.perf_counter()
    values_in([line] * 3, (("m", compile_linear(regex)),))
    assert time.perf_counter() - started < 5.0


@pytest.mark.parametrize("regex", ["(?=x)(y)", "(?<!x)(y)", r"(a)\1", "(a)++", "(?P<a>x)(?P=a)"])
def test_what_re2_lacks_is_refused_by_name(regex: str) -> None:
    with pytest.raises(UnsupportedPatternError, match="look-around, backreferences"):
        compile_linear(regex)


@given(st.text("ab*?.\\\n", max_size=8), st.text("ab.\\\n", max_size=8))
def test_wildcards_match_as_their_definition_says(pattern: str, text: str) -> None:
    def matches(rest: str, value: str) -> bool:
        if not rest:
            return not value
        if rest[0] == "*":
            return any(matches(rest[1:], value[start:]) for start in range(len(value) + 1))
        return bool(value) and rest[0] in ("?", value[0]) and matches(rest[1:], value[1:])

    assert (compile_wildcards(pattern).fullmatch(text) is not None) == matches(pattern, text)

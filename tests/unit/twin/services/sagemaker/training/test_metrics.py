"""Values in log lines: finite ones, in linear time, within bounds."""

from __future__ import annotations

import time

import pytest

from trainworks.twin.linear_regex import UnsupportedPatternError, compile_linear
from trainworks.twin.services.sagemaker.training.metrics import values_in


def test_what_is_no_finite_number_is_no_value_and_harms_no_other() -> None:
    definitions = (("acc", compile_linear("acc=([0-9.]+)")), ("loss", compile_linear(r"loss=(\S+)")))
    lines = [b"acc=0.5 loss=nan", b"loss=inf", b"loss=-Infinity", b"loss=1e999", b"loss=1_0", b"loss=\xff", b"loss=2"]
    assert values_in(lines, definitions) == [("acc", 0.5), ("loss", 2.0)]


@pytest.mark.parametrize("regex", ["((a|aa)+)$", "(a+)+!$", "(a*)*b", "(x+x+)+y", r"(\w+\s?)+z", "(.*a){30}"])
def test_no_expression_takes_long(regex: str) -> None:
    line = b"a" * 60_000 + b"!"
    started = time.thread_time()
    values_in([line] * 3, (("m", compile_linear(regex)),))
    assert time.thread_time() - started < 5.0


@pytest.mark.parametrize("regex", ["(?=x)(y)", "(?<!x)(y)", r"(a)\1", "(a)++", "(?P<a>x)(?P=a)"])
def test_what_re2_lacks_is_refused_by_name(regex: str) -> None:
    with pytest.raises(UnsupportedPatternError, match="look-around, backreferences"):
        compile_linear(regex)

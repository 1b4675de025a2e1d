"""Every pattern of the models that the twin serves can be matched, and none of them in more than linear time."""

from __future__ import annotations

import time

import pytest

from trainworks.twin.building import OWN_SERVICES
from trainworks.twin.emulator.services import BOTOCORE_NAMES, SERVICES
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.patterns import matcher


def _patterns() -> set[str]:
    names = [*(BOTOCORE_NAMES.get(scope, scope) for scope in SERVICES), *OWN_SERVICES]
    shapes = [shape for name in names for shape in service_model(name)._shape_resolver._shape_map.values()]
    return {shape["pattern"] for shape in shapes if shape.get("pattern")}


def test_every_pattern_of_a_served_model_can_be_matched_and_costs_little() -> None:
    hostile = ["a" * 2000 + "!", "arn:aws:" + "a/" * 900 + "\n", "-" * 2000, "<" * 1000 + "script" * 100]
    slow = []
    for pattern in _patterns():
        matches = matcher(pattern)
        assert matches is not None, pattern
        started = time.process_time()
        for text in hostile:
            matches(text)
        if time.process_time() - started > 0.25:
            slow.append(pattern)
    assert slow == []


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (r"[\p{Alnum}\-]+", "a-1", "a b"),
        (r"\p{ASCII}*", "a b", "é"),
        (r"[\u0020-\u00FF]+", "é", "\u0100"),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", "\U0001f600", "\n"),
        (r".{1,4096}", "x" * 1500, ""),
        (r"(?!\s*$).+", "x", "  "),
        (r"[\w-\/]+", "a-/", "a b"),
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "Ä 1", "#"),
        (r"[a-z]+", "a", "\ud800"),
    ],
)
def test_java_syntax_is_read(pattern: str, yes: str, no: str) -> None:
    matches = matcher(pattern)
    assert matches is not None
    assert matches(yes)
    assert not matches(no)

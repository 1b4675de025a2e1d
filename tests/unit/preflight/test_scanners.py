"""What our own rules and cfn-lint say together."""

from __future__ import annotations

from trainworks.preflight.finding import Finding, Severity
from trainworks.preflight.scanners import without_repeats


def finding(code: str, place: str) -> Finding:
    return Finding(code, Severity.ERROR, place, "AWS::SNS::Topic", place, "m", "", "")


def test_what_tw00_says_of_a_resource_is_said_once() -> None:
    ours = [finding("TW00", "A"), finding("TW19", "B")]
    scanned = [finding(f"cfn-lint/{code}", place) for code, place in (("E3002", "A"), ("E3002", "B"), ("W3010", "A"))]
    assert [(each.code, each.place) for each in without_repeats(ours, scanned)] == [
        ("cfn-lint/E3002", "B"),
        ("cfn-lint/W3010", "A"),
    ]

from __future__ import annotations

from typing import Any

import pytest

from trainworks.assembly.graph import Unknown
from trainworks.aws.iam.partial.conditions import Context, Verdict, decide

TRUE, FALSE, UNDECIDED = Verdict.TRUE, Verdict.FALSE, Verdict.UNDECIDED
CONTEXT: Context = {
    "aws:sourceaccount": "1",
    "aws:securetransport": "true",
    "s3:prefix": "checkpoints/job/",
    "aws:tagkeys": ("a", "b"),
    "aws:sourcearn": (),
}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, TRUE),
        ({}, TRUE),
        ({"StringEquals": {"aws:SourceAccount": "1"}}, TRUE),
        ({"StringEquals": {"aws:SourceAccount": ["2", "1"]}}, TRUE),
        ({"StringEquals": {"aws:SourceAccount": "2"}}, FALSE),
        ({"StringNotEquals": {"aws:SourceAccount": "2"}}, TRUE),
        ({"StringNotEquals": {"aws:SourceAccount": ["1", "2"]}}, FALSE),
        ({"StringLike": {"s3:prefix": "checkpoints/*"}}, TRUE),
        ({"StringLike": {"s3:prefix": "output/*"}}, FALSE),
        ({"Bool": {"aws:SecureTransport": "false"}}, FALSE),
        ({"Bool": {"aws:SecureTransport": True}}, TRUE),
        ({"StringEquals": {"aws:PrincipalTag/x": "y"}}, UNDECIDED),
        ({"StringEquals": {"aws:PrincipalTag/x": "y", "aws:SourceAccount": "2"}}, FALSE),
        ({"StringEquals": {"aws:SourceAccount": "1"}, "Bool": {"aws:SecureTransport": "false"}}, FALSE),
        ({"DateLessThan": {"aws:SourceAccount": "2020-01-01"}}, TRUE),
        ({"NumericLessThan": {"aws:SourceAccount": "1"}}, FALSE),
        ({"StringSomehow": {"aws:SourceAccount": "1"}}, UNDECIDED),
        ({"StringEquals": {"s3:prefix": "checkpoints/${*}/"}}, FALSE),
        ({"StringLike": {"s3:prefix": "${aws:PrincipalTag/team}/*"}}, UNDECIDED),
        ({"StringEquals": {"aws:SourceAccount": "${aws:PrincipalAccount}"}}, UNDECIDED),
        ({"StringEquals": {"aws:SourceAccount": Unknown("later")}}, UNDECIDED),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b", "c"]}}, TRUE),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, FALSE),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, TRUE),
        ({"Null": {"aws:SourceAccount": "true"}}, FALSE),
        ({"Null": {"aws:SourceAccount": "false"}}, TRUE),
        ({"Null": {"aws:SourceArn": "true"}}, TRUE),
        ({"ArnLike": {"aws:SourceArn": "*"}}, FALSE),
        ({"ArnLikeIfExists": {"aws:SourceArn": "x"}}, TRUE),
        ({"ArnNotLike": {"aws:SourceArn": "x"}}, TRUE),
        ("nonsense", UNDECIDED),
    ],
)
def test_decide(condition: Any, expected: Verdict) -> None:
    assert decide(condition, CONTEXT) is expected

"""The parts of ARNs, and of what is none."""

from __future__ import annotations

import pytest

from trainworks.aws.arn import Arn, parts_of_arn


def test_the_resource_is_all_behind_the_account() -> None:
    text = "arn:aws-cn:lambda:cn-north-1:111122223333:function:f:$LATEST"
    assert parts_of_arn(text) == Arn("aws-cn", "lambda", "cn-north-1", "111122223333", "function:f:$LATEST")
    assert parts_of_arn("arn:aws:s3:::b/a:b") == Arn("aws", "s3", "", "", "b/a:b")


@pytest.mark.parametrize("text", ["", "*", "name", "arn:", "arn:aws:batch", "a:b:c:d:e:f"])
def test_what_is_no_arn_has_no_parts(text: str) -> None:
    assert not any(parts_of_arn(text))

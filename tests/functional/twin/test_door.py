"""Nothing gets in unsigned: what each kind of wrong request is answered."""

from __future__ import annotations

from trainworks.testing import TestTwin


def test_a_signed_request_is_answered_as_root(twin: TestTwin) -> None:
    identity = twin.client("sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::000000000000:root"

"""`evaluateOnExit` as the user guide has it."""

from __future__ import annotations

import pytest

from trainworks.twin.services.batch.retry import AttemptEnd, should_retry

SPOT = AttemptEnd(None, "", "Host EC2 (instance i-1) terminated.")
FAILED = AttemptEnd(1, "", "Essential container in task exited")
PULL = AttemptEnd(None, "CannotPullContainerError: x", "Task failed to start")


@pytest.mark.parametrize(
    ("rules", "end", "expected"),
    [
        ([], FAILED, True),
        ([{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}], SPOT, True),
        ([{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}], FAILED, False),
        ([{"onExitCode": "1*", "action": "EXIT"}], FAILED, False),
        ([{"onExitCode": "2", "action": "EXIT"}], FAILED, True),
        ([{"onReason": "cannotpull*", "action": "EXIT"}], PULL, False),
        ([{"onReason": "CannotPull*", "onExitCode": "1", "action": "EXIT"}], PULL, True),
    ],
)
def test_the_first_rule_that_holds_decides(rules: list[dict[str, str]], end: AttemptEnd, expected: bool) -> None:
    assert should_retry({"attempts": 2, "evaluateOnExit": rules}, 1, end) is expected


def test_the_last_attempt_is_the_last() -> None:
    assert should_retry({"attempts": 2}, 2, FAILED) is False

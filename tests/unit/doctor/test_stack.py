"""From facts about a stack to its causes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.doctor.facts import NOW, absent, ago, codes, refused, seen
from trainworks.doctor.finding import Outcome
from trainworks.doctor.stack.causes import diagnose_stack
from trainworks.doctor.stack.facts import Failure, Stack, StackFacts


def facts(status: str, *reasons: str, environment: str = "dev", **members: Any) -> StackFacts:
    failures = tuple(
        Failure(f"Storage/B{number}", f"B{number}", "AWS::S3::Bucket", "CREATE_FAILED", reason, NOW)
        for number, reason in enumerate(reasons)
    )
    stack = Stack("trainworks-dev", status, **{key: members.pop(key) for key in list(members) if key in _OF_STACK})
    return StackFacts(NOW, seen(stack), environment, seen(failures), **members)


_OF_STACK = ("status_reason", "changed_at", "termination_protection", "drift_status")


@pytest.mark.parametrize(
    ("status", "code", "command"),
    [
        ("ROLLBACK_COMPLETE", "never-created", "trainworks up --env dev"),
        ("CREATE_FAILED", "create-failed", "trainworks up --recreate --env dev"),
        ("ROLLBACK_FAILED", "rollback-failed", "trainworks up --recreate --env dev"),
        ("DELETE_FAILED", "delete-failed", "trainworks down --env dev"),
        ("UPDATE_ROLLBACK_FAILED", "update-rollback-failed", "trainworks up --continue-rollback --env dev"),
        ("UPDATE_ROLLBACK_COMPLETE", "update-rolled-back", "trainworks up --env dev"),
        ("UPDATE_FAILED", "update-failed", "trainworks up --env dev"),
        ("REVIEW_IN_PROGRESS", "in-review", "trainworks up --env dev"),
    ],
)
def test_every_stuck_state_has_the_command_that_mends_it(status: str, code: str, command: str) -> None:
    found = diagnose_stack(facts(status), "trainworks-dev")
    assert codes(found) == [code]
    assert command in found.findings[0].fix
    other = diagnose_stack(facts(status, environment=""), "other").findings[0].fix
    assert "trainworks up" not in other


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("User: x is not authorized to perform: s3:CreateBucket", "access-denied"),
        ("models already exists in stack arn", "name-taken"),
        ("The bucket you tried to delete is not empty", "not-empty"),
        ("VpcLimitExceeded: the maximum number of VPCs", "quota-exceeded"),
        ("something else", "resource-failed"),
    ],
)
def test_the_first_cause_is_first_and_what_blocks_after_it(reason: str, code: str) -> None:
    found = diagnose_stack(facts("UPDATE_ROLLBACK_FAILED", reason, "also this"), "trainworks-dev")
    assert codes(found)[0] == code
    assert {"blocked-by", "update-rollback-failed"} == set(codes(found)[1:])
    assert "--skip B0" in found.findings[0].fix


def test_a_success_forgets_what_failed_on_the_way() -> None:
    found = diagnose_stack(facts("UPDATE_COMPLETE", "a retry"), "trainworks-dev")
    assert (codes(found), found.exit_code) == (["as-it-should-be"], 0)


def test_a_running_operation_is_stuck_when_nothing_happens_for_long() -> None:
    moving = diagnose_stack(facts("UPDATE_IN_PROGRESS", last_event_at=ago(60)), "trainworks-dev")
    assert (codes(moving), moving.findings[0].outcome) == (["in-progress"], Outcome.OK)
    still = diagnose_stack(facts("UPDATE_IN_PROGRESS", last_event_at=ago(7200)), "trainworks-dev")
    assert codes(still) == ["in-progress-for-long"]
    assert "cancel-update-stack" in still.findings[0].fix


def test_account_bucket_protection_and_drift() -> None:
    found = diagnose_stack(
        facts(
            "ROLLBACK_COMPLETE",
            account=seen("111111111111"),
            expected_account="222222222222",
            bootstrap_bucket=absent("s3:HeadBucket cdk-assets"),
            termination_protection=True,
            drift_status="DRIFTED",
        ),
        "trainworks-dev",
    )
    assert codes(found) == [
        "wrong-account", "bootstrap-bucket-missing", "termination-protected", "never-created", "drifted",
    ]  # fmt: skip
    assert found.findings[1].what.endswith("cdk-assets")


def test_not_deployed_and_not_allowed_to_look_are_two_things() -> None:
    absent_facts = StackFacts(NOW, absent("cloudformation:DescribeStacks"), "dev")
    assert codes(diagnose_stack(absent_facts, "trainworks-dev")) == ["not-deployed"]
    denied = diagnose_stack(StackFacts(NOW, refused("cloudformation:DescribeStacks"), "dev"), "trainworks-dev")
    assert (denied.state, codes(denied)) == ("unknown", ["could-not-look"])

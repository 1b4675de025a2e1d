"""The first cause: the resource's own failure and not what CloudFormation made of it."""

from __future__ import annotations

import pytest

from tests.unit.deploy.cloudformation import NETWORK_ID, event
from trainworks.deploy.causes import failures, first_cause, hint_for
from trainworks.deploy.events import STACK_TYPE, from_api, merge_events

ECHOES = [
    "Resource creation cancelled",
    "Resource update cancelled",
    "The following resource(s) failed to create: [Vpc, Subnet]. Rollback requested by user.",
    "The following resource(s) failed to delete: [ModelBucket].",
    "Embedded stack arn:aws:cloudformation:us-east-1:1:stack/n/1 was not successfully created: "
    "The following resource(s) failed to create: [Vpc]",
    "Resource Vpc failed: The CIDR is invalid",
    "",
]


@pytest.mark.parametrize("echo", ECHOES)
def test_an_echo_is_no_cause_though_it_comes_first(echo: str) -> None:
    cancelled = event("a", "CREATE_FAILED", logical_id="Subnet", reason=echo, seconds=1)
    real = event("b", "CREATE_FAILED", logical_id="Vpc", reason="The CIDR is invalid", seconds=2)
    assert first_cause([cancelled, real]) == real


def test_the_earliest_of_two_real_failures_is_the_cause() -> None:
    later = event("a", "CREATE_FAILED", reason="too late", seconds=5)
    earlier = event("b", "CREATE_FAILED", reason="Access denied", seconds=3)
    assert first_cause([later, earlier]) == earlier


def test_a_nested_resource_comes_before_the_parents_report_of_it() -> None:
    parent = event(
        "a", "CREATE_FAILED", logical_id="Network", resource_type=STACK_TYPE, reason="No such zone", seconds=1
    )
    child = event("b", "CREATE_FAILED", stack_id=NETWORK_ID, logical_id="Subnet", reason="No such zone", seconds=2)
    assert first_cause([parent, child]) == child


def test_a_nested_stack_that_failed_by_itself_is_the_cause() -> None:
    reason = "S3 error: Access Denied"
    parent = event("a", "CREATE_FAILED", logical_id="Network", resource_type=STACK_TYPE, reason=reason)
    assert first_cause([parent]) == parent


def test_the_failure_of_the_rollback_does_not_hide_the_cause() -> None:
    cause = event("a", "UPDATE_FAILED", logical_id="Queue", reason="Invalid order", seconds=1)
    rollback = event("b", "UPDATE_FAILED", logical_id="Role", reason="Role is gone", seconds=9)
    assert first_cause([cause, rollback]) == cause
    assert failures([cause, rollback]) == [cause, rollback]


def test_an_operation_without_failures_has_no_cause() -> None:
    assert first_cause([event("a", "CREATE_COMPLETE")]) is None


def test_what_blocks_a_deletion_is_listed_once_with_its_last_reason() -> None:
    first = event("a", "DELETE_FAILED", reason="The bucket you tried to delete is not empty", seconds=1)
    again = event("b", "DELETE_FAILED", reason="The bucket is still not empty", seconds=2)
    assert failures(merge_events([first, again])) == [again]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("models-dev already exists in stack arn:aws:...", "ENVIRONMENT_SUFFIX"),
        ("The bucket you tried to delete is not empty (Service: S3, Status Code: 409)", "trainworks down"),
        ("User: arn:... is not authorized to perform: iam:PassRole on resource: ...", "permission"),
        ("The maximum number of VPCs has been reached. (VpcLimitExceeded)", "quota"),
        ("resource sg-1 has a dependent object (DependencyViolation)", "network interface"),
        ("Unsupported resource type: AWS::Nowhere::Thing", "profile"),
        ("Rate exceeded (Throttling)", "minute"),
        ("We are all out of luck", ""),
    ],
)
def test_known_reasons_come_with_what_mends_them(reason: str, word: str) -> None:
    hint = hint_for(reason)
    assert word in hint
    assert bool(hint) == bool(word)


def test_an_event_is_read_from_the_shape_of_the_api() -> None:
    read = from_api(
        {
            "StackId": NETWORK_ID,
            "EventId": "Vpc-CREATE_FAILED-1",
            "StackName": "platform-Network",
            "Timestamp": event("x", "CREATE_COMPLETE").timestamp,
        }
    )
    assert (read.logical_id, read.reason, read.is_stack_itself, read.nested_stack_id) == ("", "", False, "")
